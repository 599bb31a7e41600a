"""Leave out tracks that are seen on few frames: all frames wait on disk until every track's length is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from dffcli.formats.account import Account
from dffcli.formats.fit import describe
from dffcli.formats.record import Annotation, FrameRecord
from dffcli.formats.spool import RecordSpool


class LongTracks:
    """The frames of a video without its short tracks; objects without a track stay."""

    def __init__(self, file: IO[bytes], *, least: int, names: dict[int, str], account: Account) -> None:
        """Begin.

        Args:
            file: empty, open for writing and reading; left open.
            least: frames on which a track has to be seen.
            names: of the categories by id.
            account: where it is noted what is left out.
        """
        self._spool = RecordSpool(file)
        self._least = least
        self._names = names
        self._account = account
        self._lengths: Counter[int] = Counter()

    def add(self, record: FrameRecord) -> None:
        """Take the next frame."""
        self._lengths.update({item.track for item in record.objects if item.track is not None})
        self._spool.add(record)

    def __iter__(self) -> Iterator[FrameRecord]:
        for record in self._spool:
            objects: list[Annotation] = []
            for item in record.objects:
                if item.track is not None and self._lengths[item.track] < self._least:
                    what = f"objects of tracks seen on fewer than {self._least} frames"
                    self._account.leave_out("min-track", what, describe(item, record, self._names))
                else:
                    objects.append(item)
            yield replace(record, objects=tuple(objects))
