"""The command line: parse, call, print; errors become one line and an exit code."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Annotated

import typer

from dffcli._runtime import settle
from dffcli._version import __version__
from dffcli.cli.failures import reason_of_system
from dffcli.cli.habits import advice_on_option
from dffcli.cli.signals import Stopped, stopping
from dffcli.cli.terminal import complain, finish_stdout, patient_stderr, plain
from dffcli.errors import DFFError, SettingError

COMMANDS = (
    "dffcli.cli.segment",
    "dffcli.cli.detect",
    "dffcli.cli.convert",
    "dffcli.cli.review",
    "dffcli.cli.bench",
    "dffcli.cli.train",
    "dffcli.cli.eval",
    "dffcli.cli.weights",
    "dffcli.cli.models",
    "dffcli.cli.clean",
)
"""Modules with a `register(app)`; they import nothing heavy before their command runs."""

app = typer.Typer(
    name="dff",
    help="Annotate video at a fraction of the cost: the expensive network runs on few key frames, "
    "optical flow carries its features to all the others, and every frame gets its result.",
    epilog="Start with:  dff segment street.mp4 -o out.mp4    or    dff detect street.mp4 -o out.mp4 -o boxes.json",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dff {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Options before the command."""


for _module in COMMANDS:
    import_module(_module).register(app)


WRONG_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done, 1 an error of the input or the run, 2 wrong usage, 130 interrupted, 143 terminated, 129 hung up.
    """
    settle()
    with patient_stderr(), stopping():
        try:
            return finish_stdout(_run(arguments))
        except Stopped as stopped:  # in the very last moment
            return stopped.code


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, standalone_mode=False)
    except Stopped as stopped:
        notes = getattr(stopped, "__notes__", [])
        complain("; ".join([f"{stopped.word}: nothing unfinished was left under a final name", *notes]))
        return stopped.code
    except Exception as error:
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: Exception) -> int:
    """Say in one line what the user can act on, and give the exit code; what is a bug of ours passes on."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is not None and code is not None:  # wrong usage, as click has it
        advice = advice_on_option(str(getattr(error, "option_name", "")))
        if advice is not None:
            error.message = f"no such option: {error.option_name}; {advice}"  # type: ignore[attr-defined]
            error.possibilities = []  # type: ignore[attr-defined]
        for name in ("message", "param_hint"):
            if isinstance(getattr(error, name, None), str):
                setattr(error, name, plain(getattr(error, name)))
        show()
        return int(code)
    reason = str(error) if isinstance(error, DFFError) else reason_of_system(error)
    if reason is None or os.environ.get("DFF_DEBUG"):
        raise error
    if reason:
        complain("; ".join([reason, *getattr(error, "__notes__", [])]))
    return WRONG_USAGE if isinstance(error, SettingError) else 1
