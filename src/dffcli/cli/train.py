"""`dff train`: the group of commands that fit networks."""

from __future__ import annotations

from importlib import import_module

import typer

COMMANDS: tuple[str, ...] = (
    "dffcli.cli.train_segment",
    "dffcli.cli.train_detect",
    "dffcli.cli.train_flow",
    "dffcli.cli.train_paper",
)
"""Modules with a `register(app)` for what can be trained."""


def register(app: typer.Typer) -> None:
    """Add `dff train`."""
    group = typer.Typer(
        help="Train networks on your own pictures: resumable after a kill at any moment, with a log and a loss plot.",
        no_args_is_help=True,
    )
    for module in COMMANDS:
        import_module(module).register(group)
    app.add_typer(group, name="train", rich_help_panel="Networks")
