"""Frames counted one by one, whatever numbers they bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dffcli.core.types import Frame, FrameResult

KEPT = 4096  # numbers that are remembered, of frames as far back as a result can point


class Numbering:
    """Gives frames consecutive numbers on their way in, and their own again on the way out.

    Key frames are counted by frames, and frames may be numbered otherwise: every second one of a video, say.
    """

    def __init__(self) -> None:
        self._frames: dict[int, Frame] = {}
        self._own: dict[int, int] = {}

    def count(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, numbered from the first one's number on."""
        number: int | None = None
        for frame in frames:
            number = frame.index if number is None else number + 1
            if frame.index == number:
                yield frame
                continue
            self._frames[number], self._own[number] = frame, frame.index
            while len(self._own) > KEPT:
                self._own.pop(next(iter(self._own)))
            yield replace(frame, index=number)

    def restored(self, result: FrameResult) -> FrameResult:
        """A result with the frame as it came, and key frames by their own numbers."""
        frame = self._frames.pop(result.frame.index, None)
        if frame is None and not self._own:
            return result
        keys = tuple(self._own.get(index, index) for index in result.key_indices)
        return replace(result, frame=frame or result.frame, key_indices=keys)
