"""Records that wait on disk until something about the whole video is known."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import IO

from dffcli.formats.record import FrameRecord


class RecordSpool:
    """Records in the order in which they came; only this process writes and reads the file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin.

        Args:
            file: empty, open for writing and reading; left open.
        """
        self._file = file
        self._count = 0

    def add(self, record: FrameRecord) -> None:
        """Put one behind the others."""
        pickle.dump(record, self._file, pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def __iter__(self) -> Iterator[FrameRecord]:
        self._file.seek(0)
        for _ in range(self._count):
            record: FrameRecord = pickle.load(self._file)
            yield record
