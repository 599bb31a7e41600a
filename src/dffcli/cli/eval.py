"""`dff eval`: the group of commands that measure against ground truth."""

from __future__ import annotations

from importlib import import_module

import typer

COMMANDS: tuple[str, ...] = ("dffcli.cli.eval_segment", "dffcli.cli.eval_detect")
"""Modules with a `register(app)` for what can be measured."""


def register(app: typer.Typer) -> None:
    """Add `dff eval`."""
    group = typer.Typer(
        help="Measure against ground truth, per frame and with Deep Feature Flow.", no_args_is_help=True
    )
    for module in COMMANDS:
        import_module(module).register(group)
    app.add_typer(group, name="eval", rich_help_panel="Measure")
