"""Fill a module with named tensors that must fit it exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from dffcli.errors import WeightsError

SHOWN = 3  # names in a message


def fill(
    network: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    ignore: Callable[[str], bool] = lambda name: False,
) -> None:
    """Copy a checkpoint's tensors into a network that must fit it exactly.

    Args:
        network: what to fill.
        state: tensors by name.
        source: where they come from, for the message.
        ignore: names in the checkpoint that this network has no use for.

    Raises:
        WeightsError: names are missing or too many, shapes differ, or values are not finite; the first are listed.
    """
    wanted = network.state_dict()
    found = {name: tensor for name, tensor in state.items() if not ignore(name)}
    complaints: list[str] = []
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    extra = [name for name in found if name not in wanted and not name.endswith("num_batches_tracked")]
    shaped = [
        f"{name} {list(found[name].shape)} where {list(wanted[name].shape)} is wanted"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    for kind, names in (("missing", missing), ("extra", extra), ("mis-shaped", shaped)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            complaints.append(f"{len(names)} {kind}: {', '.join(names[:SHOWN])}{more}")
    if complaints:
        raise WeightsError(f"{source}: belongs to another network ({'; '.join(complaints)})")
    usable = {name: tensor for name, tensor in found.items() if name in wanted}
    check_finite(usable, source=source)
    network.load_state_dict(usable, strict=False)


def check_finite(state: Mapping[str, Tensor], *, source: str) -> None:
    """Refuse values that are not numbers.

    Raises:
        WeightsError: there are some; the first is named.
    """
    bad = [key for key, tensor in state.items() if tensor.is_floating_point() and not bool(tensor.isfinite().all())]
    if bad:
        raise WeightsError(f"{source}: {len(bad)} parameters hold NaN or infinity, the first is {bad[0]}")
