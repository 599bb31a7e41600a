"""Text on its way to the terminal: names of files and classes are shown, never obeyed."""

from __future__ import annotations

import errno
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

REACHES_BACK = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
"""Characters that change the order in which a terminal shows others, or break a line."""


def plain(text: object) -> str:
    r"""A text in which everything that a terminal would act on stands written out, as `\x1b` does, on one line."""
    shown = []
    for character in str(text):
        if "\udc80" <= character <= "\udcff":  # a byte of a name that is not text
            shown.append(f"\\x{ord(character) - 0xDC00:02x}")
        elif character in REACHES_BACK or unicodedata.category(character) in ("Cc", "Cs"):
            shown.append(character.encode("unicode_escape").decode())
        else:
            shown.append(character)
    return "".join(shown)


def say(text: object) -> None:
    """Say one line on stdout."""
    typer.echo(plain(text))


def plain_console(**options: Any) -> Console:
    """A console that shows text as it is: no markup, no emoji, nothing that a terminal would act on.

    Args:
        **options: of `rich.console.Console`.
    """
    from rich.console import Console

    class Plain(Console):
        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str("\n".join(plain(line) for line in text.split("\n")), **how)

    return Plain(markup=False, emoji=False, highlight=False, **options)


def complain(line: object) -> None:
    """Say one red line on stderr."""
    plain_console(stderr=True, soft_wrap=True).print(f"error: {plain(line)}", style="red")


class _Patient:
    """A stream whose loss does not end what is being done: what cannot be said is not said."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def patient_stderr() -> Iterator[None]:
    """Within, a stderr that is closed, full, or read by nobody any more costs no result."""
    before = sys.stderr
    stream: IO[str] = open(os.devnull, "w", encoding="utf-8") if before is None else before  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = _Patient(stream)
    try:
        yield
    finally:
        sys.stderr = before


def finish_stdout(code: int) -> int:
    """Have all that was said reach whoever reads it.

    A reader that has gone, as `head` does, has what it wanted: nothing is said of that.

    Args:
        code: how the command ended.

    Returns:
        The exit code: 1 where what was said is lost, though all else was well.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _abandon(sys.stdout)
        if error.errno != errno.EPIPE:
            complain(f"standard output: cannot be written: {(error.strerror or str(error)).lower()}")
        return code or 1
    except ValueError:  # closed
        return code
    return code


def _abandon(stream: IO[str]) -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not complain at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
