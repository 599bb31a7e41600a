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
from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.mot.layout import CHALLENGE_CLASSES, IMAGES_FOLDER, LABELS_FILE, SEQUENCE_FILE, UNUSED
from dffcli.formats.mot.rows import read_rows
from dffcli.formats.numbers import picture_size, printable, rate, whole
from dffcli.formats.reading import Annotated, Reading, run_facts_of, sequence_read, understanding
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.sink import CLASSES_FILE
from dffcli.formats.tables import read_classes
from dffcli.video.stills import IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class _Head:
    """What seqinfo.ini says."""

    name: str
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    length: int = 0


def read(reading: Reading) -> list[Annotated]:
    """Boxes of a MOT text file or sequence folder.

    The size of the picture and the rate come from seqinfo.ini, class names from labels.txt, and exactly from the class
    table where dff wrote the folder; without any of them, the picture reaches as far as the boxes do.

    Args:
        reading: the file or folder, and what the user says of it.

    Raises:
        DataError: a line is not one, or there is no text.
    """
    path, given = reading.path, reading.given
    text_path, ini_path = _places(path)
    with understanding(ini_path):
        head = _read_head(reading, ini_path, name=(path if path.is_dir() else text_path).stem)
        names = _read_labels(reading, text_path.parent / LABELS_FILE)
    run = None
    if (path / CLASSES_FILE).is_file():
        categories, table = read_classes(path)
        with understanding(path / CLASSES_FILE):
            names = {item.id: item.name for item in categories}
            info = table["info"]
            exact = rate(info["frame_rate"]) if info.get("frame_rate") else head.rate
            head, run = replace(head, name=str(info["video"]), rate=exact), run_facts_of(info)
    with understanding(text_path):
        rows = read_rows(reading, text_path)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        _name_classes(reading, rows, names, is_challenge=text_path.name == "gt.txt")
        size = given.size or head.size
        is_size_known = size is not None
        if size is None:
            width, height = (rows[:, 2:4] + rows[:, 4:6]).max(axis=0, initial=1)
            size = picture_size(np.ceil(height), np.ceil(width))
            said = f"{size[1]} x {size[0]}"
            reading.account.change("size-from-boxes", "size of the picture, taken from how far the boxes reach", said)
        categories = tuple(Category(number, name, bright_color(number)) for number, name in sorted(names.items()))
        sequence = sequence_read(
            head.name,
            size,
            Task.DETECT,
            categories,
            rate=given.rate or head.rate,
            run=run,
            is_size_known=is_size_known,
            attributes=("visibility",) if bool((rows[:, 8] >= 0).any()) else (),
        )
    stills = _stills(ini_path.parent / IMAGES_FOLDER)
    frames = max(head.length, int(rows[:, 0].max(initial=-1)) + 1)
    is_truth = text_path.name == "gt.txt" and bool(np.isin(rows[:, 6], (0, 1)).all())
    frames = max([frames, *(number + 1 for number in stills)])
    return [Annotated(sequence, _records(sequence, rows, frames, is_truth=is_truth, stills=stills))]


def _name_classes(reading: Reading, rows: NDArray[np.float64], names: dict[int, str], *, is_challenge: bool) -> None:
    """Give every class a name.

    The ground truth of a sequence folder that names none has MOTChallenge's own, and people where it has no classes;
    elsewhere boxes without a class are of a class `object`.
    """
    if is_challenge and not names:
        present = set(rows[:, 7].astype(int).tolist())
        names |= {number: name for number, name in CHALLENGE_CLASSES.items() if number in present}
    unnamed = rows[:, 7] < 0
    if unnamed.any():
        word = CHALLENGE_CLASSES[1] if is_challenge else "object"
        named = [number for number, name in names.items() if name == word]
        free = max(0, *names, *rows[:, 7].astype(int)) + 1
        rows[unnamed, 7] = number = named[0] if named else free
        names[number] = word
    for category in np.unique(rows[:, 7]).astype(int).tolist():
        if category not in names:
            names[category] = f"class {category}"
            reading.account.change("classes-without-a-name", "classes without a name, named by number", names[category])


def _records(
    sequence: Sequence, rows: NDArray[np.float64], frames: int, *, is_truth: bool, stills: dict[int, Path]
) -> Iterator[FrameRecord]:
    for index in range(frames):
        start, end = np.searchsorted(rows[:, 0], (index, index + 1))
        objects = tuple(_object(row, is_truth=is_truth) for row in rows[start:end].tolist())
        pts = index / sequence.rate
        picture = stills.get(index)
        name = None if picture is None else f"{IMAGES_FOLDER}/{picture.name}"
        yield FrameRecord(index, sequence.info.size, pts, objects, name=name, picture=picture)


def _object(row: list[float], *, is_truth: bool) -> Annotation:
    _, track, x, y, width, height, confidence, category, visibility = row
    return Annotation(
        int(category),
        (x, y, x + width, y + height),
        None if is_truth or confidence < 0 else confidence,
        int(track) if track >= 0 else None,
        is_ignored=confidence == 0,
        attributes={} if visibility < 0 else {"visibility": f"{visibility:g}"},
    )


def _places(path: Path) -> tuple[Path, Path]:
    if not path.is_dir():
        in_folder = path.parent.parent if path.parent.name in ("gt", "det") else path.parent
        return path, in_folder / SEQUENCE_FILE
    for kind in ("gt", "det"):
        if (path / kind / f"{kind}.txt").is_file():
            return path / kind / f"{kind}.txt", path / SEQUENCE_FILE
    raise DataError(f"{path}: expected gt/gt.txt or det/det.txt in it")


def _stills(folder: Path) -> dict[int, Path]:
    """The pictures by frame, where they lie beside: they are numbered from 1."""
    if not folder.is_dir():
        return {}
    pictures = [item for item in folder.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES and item.stem.isdecimal()]
    return {int(item.stem) - 1: item for item in pictures if len(item.stem) < 12}


def _read_head(reading: Reading, path: Path, *, name: str) -> _Head:
    if not path.is_file():
        return _Head(name)
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";", "#"))
    try:
        ini.read_string(reading.text(path))
    except configparser.Error as error:
        raise DataError(f"{path}: not a seqinfo.ini ({printable(str(error))[:120]})") from error
    if not ini.has_section("Sequence"):
        return _Head(name)
    head = ini["Sequence"]
    size = picture_size(head["imheight"], head["imwidth"]) if "imheight" in head else None
    return _Head(
        head.get("name", name),
        size,
        rate(head["framerate"]) if "framerate" in head else None,
        whole(head.get("seqlength", 0), what="seqLength"),
    )


def _read_labels(reading: Reading, path: Path) -> dict[int, str]:
    """Class names by number from labels.txt, if there is one."""
    if not path.is_file():
        return {}
    lines = reading.text(path).split("\n")
    named = {number: printable(line) for number, line in enumerate(lines, start=1) if line.strip()}
    return {number: name for number, name in named.items() if name != f"{UNUSED}{number}"}
