"""Read MOTChallenge text files and sequence folders."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dffcli.categories import Category, bright_color
from dffcli.core.types import Detections, Task
from dffcli.errors import DataError
from dffcli.formats.mot import LABELS_FILE, SEQUENCE_FILE, UNUSED
from dffcli.formats.reading import (
    MAX_FRAMES,
    MAX_SIDE,
    Given,
    picture_size,
    run_facts_of,
    sequence_read,
    understanding,
    whole,
)
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.sink import CLASSES_FILE
from dffcli.formats.tables import read_classes

Rows = NDArray[np.float64]
"""Frame (from 1), id, x, y, width, height, confidence, class; `[N, 8]`, class and id -1 where there is none."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What seqinfo.ini says."""

    name: str
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    length: int = 0


def read_mot(path: Path, given: Given) -> tuple[Sequence, Iterator[FrameRecord]]:
    """Boxes of a MOT text file or sequence folder.

    The size of the picture and the rate come from seqinfo.ini, class names from labels.txt, and exactly from the class
    table where dff wrote the folder; without any of them, the picture reaches as far as the boxes do.

    Args:
        path: the file or folder.
        given: what the user says of it.

    Raises:
        DataError: a line is not one, or there is no text.
    """
    text_path, ini_path = _places(path)
    with understanding(ini_path):
        head = _read_head(ini_path, name=text_path.stem)
        names = _read_labels(text_path.parent / LABELS_FILE)
    run = None
    if (path / CLASSES_FILE).is_file():
        categories, table = read_classes(path)
        with understanding(path / CLASSES_FILE):
            names = {item.id: item.name for item in categories}
            info = table["info"]
            rate = Fraction(str(info["frame_rate"])) if info.get("frame_rate") else head.rate
            head, run = replace(head, name=str(info["video"]), rate=rate), run_facts_of(info)
    with understanding(text_path):
        rows = _read_rows(text_path)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        unnamed = rows[:, 7] < 0  # detection files name no class
        if unnamed.any():
            rows[unnamed, 7] = free = max(0, *names, *rows[:, 7].astype(int)) + 1
            names[free] = "object"
        for category in np.unique(rows[:, 7]).astype(int).tolist():
            names.setdefault(category, f"class {category}")
        size = given.size or head.size
        if size is None:
            width, height = (rows[:, 2:4] + rows[:, 4:6] - 1).max(axis=0, initial=1)
            size = picture_size(np.ceil(height), np.ceil(width))
        categories = tuple(Category(number, name, bright_color(number)) for number, name in names.items())
        sequence = sequence_read(head.name, size, Task.DETECT, categories, rate=given.rate or head.rate, run=run)
    frames = max(head.length, int(rows[:, 0].max(initial=0)))
    return sequence, _records(sequence, rows, frames)


def _records(sequence: Sequence, rows: Rows, frames: int) -> Iterator[FrameRecord]:
    for index in range(frames):
        start, end = np.searchsorted(rows[:, 0], (index + 1, index + 2))
        found = _detections(rows[start:end])
        yield FrameRecord(index, sequence.info.size, index / sequence.rate, found)


def _places(path: Path) -> tuple[Path, Path]:
    if not path.is_dir():
        return path, path.parent / SEQUENCE_FILE
    for kind in ("gt", "det"):
        if (path / kind / f"{kind}.txt").is_file():
            return path / kind / f"{kind}.txt", path / SEQUENCE_FILE
    raise DataError(f"{path}: expected gt/gt.txt or det/det.txt in it")


def _read_head(path: Path, *, name: str) -> _Head:
    if not path.is_file():
        return _Head(name)
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
    try:
        ini.read_string(path.read_text(encoding="utf-8"))
    except configparser.Error as error:
        raise DataError(f"{path}: not a seqinfo.ini ({' '.join(str(error).split())})") from error
    if not ini.has_section("Sequence"):
        return _Head(name)
    head = ini["Sequence"]
    size = picture_size(head["imheight"], head["imwidth"]) if "imheight" in head else None
    rate = Fraction(head["framerate"]).limit_denominator(1001) if "framerate" in head else None
    return _Head(head.get("name", name), size, rate, whole(head.get("seqlength", 0), what="seqLength"))


def _read_labels(path: Path) -> dict[int, str]:
    """Class names by number from labels.txt, if there is one."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n")
    named = {number: line.strip() for number, line in enumerate(lines, start=1) if line.strip()}
    return {number: name for number, name in named.items() if name != f"{UNUSED}{number}"}


def _read_rows(path: Path) -> Rows:
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                rows.append(_read_row([float(value) for value in line.replace(",", " ").split()]))
            except ValueError as error:
                raise DataError(f"{path}, line {number}: not a MOT line ({error})") from error
    return np.array(rows, np.float64).reshape(-1, 8)


def _read_row(values: list[float]) -> list[float]:
    if len(values) < 6:
        raise ValueError("expected frame,id,x,y,width,height,...")
    row = [*values[:6], values[6] if len(values) > 6 else 1.0, values[7] if len(values) == 9 else -1.0]
    if not np.isfinite(row).all() or max(map(abs, row[2:6])) > MAX_SIDE or abs(row[1]) > 2**53:
        raise ValueError("a number out of range")
    if not 1 <= row[0] <= MAX_FRAMES or row[0] != int(row[0]) or not -1 <= row[7] <= MAX_FRAMES:
        raise ValueError(f"expected a frame from 1 on, got {row[0]:g}")
    return row


def _detections(rows: Rows) -> Detections:
    corners = rows[:, 2:4] - 1
    tracks = rows[:, 1].astype(np.int64)
    is_tracked = bool(len(tracks)) and bool((tracks >= 0).all())
    return Detections(
        np.concatenate((corners, corners + rows[:, 4:6]), axis=1).astype(np.float32),
        rows[:, 6].astype(np.float32),
        rows[:, 7].astype(np.int64),
        track_ids=tracks if is_tracked else None,
    )
