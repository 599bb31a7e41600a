"""`dff clean`: what killed runs have left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

KILOBYTE = 1e3


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Look around")
    def clean(
        folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where outputs were being written.")],
        journals: Annotated[
            bool, typer.Option("--journals", help="Journals too: their runs can then not go on with --resume.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list.")] = False,
    ) -> None:
        """List the unfinished files that killed runs have left in a folder, and remove them.

        What a living run is writing, and everything that is not dff's, stays; so do journals, without --journals.
        """
        from dffcli.cli.terminal import plain
        from dffcli.files.leftovers import find_leftovers, remove_leftover

        found = find_leftovers(folder)
        for leftover in found:
            if leftover.state == "alive":
                done = "kept: a run is writing it"
            elif leftover.state == "unknown":
                done = "kept: whether its run lives cannot be known here"
            elif leftover.kind == "journal" and not journals:
                done = "kept: its run can go on with --resume"
            elif dry_run:
                done = "would be removed"
            else:
                done = "removed" if remove_leftover(leftover) else "kept: a run has taken it over"
            typer.echo(f"{plain(leftover.path)}  {leftover.size / KILOBYTE:.1f} kB  {leftover.kind}, {done}")
        if not found:
            typer.echo(f"{plain(folder)}: nothing unfinished")
