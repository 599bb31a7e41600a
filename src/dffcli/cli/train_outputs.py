"""What a training command writes: checked before anything is read, held until the network has its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from dffcli.cli.eval_options import places_named

CHECKPOINT, NETWORK, FLOW = "checkpoint.pt", "network.safetensors", "flow.safetensors"
WRITTEN = ("log.jsonl", "losses.png", NETWORK)
"""What a run's folder receives, beside the checkpoint."""

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        rich_help_panel="The run",
        help="Replace a network, log or plot that exists; never a checkpoint: that is resumed, or removed by hand.",
    ),
]


def holding_outputs(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, with `--overwrite`, refusing to write where that would cost something.

    Args:
        command: has `run`, `resume` and `export` among its arguments; all others that name files name what is read.
    """
    signature = inspect.signature(command, eval_str=True)
    overwriting = inspect.Parameter("overwrite", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Overwrite)
    parameters = [*signature.parameters.values(), overwriting]

    @wraps(command)
    def held(*, overwrite: bool = False, **chosen: Any) -> None:
        from dffcli.errors import DataError
        from dffcli.files.atomic import claimed
        from dffcli.files.check import check_outputs

        run: Path = chosen["run"]
        export: Path | None = chosen["export"]
        has_checkpoint = (run / CHECKPOINT).exists()
        if has_checkpoint and not chosen["resume"]:
            raise DataError(f"{run}: holds a training run already: resume it, or choose another folder")
        own = [run / name for name in WRITTEN]
        target = own.pop() if export is None else export
        networks = [target, target.with_name(FLOW)] if chosen.get("max_offset") else [target]
        files = [*own, *networks]
        ours = [path.resolve() for path in (*own, run / NETWORK, run / FLOW)] if has_checkpoint else []
        check_outputs(
            [run / CHECKPOINT, *files],
            inputs=_read(chosen),
            overwrite=overwrite,
            ours=[*ours, (run / CHECKPOINT).resolve()],
        )
        with claimed(files=networks, overwrite=overwrite, ours=ours):
            command(**chosen)

    held.__dict__.pop("__wrapped__")  # its hints are the names of another module
    held.__signature__ = signature.replace(parameters=[_by_name(one) for one in parameters])  # type: ignore[attr-defined]
    held.__annotations__ = {one.name: one.annotation for one in parameters}
    return held


def _by_name(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _read(chosen: dict[str, Any]) -> Iterator[Path | str]:
    """Everything that is named to be read."""
    for name in ("data", "validate", "init", "flow", "flow_init", "stills"):
        value = chosen.get(name) or []
        for one in value if isinstance(value, list | tuple) else [value]:
            yield from [one] if isinstance(one, Path) else places_named(one)
