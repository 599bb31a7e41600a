"""`dff detect`: boxes (and instance masks) on every frame."""

from __future__ import annotations

import typer

from dffcli.cli.declare import declare
from dffcli.cli.screen import Screen
from dffcli.core.task import Task
from dffcli.run.config import RunConfig


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, detect, panel="Annotate", task=Task.DETECT)


def detect(config: RunConfig, screen: Screen) -> None:
    """Find the objects on every frame.

    [bold]dff detect street.mp4 -o out.mp4 -o boxes.json --classes car,person[/bold]
    """
    from dffcli.cli.annotate import run

    run(config, screen)
