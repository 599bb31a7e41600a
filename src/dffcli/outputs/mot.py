"""MOTChallenge text: one line a box.

Tracked boxes: `frame,id,x,y,width,height,confidence,class,visibility`. Untracked ones, as in a detection file:
`frame,-1,x,y,width,height,confidence,-1,-1,-1`. Frames and pixels count from 1, classes are category ids.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from dffcli.errors import DataError, OutputError
from dffcli.outputs.record import DEFAULT_RATE, FrameRecord, Sequence
from dffcli.outputs.tables import write_classes
from dffcli.types import Category, Detections, SourceInfo, Task

SEQUENCE_FILE = "seqinfo.ini"
LABELS_FILE = "labels.txt"
MAX_FRAME = 10_000_000  # of a file that is read; more is a broken line


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
        names = [item.name for item in self._sequence.categories]
        write_classes(self._folder, self._sequence)
        ids = [item.id for item in self._sequence.categories]
        if ids == list(range(1, len(ids) + 1)):  # the k-th line names class k, as CVAT expects it
            (self._folder / kind / LABELS_FILE).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
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


def sequence_text(sequence: Sequence, *, length: int) -> str:
    """The text of seqinfo.ini.

    Args:
        sequence: what is annotated.
        length: frames in it.
    """
    h, w = sequence.info.size
    rate = sequence.rate
    rate_text = str(rate.numerator) if rate.denominator == 1 else f"{float(rate):.6f}"
    name = sequence.info.name.replace("\n", " ")
    classes = "".join(f"{item.id}={item.name}\n" for item in sequence.categories)
    return (
        f"[Sequence]\nname={name}\nimDir=img1\nframeRate={rate_text}\nseqLength={length}\n"
        f"imWidth={w}\nimHeight={h}\nimExt=.jpg\n\n[Classes]\n{classes}"
    )


def read_mot(path: Path) -> tuple[Sequence, list[FrameRecord]]:
    """Boxes of a MOT text file or sequence folder.

    The size of the picture, the rate and the class names come from seqinfo.ini, where there is one.

    Raises:
        DataError: a line is not one, or there is no text.
    """
    text_path, ini_path = _places(path)
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
    ini.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their case
    try:
        if ini_path.is_file():
            ini.read_string(ini_path.read_text(encoding="utf-8"))
        head = ini["Sequence"] if ini.has_section("Sequence") else {}
        size = int(head.get("imHeight", 0)), int(head.get("imWidth", 0))
        rate = Fraction(head.get("frameRate", str(DEFAULT_RATE))).limit_denominator(1001 * 1000)
        names = {int(key): value for key, value in ini["Classes"].items()} if ini.has_section("Classes") else {}
        length, title = int(head.get("seqLength", 0)), head.get("name", text_path.stem)
        if rate <= 0 or not 0 <= length <= MAX_FRAME or min(size) < 0:
            raise ValueError("a number out of range")
    except (configparser.Error, OSError, ValueError, ZeroDivisionError) as error:
        raise DataError(f"{ini_path}: not a seqinfo.ini ({' '.join(str(error).split())})") from error
    rows = _read_rows(text_path)
    frames = max(length, int(rows[:, 0].max(initial=0)))
    category_ids = {int(value) for value in np.unique(rows[:, 7])}
    for category in sorted(category_ids - set(names)):
        names[category] = "object" if category == -1 else f"class {category}"
    if size == (0, 0):
        edge = (rows[:, 2:4] + rows[:, 4:6] - 1).max(axis=0, initial=1)
        size = int(np.ceil(edge[1])), int(np.ceil(edge[0]))
    if -1 in names:  # untracked detection files name no class: they get the first id that is free
        free = max(0, *names) + 1
        rows[rows[:, 7] == -1, 7] = free
        names[free] = names.pop(-1)
    categories = tuple(Category(key, name, (0, 0, 0)) for key, name in names.items())
    info = SourceInfo(name=title, size=size, time_base=1 / rate, average_rate=rate, frame_count=frames)
    order = np.argsort(rows[:, 0], kind="stable")
    rows = rows[order]
    starts = np.searchsorted(rows[:, 0], np.arange(1, frames + 2))
    records = [
        FrameRecord(index, size, index / rate, _detections(rows[starts[index] : starts[index + 1]]))
        for index in range(frames)
    ]
    return Sequence(info, Task.DETECT, categories), records


def _places(path: Path) -> tuple[Path, Path]:
    if not path.is_dir():
        beside = path.with_suffix("." + SEQUENCE_FILE)
        return path, beside if beside.is_file() else path.parent / SEQUENCE_FILE
    for kind in ("gt", "det"):
        if (path / kind / f"{kind}.txt").is_file():
            return path / kind / f"{kind}.txt", path / SEQUENCE_FILE
    raise DataError(f"{path}: expected gt/gt.txt or det/det.txt in it")


def _read_rows(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Frame, id, x, y, width, height, confidence, class; `[N, 8]`."""
    rows: list[list[float]] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    values = [float(value) for value in line.replace(" ", ",").split(",") if value.strip()]
                    row = [*values[:7], 1.0][: 7 if len(values) >= 7 else 8]
                    row.append(values[7] if len(values) == 9 else -1.0)
                    is_sound = len(values) >= 6 and len(row) == 8 and np.isfinite(row).all()
                    if not is_sound or not 1 <= row[0] <= MAX_FRAME or max(map(abs, row)) > 1e9:
                        raise ValueError("expected frame,id,x,y,width,height,...")
                except ValueError as error:
                    raise DataError(f"{path}, line {number}: not a MOT line ({error})") from error
                rows.append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error
    return np.array(rows, np.float64).reshape(-1, 8)


def _detections(rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Detections:
    corners = rows[:, 2:4] - 1
    boxes = np.concatenate((corners, corners + rows[:, 4:6]), axis=1).astype(np.float32)
    tracks = rows[:, 1].astype(np.int64)
    is_tracked = len(tracks) > 0 and bool((tracks >= 0).all())
    return Detections(
        boxes,
        rows[:, 6].astype(np.float32),
        rows[:, 7].astype(np.int64),
        track_ids=tracks if is_tracked else None,
    )
