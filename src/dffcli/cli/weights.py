"""`dff weights`: see, check, fetch and import the weights of models."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dffcli.cli.terminal import plain_console, say

if TYPE_CHECKING:
    from dffcli.models.paper.checkpoints import Match
    from dffcli.models.weights.inventory import WeightsItem

LISTED = 12  # names of each kind that `import` prints
MEGABYTE = 1e6


class PixelsName(StrEnum):
    """Values of `--pixels`."""

    TORCHVISION = "torchvision"
    CAFFE = "caffe"


def register(app: typer.Typer) -> None:
    """Add `dff weights`."""
    group = typer.Typer(help="See, check, fetch and import the weights of models.", no_args_is_help=True)
    group.command("list")(list_weights)
    group.command("verify")(verify)
    group.command("fetch")(fetch)
    group.command("import")(import_)
    app.add_typer(group, name="weights", rich_help_panel="Networks")


def list_weights() -> None:
    """List every model's default weights: what is here, and where the rest comes from."""
    from rich.table import Table

    from dffcli.models.weights.inventory import inventory

    table = Table(box=None, padding=(0, 2, 0, 0))
    for header in ("model", "here", "MB", "where from"):
        table.add_column(header, overflow="fold", justify="right" if header == "MB" else "left")
    for item in inventory():
        size = item.size
        here = "bundled" if item.is_bundled else "yes" if size is not None else "fetch" if item.url else "no"
        table.add_row(item.model, here, "" if size is None else f"{size / MEGABYTE:.0f}", item.source)
    plain_console().print(table)


def verify(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FILE]...", help="Models or files; all that is here if none.")
    ] = None,
) -> None:
    """Read weights through and hold their SHA-256 against what is known; exit code 1 if any is not as it should be."""
    from dffcli.errors import DFFError
    from dffcli.models.weights.inventory import find_item, inventory, verify_file

    if what:
        items: list[WeightsItem | Path] = [Path(text) if Path(text).exists() else find_item(text) for text in what]
    else:
        items = [item for item in inventory() if item.size is not None or item.is_bundled]
    seen: set[Path] = set()
    failed = 0
    for item in items:
        path, expected = (item, "") if isinstance(item, Path) else (item.path, item.expected)
        if path in seen:
            continue
        seen.add(path)
        try:
            verified = verify_file(path, expected=expected)
        except DFFError as error:
            failed += 1
            say(f"FAILED  {error}")
            continue
        against = f"as its {verified.against} says" if verified.against else "nothing to hold it against"
        say(f"ok      {path}: sha256 {verified.digest} ({against}), readable, all values finite")
    if failed:
        raise typer.Exit(1)
    if not items:
        say("no weights here")


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, as `dff models` lists it.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Download a model's weights into the cache; a broken download goes on from where it broke."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from dffcli.errors import WeightsError
    from dffcli.models.weights import downloads
    from dffcli.models.weights.inventory import find_item

    item = find_item(name)
    if item.is_bundled:
        say(f"{item.path}: came with dff")
        return
    if item.url is None:
        raise WeightsError(f"{name}: has no address to fetch from; where its weights come from: {item.source}")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=plain_console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(name)
        path = downloads.fetch(
            item.url,
            model=name,
            on_progress=lambda _file, done, total: progress.update(task, completed=done, total=total or None),
        )
    say(path)


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            exists=True,
            dir_okay=False,
            help="MXNet .params, PyTorch .pth or safetensors: a whole network, or its parts (a ResNet, a flow net).",
        ),
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Whose weights these are to be.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.safetensors",
            dir_okay=False,
            help="Where to write; the model's place in the cache if not given (complete weights only).",
        ),
    ] = None,
    pixels: Annotated[
        PixelsName,
        typer.Option(help="What a ResNet alone was trained on: normalised RGB (torchvision), or BGR less its mean."),
    ] = PixelsName.TORCHVISION,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Bring the weights of others under this project's names, and say what was missing, extra or of another shape."""
    from dffcli.errors import WeightsError
    from dffcli.files.atomic import claimed
    from dffcli.files.check import check_outputs
    from dffcli.models.paper.importing import import_weights, save_imported
    from dffcli.models.weights.inventory import find_item

    if output is not None:
        check_outputs([output], inputs=files, overwrite=overwrite)
    imported = import_weights(files, model=model, pixels=pixels.value)
    for path, match in imported.matches:
        say(f"{path}: {match.origin} names, {_parameters(match)} of {model}")
        _list("extra", match.extra)
        _list("of another shape", match.misshaped)
    _list("missing", imported.missing)
    item = find_item(model)
    if output is None and (item.url is not None or not imported.is_complete):
        reason = "not complete" if item.url is None else f"{model} has published weights of its own"
        raise WeightsError(f"{model}: these weights are {reason}: say with -o where to write them")
    target = output or item.path
    check_outputs([target], inputs=files, overwrite=overwrite)
    with claimed(files=[target], overwrite=overwrite):
        save_imported(imported, target)
    use = f"--weights {target}" if output else f"the default of {model} from now on"
    purpose = use if imported.is_complete else "a start for training (--init); it cannot run as it is"
    say(f"{target}: {len(imported.state)} parameters, {purpose}")


def _parameters(match: Match) -> str:
    from dffcli.models.paper.checkpoints import COUNTERS

    return f"{sum(not name.endswith(COUNTERS) for name in match.state)} parameters"


def _list(kind: str, names: tuple[str, ...]) -> None:
    if names:
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        say(f"  {len(names)} {kind}: {', '.join(names[:LISTED])}{more}")
