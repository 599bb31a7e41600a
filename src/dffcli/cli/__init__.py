"""The command line: parse, call, print; errors become one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Annotated

import typer

from dffcli import __version__
from dffcli._runtime import settle
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
)
"""Modules with a `register(app)`; they import nothing heavy before their command runs."""

app = typer.Typer(
    name="dff",
    help="Annotate video at a fraction of the cost: the dear network runs on few key frames, "
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

STOPPED_BY = {signal.SIGINT: ("interrupted", 130), signal.SIGTERM: ("terminated", 143)}
"""Signals that end a run in good order, the word for it, and the exit code that shells expect."""


class _Stopped(BaseException):
    """Somebody asked the process to end: what was begun is removed on the way out."""


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done, 1 an error of the input or the run, 2 wrong usage, 130 interrupted, 143 terminated.
    """
    settle()
    before = {number: signal.signal(number, _stop) for number in STOPPED_BY}
    try:
        return _run(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, standalone_mode=False)
    except DFFError as error:
        if os.environ.get("DFF_DEBUG"):
            raise
        _complain("; ".join([str(error), *getattr(error, "__notes__", [])]))
        return WRONG_USAGE if isinstance(error, SettingError) else 1
    except _Stopped as stopped:
        word, code = STOPPED_BY[stopped.args[0]]
        notes = getattr(stopped, "__notes__", [])
        _complain("; ".join([f"{word}: nothing unfinished was left under a final name", *notes]))
        return code
    except BrokenPipeError:
        sys.stdout = None  # whoever read us has gone: say nothing at exit either
        return 1
    except Exception as error:
        return _usage_code(error)
    return code if isinstance(code, int) else 0


def _usage_code(error: Exception) -> int:
    """Show wrong usage as click does, and give its exit code; anything else is a bug of ours and passes on."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is None or code is None:
        raise error
    show()
    return int(code)


def _complain(line: str) -> None:
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {line}", style="red", markup=False)
