"""An output that begins a new file every so often."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from dffcli.core.types import FrameResult, SourceInfo
from dffcli.formats.sink import Sink
from dffcli.video.feed import TrackFeed
from dffcli.video.source import Source

Make = Callable[[str, SourceInfo, TrackFeed | None], Sink]


class RollingSink:
    """One output as a row of files: `out-0001.mp4`, `out-0002.mp4` and so on, each complete once the next begins.

    The sound of a part is collected from the beginning of the part before it on, so that none is lost between them.
    """

    def __init__(self, path: str, make: Make, *, info: SourceInfo, seconds: Fraction, source: Source | None) -> None:
        """Describe the output; its first file begins with the first frame.

        Args:
            path: what the files are named after.
            make: the sink for one of them.
            info: of the source.
            seconds: how long each is.
            source: where the sound comes from; None for outputs without.
        """
        self._path = path
        self._make = make
        self._info = info
        self._seconds = seconds
        self._source = source
        self._number = 0
        self._end: Fraction | None = None
        self._tracks: TrackFeed | None = None
        self._sink: Sink | None = None
        self._stack = ExitStack()
        self._notes: list[str] = []

    def __enter__(self) -> Self:
        self._tracks = None if self._source is None else self._source.tracks()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, trace)
        finally:
            self._keep_notes()
            if self._tracks is not None:
                self._tracks.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said of any of the files, each once, and how many there are."""
        said = tuple(dict.fromkeys(self._notes))
        return (*said, f"{self._path}: {self._number} files") if self._number else said

    def write(self, result: FrameResult) -> None:
        """Write one frame, into the next file if the time has come."""
        time = result.frame.pts_seconds
        if self._end is None or time >= self._end:
            start = time if self._end is None else self._end + (time - self._end) // self._seconds * self._seconds
            self._begin(start)
        if self._sink is not None:
            self._sink.write(result)

    def _begin(self, start: Fraction) -> None:
        self._stack.close()
        self._keep_notes()
        self._end = start + self._seconds
        tracks, self._tracks = self._tracks, None if self._source is None else self._source.tracks()
        info = replace(self._info, start_seconds=start, end_seconds=self._end)
        self._sink = self._make(self._next_name(), info, tracks)
        self._stack.enter_context(self._sink)

    def _keep_notes(self) -> None:
        if self._sink is not None:
            self._notes += self._sink.notes
            self._sink = None

    def _next_name(self) -> str:
        """The next name nothing has yet."""
        ending = os.sep if self._path.endswith("/") else ""
        place = Path(self._path)
        while True:
            self._number += 1
            name = place.with_name(f"{place.stem}-{self._number:04d}{place.suffix}")
            if not os.path.lexists(name):
                return f"{name}{ending}"
