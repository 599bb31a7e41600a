"""The decoded frames that all variants read, each at its own pace, held as long as one still needs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from dffcli.core.types import Frame


class Shelf:
    """Frames of one source, for several readers.

    Args:
        frames: of the source, in order.
        limit: no more than this many are read.
    """

    def __init__(self, frames: Iterator[Frame], *, limit: int) -> None:
        self._source = frames
        self._limit = limit
        self._held: deque[Frame] = deque()
        self._dropped = 0
        self._positions: list[int] = []

    def fill(self, count: int) -> int:
        """Decode until `count` frames were read in all; gives how many there are, fewer at the end of the source."""
        while self._dropped + len(self._held) < min(count, self._limit):
            frame = next(self._source, None)
            if frame is None:
                break
            self._held.append(frame)
        return self._dropped + len(self._held)

    def first(self, count: int) -> list[Frame]:
        """The first frames, for who wants them before all readers."""
        self.fill(count)
        return [frame for frame, _ in zip(self._held, range(count), strict=False)]

    def reader(self) -> Iterator[Frame]:
        """All frames from the first on; to be called for every reader before the first frame is taken."""
        self._positions.append(0)
        return self._read(len(self._positions) - 1)

    def _read(self, reader: int) -> Iterator[Frame]:
        while True:
            position = self._positions[reader]
            if self.fill(position + 1) <= position:
                return
            frame = self._held[position - self._dropped]
            self._positions[reader] += 1
            self._drop()
            yield frame

    def _drop(self) -> None:
        while self._held and self._dropped < min(self._positions):
            self._held.popleft()
            self._dropped += 1
