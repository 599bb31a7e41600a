"""What runs first: from here on a signal, or too little memory to begin with, ends in one line."""

from __future__ import annotations

import os
import signal
import sys

SIGNALS = {"SIGINT": ("interrupted", 130), "SIGTERM": ("terminated", 143), "SIGHUP": ("hung up", 129)}
"""Signals that end a command in good order, the word for it, and the exit code that shells expect."""


def _leave(number: int, _frame: object) -> None:
    word, code = SIGNALS[signal.Signals(number).name]
    _say(word)
    os._exit(code)  # nothing is begun yet, and an import that is torn apart could hide an exception


def _say(line: str) -> None:
    try:
        os.write(2, f"error: {line}\n".encode())
    except OSError:  # nobody listens
        return


def main() -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a shell's & want it
            signal.signal(number, _leave)
    try:
        from dffcli.cli import main as command_line
    except (MemoryError, ImportError, OSError) as error:
        if os.environ.get("DFF_DEBUG"):
            raise
        reason = "there is too little memory" if isinstance(error, MemoryError) else str(error).splitlines()[0]
        _say(f"dff cannot start: {reason}")
        return 1
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
