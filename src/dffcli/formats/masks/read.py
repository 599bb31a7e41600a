"""Read folders of masks that dff wrote: label maps, or instances with their table."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dffcli.categories import Category
from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.masks.tables import INSTANCES_FILE
from dffcli.formats.numbers import MAX_ID, picture_size, rate, real, whole
from dffcli.formats.reading import Annotated, Reading, inside, run_facts_of, sequence_read, understanding
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.rle import Mask
from dffcli.formats.tables import FrameRow, read_classes, read_frames, still_name


def read(reading: Reading) -> list[Annotated]:
    """Masks of a folder.

    Args:
        reading: the folder, and what the user says of it.

    Raises:
        DataError: a table is missing or wrong.
    """
    path = reading.path
    with understanding(path):
        categories, table = read_classes(path)
        kind = table.get("mask_ids")
        if kind not in ("classes", "voc", "raw", "cityscapes", "instances"):
            raise DataError(f"{path}: expected a folder of masks, found one of something else")
        rows = read_frames(path)
        reading.check("frames", len(rows), reading.budget.frames)
        sequence = _sequence_of(reading, table, categories, rows, segment=kind != "instances")
        if kind == "instances":
            return [Annotated(sequence, _instance_records(reading, sequence, rows))]
        back = np.arange(256, dtype=np.uint8)
        if kind == "cityscapes":
            back[:] = 255
            by_name = {item.name: item.id for item in categories}
            for name, value in table["cityscapes_ids"].items():
                if value:
                    back[whole(value, what="id", most=255)] = by_name[name]
    return [Annotated(sequence, _map_records(path, rows, back))]


def _sequence_of(
    reading: Reading, table: dict[str, Any], categories: tuple[Category, ...], rows: list[FrameRow], *, segment: bool
) -> Sequence:
    info = table["info"]
    return sequence_read(
        str(info.get("video", reading.path.name)),
        reading.given.size or picture_size(info["height"], info["width"]),
        Task.SEGMENT if segment else Task.DETECT,
        categories,
        rate=reading.given.rate or (rate(info["frame_rate"]) if info.get("frame_rate") else None),
        run=run_facts_of(info),
        frame_names=tuple(name for row in rows if (name := still_name(row)) is not None),
    )


def _map_records(path: Path, rows: list[FrameRow], back: NDArray[np.uint8]) -> Iterator[FrameRecord]:
    for row in rows:
        with understanding(path):
            labels = back[_pixels(path, row.file).astype(np.uint8)]
            size = labels.shape[0], labels.shape[1]
            record = FrameRecord(
                row.index, size, row.time, labels=labels, name=still_name(row), key_reason=row.key_reason
            )
        yield record


def _instance_records(reading: Reading, sequence: Sequence, rows: list[FrameRow]) -> Iterator[FrameRecord]:
    path = reading.path
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with understanding(path):
        for line in csv.DictReader(reading.text(path / INSTANCES_FILE).splitlines()):
            found[line["file"]].append(line)
    for row in rows:
        with understanding(path):
            pixels = _pixels(path, row.file)
            size = pixels.shape[0], pixels.shape[1]
            objects = []
            for line in found.get(row.file, ()):
                item = _instance(line, pixels, sequence.names)
                if item is not None:
                    objects.append(item)
                    continue
                what = "objects of which the mask shows nothing"
                reading.account.lose_object("hidden", what, f"{row.file}, object {line['instance']}")
            record = FrameRecord(
                row.index, size, row.time, tuple(objects), name=still_name(row), key_reason=row.key_reason
            )
        yield record


def _instance(line: dict[str, str], pixels: NDArray[Any], names: dict[int, str]) -> Annotation | None:
    """One object; None if others hide it wholly."""
    mask = Mask.of_array(pixels == whole(line["instance"], what="instance"))
    if not mask.area:
        return None
    category = whole(line["category_id"], what="category", most=MAX_ID)
    if category not in names:
        raise ValueError(f"expected a category of the class table, got {category}")
    return Annotation(
        category,
        mask.box,
        real(line["score"], what="score") if line["score"] else None,
        whole(line["track_id"], what="track_id", most=MAX_ID) if line["track_id"] else None,
        mask,
    )


def _pixels(path: Path, file: str) -> NDArray[Any]:
    try:
        with Image.open(inside(path, file), formats=("PNG",)) as image:
            picture_size(image.height, image.width)
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path / file}: not a mask ({error})") from error
    if pixels.ndim != 2:
        raise DataError(f"{path / file}: expected a mask of one channel, got {pixels.shape}")
    return pixels
