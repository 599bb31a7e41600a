"""What is read as it comes: a pipe, or an address that is reached again when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer

from dffcli.errors import VideoOpenError
from dffcli.video.container import FILE_OPTIONS, error_reason, open_address
from dffcli.video.http import HttpBody, is_for_us

STANDARD_INPUT = "-"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between two attempts to reach an address again; doubled each time
GIVE_UP = 60.0  # seconds without reaching it


@dataclass(frozen=True, slots=True)
class Opened:
    """A container that is read as it comes.

    Attributes:
        container: open.
        body: the bytes under it, where they are read here.
    """

    container: InputContainer
    body: HttpBody | None = None

    def is_lost(self, error: Exception | None) -> bool:
        """It ended before its end, and goes on by itself, so that it is worth reaching again.

        Args:
            error: what ended it; None for an ordinary end.
        """
        if self.body is None:
            return error is not None
        if self.body.length is not None:
            return False  # what has a length has been asked for again already
        return error is not None or self.body.lost is not None or self.body.ends_anywhere

    @property
    def loss(self) -> Exception | None:
        """What libav took for an ordinary end and was none."""
        return None if self.body is None else self.body.lost

    def cancel(self) -> None:
        """Let a read that waits end, from any thread."""
        if self.body is not None:
            self.body.cancel()

    def close(self) -> None:
        """Close it."""
        self.container.close()
        if self.body is not None:
            self.body.close()


def open_live(place: str) -> Opened:
    """Open an address, or standard input.

    Raises:
        VideoOpenError: nobody answers, or with nothing that can be read.
    """
    if place == STANDARD_INPUT:
        return Opened(_open_standard_input())
    if not is_for_us(place):
        return Opened(open_address(place))
    try:
        body = HttpBody(place)
    except (OSError, ValueError) as error:
        raise VideoOpenError(f"{place}: cannot be opened: {error_reason(error)}") from error
    if not body.is_playlist:
        with suppress(av.FFmpegError, OSError, ValueError):
            options = {"format_whitelist": FILE_OPTIONS["format_whitelist"]}
            file: Any = body
            return Opened(av.open(file, "r", metadata_errors="replace", options=options), body)
    body.close()
    return Opened(open_address(place))


def _open_standard_input() -> InputContainer:
    try:
        return av.open("pipe:0", metadata_errors="replace", options=FILE_OPTIONS | {"protocol_whitelist": "pipe"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoOpenError(f"standard input: {error_reason(error)}") from error


def reached_again(
    reach: Callable[[], Opened], *, stopped: threading.Event, give_up: float | None = None
) -> tuple[Opened | None, str]:
    """Try to reach something again, with longer and longer pauses.

    Args:
        reach: tries once.
        stopped: set where nobody waits any more.
        give_up: seconds after which there is no more trying.

    Returns:
        What was reached, or None; and what the last attempt said.
    """
    began, pause, said = time.monotonic(), FIRST_PAUSE, ""
    limit = GIVE_UP if give_up is None else give_up
    while not stopped.wait(pause) and time.monotonic() - began < limit:
        try:
            return reach(), said
        except VideoOpenError as error:
            said = str(error)
        pause = min(2 * pause, LONGEST_PAUSE)
    return None, said
