"""`dff models`: every network there is, and what it takes to run it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from dffcli.core.task import Task

if TYPE_CHECKING:
    from rich.console import Console

    from dffcli.models.registry import ModelEntry
    from dffcli.models.weights.inventory import WeightsItem

MEGABYTE = 1e6  # bytes


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Look around")
    def models(
        name: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these, at length.")] = None,
        task: Annotated[Task | None, typer.Option(help="Only those for this command.")] = None,
        long: Annotated[bool, typer.Option("--long", help="Everything known of each, classes included.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    ) -> None:
        """List the models: task, classes, weights and whether they are here, licence.

        [bold]dff models --task detect[/bold]   or   [bold]dff models --long fcos_resnet50_fpn[/bold]
        """
        from rich.console import Console

        from dffcli.models.registry import find_entry, model_entries
        from dffcli.models.weights.inventory import item_of

        chosen = [find_entry(one) for one in name] if name else list(model_entries().values())
        rows = [(entry, item_of(entry)) for entry in chosen if task is None or entry.task is task]
        if as_json:
            typer.echo(json.dumps([_facts(entry, item) for entry, item in rows], indent=2))
            return
        console = Console(highlight=False)
        if long or name:
            for entry, item in rows:
                _describe(console, entry, item)
        else:
            _list(console, rows)


def _state(entry: ModelEntry, item: WeightsItem | None) -> str:
    """Where the default weights are: `bundled`, `here`, `to download`, or `yours to bring`."""
    is_here = item is not None and item.size is not None
    if entry.is_bundled:
        return "bundled" if is_here else "missing"
    if is_here:
        return "here"
    return "to download" if entry.weights_url is not None else "yours to bring"


def _megabytes(entry: ModelEntry, item: WeightsItem | None) -> str:
    here = None if item is None else item.size
    size = entry.weights_bytes if here is None else here
    return f"{size / MEGABYTE:.0f}" if size else ""


def _facts(entry: ModelEntry, item: WeightsItem | None) -> dict[str, object]:

    return {
        "name": entry.name,
        "task": str(entry.task),
        "category_set": entry.category_set,
        "categories": [{"id": category.id, "name": category.name} for category in entry.categories],
        "gives_masks": entry.gives_masks,
        "split_point": entry.split_point,
        "accuracy": entry.accuracy,
        "weights": _state(entry, item),
        "weights_path": None if item is None else str(item.path),
        "weights_url": entry.weights_url,
        "weights_bytes": entry.weights_bytes or None,
        "weights_source": entry.weights_source,
        "license": entry.license,
    }


def _list(console: Console, rows: list[tuple[ModelEntry, WeightsItem | None]]) -> None:
    """One line a model, within 80 columns, a table for each command."""
    from rich.table import Table

    for task in Task:
        mine = [row for row in rows if row[0].task is task]
        if not mine:
            continue
        table = Table(box=None, padding=(0, 1, 0, 0))
        for header in (f"dff {task}", "classes", "MB", "weights", "accuracy"):
            table.add_column(header, justify="right" if header in ("classes", "MB") else "left", no_wrap=True)
        for entry, item in sorted(mine, key=lambda row: not row[0].is_bundled):
            accuracy = _short(entry.accuracy) + (" +masks" if entry.gives_masks else "")
            facts = (str(len(entry.categories)), _megabytes(entry, item), _state(entry, item), accuracy)
            table.add_row(entry.name, *facts, style="bold" if entry.is_bundled else None)
        console.print(table)
        console.print()
    console.print("`dff models NAME` tells all of one: its split point, licence and classes.", markup=False)


def _short(accuracy: str) -> str:
    """An accuracy in a few characters: its first measure."""
    found = re.match(r"(mean IoU|box AP|mAP50|AP50|AP) ([\d.]+)", accuracy)
    return "" if found is None else f"{found[1].replace('mean IoU', 'mIoU').replace('box AP', 'AP')} {found[2]}"


def _describe(console: Console, entry: ModelEntry, item: WeightsItem | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold]{entry.name}[/bold]")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    size = _megabytes(entry, item)
    facts = {
        "task": f"{entry.task}{', with instance masks' if entry.gives_masks else ''}",
        "split point": entry.split_point,
        "accuracy": entry.accuracy,
        "weights": f"{_state(entry, item)}: {entry.weights_source}{f', {size} MB' if size else ''}",
        "file": "" if item is None else str(item.path),
        "address": entry.weights_url or "",
        "licence": entry.license,
        "classes": ", ".join(category.name for category in entry.categories),
    }
    for label, text in facts.items():
        if text:
            table.add_row(label, escape(text))
    console.print(table)
    console.print()
