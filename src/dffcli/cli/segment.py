"""`dff segment`: a class for every pixel of every frame."""

from __future__ import annotations

import typer

from dffcli.cli.declare import declare
from dffcli.cli.screen import Screen
from dffcli.core.task import Task
from dffcli.run.config import RunConfig


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, segment, panel="Annotate", task=Task.SEGMENT)


def segment(config: RunConfig, screen: Screen) -> None:
    """Give every pixel of every frame a class: street scenes out of the box, other models by name.

    [bold]dff segment street.mp4 -o out.mp4 -o masks/[/bold]
    """
    from dffcli.cli.annotate import run

    run(config, screen)
