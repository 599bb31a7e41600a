"""What a training command writes: checked before anything is read, held until the network has its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dffcli.cli.eval_options import places_named
from dffcli.cli.train_options import NETWORK, RunOptions
from dffcli.option import settings_of

CHECKPOINT, FLOW = "checkpoint.pt", "flow.safetensors"
WRITTEN = ("log.jsonl", "losses.png", NETWORK)
"""What a run's folder receives, beside the checkpoint."""


@contextmanager
def holding_outputs(data: object, fit: RunOptions) -> Iterator[None]:
    """Refuse to write where that would cost something, and hold the names of the networks until they are written.

    Args:
        data: what is learned from: all of its settings may name what is read.
        fit: where the run lies.

    Raises:
        DataError: the folder holds a run that is not to be resumed.
        OutputError: something would be lost.
    """
    from dffcli.errors import DataError
    from dffcli.files.atomic import claimed
    from dffcli.files.check import check_outputs

    run = fit.run
    has_checkpoint = (run / CHECKPOINT).exists()
    if has_checkpoint and not fit.resume:
        raise DataError(f"{run}: holds a training run already: resume it, or choose another folder")
    own = [run / name for name in WRITTEN]
    target = own.pop() if fit.export is None else fit.export
    networks = [target, target.with_name(FLOW)] if getattr(data, "max_offset", 0) else [target]
    files = [*own, *networks]
    ours = [path.resolve() for path in (*own, run / NETWORK, run / FLOW)] if has_checkpoint else []
    check_outputs(
        [run / CHECKPOINT, *files],
        inputs=_read(data),
        overwrite=fit.overwrite,
        ours=[*ours, (run / CHECKPOINT).resolve()],
    )
    with claimed(files=networks, overwrite=fit.overwrite, ours=ours):
        yield


def _read(data: object) -> Iterator[Path | str]:
    """Everything that is named to be read."""
    for setting in settings_of(data):
        for one in setting.value if isinstance(setting.value, tuple) else (setting.value,):
            if isinstance(one, Path):
                yield one
            elif isinstance(one, str):
                yield from places_named(one)
