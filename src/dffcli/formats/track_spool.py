"""Gather what comes frame by frame into tracks, on disk."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from typing import IO, Any

from dffcli.formats.json_stream import compact_json


class TrackSpool:
    """Boxes by track, for formats that tell one track after the other.

    What a box says waits in a file; only its place there is remembered: eight bytes a box, some 7 MB an hour of video
    with ten objects in every frame.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Begin with no tracks.

        Args:
            file: empty, open for writing and reading; left open.
        """
        self._file = file
        self._end = 0
        self._places: dict[int, array[int]] = {}

    def add(self, track: int, item: Any) -> None:
        """Remember one box of a track.

        Args:
            track: whose it is.
            item: anything JSON can hold.
        """
        line = compact_json(item) + b"\n"
        self._file.write(line)
        self._places.setdefault(track, array("q")).append(self._end)
        self._end += len(line)

    def tracks(self) -> Iterator[tuple[int, list[Any]]]:
        """Every track and what was remembered of it, tracks and boxes in the order in which they came."""
        self._file.flush()
        for track, places in self._places.items():
            yield track, [self._read(place) for place in places]

    def _read(self, place: int) -> Any:
        self._file.seek(place)
        return json.loads(self._file.readline())
