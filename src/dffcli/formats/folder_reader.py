"""Read folders of annotations: masks as PNG, and YOLO text."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dffcli.categories import Category
from dffcli.core.types import SegmentationMap, Task
from dffcli.errors import DataError
from dffcli.formats.masks import INSTANCES_FILE
from dffcli.formats.reading import (
    Given,
    Labels,
    ReadBox,
    detections,
    picture_size,
    real,
    run_facts_of,
    sequence_read,
    understanding,
    whole,
)
from dffcli.formats.record import DEFAULT_RATE, FrameRecord, Sequence
from dffcli.formats.sink import CLASSES_FILE
from dffcli.formats.tables import FRAMES_FILE, read_classes, read_frames
from dffcli.formats.yolo import LABELS_FOLDER
from dffcli.video.images import natural_key

FrameRow = tuple[int, str, Fraction, str | None]
"""Index, file, time and key reason."""


def read_masks(path: Path, given: Given) -> tuple[Sequence, Iterator[FrameRecord]]:
    """Masks that dff wrote: label maps, or instances with their table.

    Args:
        path: the folder.
        given: what the user says of it.

    Raises:
        DataError: a table is missing or wrong.
    """
    with understanding(path):
        categories, table = read_classes(path)
        kind = table.get("mask_ids")
        if kind not in ("classes", "voc", "raw", "cityscapes", "instances"):
            raise DataError(f"{path}: expected a folder of masks, found one of something else")
        sequence = _sequence_of(path, table, given, categories, segment=kind != "instances")
        rows = read_frames(path)
        if kind == "instances":
            return sequence, _instance_records(path, sequence, rows)
        back = np.arange(256, dtype=np.uint8)
        if kind == "cityscapes":
            back[:] = 255
            by_name = {item.name: item.id for item in categories}
            for name, value in table["cityscapes_ids"].items():
                if value:
                    back[whole(value, what="id", most=255)] = by_name[name]
    return sequence, _map_records(path, sequence, rows, back)


def read_yolo(path: Path, given: Given) -> tuple[Sequence, Iterator[FrameRecord]]:
    """YOLO text files, in `labels/` or in the folder itself.

    Args:
        path: the folder.
        given: what the user says of it; the picture's size is needed where dff did not write the folder.

    Raises:
        DataError: there are none, or the size is unknown.
    """
    with understanding(path):
        folder = path / LABELS_FOLDER if (path / LABELS_FOLDER).is_dir() else path
        if (path / CLASSES_FILE).is_file():
            categories, table = read_classes(path)
            sequence = _sequence_of(path, table, given, categories, segment=False)
        elif given.size is None:
            raise DataError(f"{path}: holds shares of the picture, whose size it does not say: give --size")
        else:
            categories = _yolo_classes(path)
            sequence = sequence_read(path.name, given.size, Task.DETECT, categories, rate=given.rate)
        if (path / FRAMES_FILE).is_file():
            rows = read_frames(path)
        else:
            files = [item for item in folder.glob("*.txt") if item.name != "classes.txt"]
            names = sorted((item.name for item in files), key=natural_key)
            inner = folder.relative_to(path)
            rate = given.rate or DEFAULT_RATE
            rows = [(index, str(inner / name), index / rate, None) for index, name in enumerate(names)]
        if not rows:
            raise DataError(f"{path}: expected label files, found none")
    return sequence, _yolo_records(path, sequence, rows)


def _sequence_of(
    path: Path, table: dict[str, Any], given: Given, categories: tuple[Category, ...], *, segment: bool
) -> Sequence:
    info = table["info"]
    size = given.size or picture_size(info["height"], info["width"])
    rate = given.rate or (Fraction(str(info["frame_rate"])) if info.get("frame_rate") else None)
    task = Task.SEGMENT if segment else Task.DETECT
    name = str(info.get("video", path.name))
    return sequence_read(name, size, task, categories, rate=rate, run=run_facts_of(info))


def _map_records(
    path: Path, sequence: Sequence, rows: list[FrameRow], back: NDArray[np.uint8]
) -> Iterator[FrameRecord]:
    for index, file, time, reason in rows:
        with understanding(path):
            labels = back[_pixels(path, file).astype(np.uint8)]
            size = labels.shape[0], labels.shape[1]
            record = FrameRecord(index, size, time, SegmentationMap(labels), _still(file, index), reason)
        yield record


def _instance_records(path: Path, sequence: Sequence, rows: list[FrameRow]) -> Iterator[FrameRecord]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with understanding(path), (path / INSTANCES_FILE).open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            found[line["file"]].append(line)
    for index, name, time, reason in rows:
        with understanding(path):
            pixels = _pixels(path, name)
            size = pixels.shape[0], pixels.shape[1]
            objects = [_instance(line, pixels) for line in found.get(name, ())]
            seen = [item for item in objects if item is not None]
            record = FrameRecord(index, size, time, detections(seen), _still(name, index), reason)
        yield record


def _instance(line: dict[str, str], pixels: NDArray[Any]) -> ReadBox | None:
    """One object; None if others hide it wholly."""
    mask = pixels == whole(line["instance"], what="instance")
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(ys):
        return None
    box = (float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1))
    track = whole(line["track_id"], what="track_id") if line["track_id"] else None
    return ReadBox(whole(line["category_id"], what="category"), box, real(line["score"], what="score"), track, mask)


def _yolo_records(path: Path, sequence: Sequence, rows: list[FrameRow]) -> Iterator[FrameRecord]:
    h, w = sequence.info.size
    ids = [item.id for item in sequence.categories]
    for index, file, time, reason in rows:
        with understanding(_inside(path, file)):
            text = _inside(path, file).read_text(encoding="utf-8")
            objects = [_yolo_box(line.split(), ids, (h, w)) for line in text.splitlines() if line.strip()]
            still = _still(file, index)
            record = FrameRecord(index, (h, w), time, detections(objects), still, reason)
        yield record


def _yolo_box(values: list[str], ids: list[int], size: tuple[int, int]) -> ReadBox:
    if not 5 <= len(values) <= 7:
        raise ValueError(f"expected class cx cy width height [confidence] [track], got {len(values)} values")
    h, w = size
    cx, cy, width, height = (real(value, what="side", most=10) for value in values[1:5])
    box = ((cx - width / 2) * w, (cy - height / 2) * h, (cx + width / 2) * w, (cy + height / 2) * h)
    score = real(values[5], what="confidence", most=1) if len(values) > 5 else 1.0
    track = whole(values[6], what="track") if len(values) > 6 else None
    return ReadBox(ids[whole(values[0], what="class", most=len(ids) - 1)], box, score, track)


def _yolo_classes(path: Path) -> tuple[Category, ...]:
    """From classes.txt, or the names in data.yaml, in either of their usual notations."""
    labels = Labels()
    for folder in (path, path.parent):
        if (folder / "classes.txt").is_file():
            names = (folder / "classes.txt").read_text(encoding="utf-8").split("\n")
            for name in filter(None, map(str.strip, names)):
                labels.id_of(name)
            return labels.categories()
        if (folder / "data.yaml").is_file():
            text = (folder / "data.yaml").read_text(encoding="utf-8")
            listed = re.search(r"^names:\s*\[(.*?)\]", text, re.MULTILINE | re.DOTALL)
            found = listed[1].split(",") if listed else re.findall(r"^\s+(?:\d+:|-)\s*(.+)$", text, re.MULTILINE)
            for name in found:
                labels.id_of(name.strip().strip("'\""))
            return labels.categories()
    raise DataError(f"{path}: expected classes.txt or data.yaml beside the labels, found neither")


def _pixels(path: Path, file: str) -> NDArray[Any]:
    try:
        with Image.open(_inside(path, file)) as image:
            picture_size(image.height, image.width)
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path / file}: not a mask ({error})") from error
    if pixels.ndim != 2:
        raise DataError(f"{path / file}: expected a mask of one channel, got {pixels.shape}")
    return pixels


def _inside(folder: Path, file: str) -> Path:
    """A file named in a table, which must not lead out of the folder.

    Raises:
        DataError: it does.
    """
    place = (folder / file).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise DataError(f"{folder}: its table names {file!r}, which lies elsewhere")
    return place


def _still(file: str, index: int) -> str | None:
    """The name of a still, unless the file is named by its number."""
    stem = Path(file).stem
    return None if stem == f"{index:06d}" or stem.endswith("_gtFine_labelIds") else f"{stem}.jpg"
