"""What a signal does to a command: it ends in good order, and a live run ends as if its stream had."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dffcli.__main__ import SIGNALS


class Stopped(BaseException):
    """Somebody asked the process to end: what was begun is removed on the way out.

    Attributes:
        word: what happened.
        code: the exit code.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.word, self.code = SIGNALS[signal.Signals(number).name]


_gentle: list[Callable[[], None]] = []


def _stop(number: int, _frame: FrameType | None) -> None:
    if _gentle:
        _gentle.pop()()
        return
    raise Stopped(number)


@contextmanager
def stopping() -> Iterator[None]:
    """Within, signals raise `Stopped`; those that are ignored (nohup, a shell's &) stay so."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def ending_gently(end: Callable[[], None]) -> Iterator[None]:
    """Within, the first signal calls `end` and nothing is raised; the second leaves at once."""
    _gentle.append(end)
    try:
        yield
    finally:
        _gentle.clear()
