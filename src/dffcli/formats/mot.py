"""MOTChallenge text: one line a box.

Tracked boxes: `frame,id,x,y,width,height,confidence,class,visibility`. Untracked ones, as in a detection file:
`frame,-1,x,y,width,height,confidence,-1,-1,-1`. Frames and pixels count from 1, classes are category ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dffcli.core.types import Detections
from dffcli.errors import OutputError
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.tables import write_classes

SEQUENCE_FILE = "seqinfo.ini"
LABELS_FILE = "labels.txt"
UNUSED = "unused"


class MotTextWriter:
    """The boxes as one text file; an `outputs.files.TextWriter`."""

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Keep the file; the format has no head."""
        self._file = file

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        self._file.writelines(line.encode("ascii") for line in mot_lines(record))

    def finish(self) -> None:
        """Nothing is left to write."""


class MotFolderWriter:
    """A sequence folder: seqinfo.ini, and gt/gt.txt or det/det.txt; an `outputs.files.FolderWriter`."""

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._last = 0
        self._file: IO[bytes] | None = None
        self._is_tracked: bool | None = None

    def begin(self, folder: Path) -> None:
        """Begin the text; its place in the folder is known only once there is a box."""
        self._folder = folder
        self._file = (folder / "boxes.txt").open("wb")

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        found = record.prediction
        if isinstance(found, Detections) and len(found) and self._is_tracked is None:
            self._is_tracked = found.track_ids is not None
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
    """One line a box of a frame.

    Raises:
        OutputError: the frame has no boxes but a map of categories.
    """
    found = record.prediction
    if not isinstance(found, Detections):
        raise OutputError("MOT text holds boxes, and this is a category for every pixel: write .json, .xml or masks")
    for row in range(len(found)):
        x1, y1, x2, y2 = (float(side) for side in found.boxes[row])
        box = f"{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{found.scores[row]:.4f}"
        if found.track_ids is None:
            yield f"{record.index + 1},-1,{box},-1,-1,-1\n"
        else:
            yield f"{record.index + 1},{found.track_ids[row]},{box},{found.category_ids[row]},1\n"


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
    name = sequence.info.name.replace("\n", " ")
    rate = max(1, round(sequence.rate))
    return (
        f"[Sequence]\nname={name}\nimDir=img1\nframeRate={rate}\nseqLength={length}\n"
        f"imWidth={w}\nimHeight={h}\nimExt=.jpg\n"
    )
