"""Write MOTChallenge text files and sequence folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dffcli.formats.account import Account
from dffcli.formats.files import RecordSink, file_sink, folder_sink
from dffcli.formats.mot.layout import LABELS_FILE, SEQUENCE_FILE, UNUSED
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.tables import write_classes
from dffcli.formats.target import Target


def write(target: Target) -> RecordSink:
    """The sink of a text file or a sequence folder."""
    if target.is_file:
        return file_sink(target, MotTextWriter(target.sequence, account=target.fitter.account))
    return folder_sink(target, MotFolderWriter(target.sequence))


class MotTextWriter:
    """The boxes as one text file; a `formats.files.TextWriter`."""

    def __init__(self, sequence: Sequence, *, account: Account) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
            account: where it is noted that names of classes are lost.
        """
        self._account = account
        self._names = sequence.names

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Keep the file; the format has no head."""
        self._file = file

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        for item in record.objects:
            if (name := self._names.pop(item.category_id, None)) is not None:
                what = "names of classes, of which the text has the numbers alone (a folder of --format mot has them)"
                self._account.lose("class-names", what, f"class {item.category_id}, {name!r}")
        self._file.writelines(line.encode("ascii") for line in mot_lines(record))

    def finish(self) -> None:
        """Nothing is left to write."""


class MotFolderWriter:
    """A sequence folder: seqinfo.ini, and gt/gt.txt or det/det.txt; a `formats.files.FolderWriter`."""

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._last = 0
        self._file: IO[bytes] | None = None
        self._is_tracked = False

    def begin(self, folder: Path) -> None:
        """Begin the text; its place in the folder is known only once there is a box."""
        self._folder = folder
        self._file = (folder / "boxes.txt").open("wb")

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        self._is_tracked |= any(item.track is not None for item in record.objects)
        if self._file is not None:
            self._file.writelines(line.encode("ascii") for line in mot_lines(record))
        self._last = record.index + 1

    def finish(self) -> None:
        """Put the text in its place and write what describes the sequence."""
        self.close()
        kind = "gt" if self._is_tracked else "det"
        (self._folder / kind).mkdir()
        (self._folder / "boxes.txt").rename(self._folder / kind / f"{kind}.txt")
        write_classes(self._folder, self._sequence)
        text = labels_text(self._sequence)
        (self._folder / kind / LABELS_FILE).write_text(text, encoding="utf-8")
        text = sequence_text(self._sequence, length=self._last)
        (self._folder / SEQUENCE_FILE).write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Close the text."""
        if self._file is not None:
            self._file.close()


def mot_lines(record: FrameRecord) -> Iterator[str]:
    """One line a box of a frame."""
    for item in record.objects:
        x1, y1, x2, y2 = item.box
        score = 0.0 if item.is_ignored else 1.0 if item.score is None else item.score
        track = -1 if item.track is None else item.track
        box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f}"
        seen = item.attributes.get("visibility", "1")
        yield f"{record.index + 1},{track},{box},{item.category_id},{seen}\n"


def labels_text(sequence: Sequence) -> str:
    """The text of labels.txt: the k-th line names class k, with made-up names where ids are left out."""
    names = sequence.names
    return "".join(f"{names.get(number, f'{UNUSED}{number}')}\n" for number in range(1, max(names, default=0) + 1))


def sequence_text(sequence: Sequence, *, length: int) -> str:
    """The text of seqinfo.ini, in the entries and whole numbers its readers insist on.

    Args:
        sequence: what is annotated.
        length: frames in it.
    """
    h, w = sequence.info.size
    name = sequence.info.name
    rate = max(1, round(sequence.rate))
    return (
        f"[Sequence]\nname={name}\nimDir=img1\nframeRate={rate}\nseqLength={length}\n"
        f"imWidth={w}\nimHeight={h}\nimExt=.jpg\n"
    )
