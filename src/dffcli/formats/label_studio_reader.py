"""Read Label Studio's video regions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.reading import (
    Given,
    Labels,
    ReadBox,
    detections,
    load_json,
    picture_size,
    real,
    run_facts_of,
    sequence_read,
    understanding,
    whole,
)
from dffcli.formats.record import FrameRecord, Sequence

_SIDES = ("x", "y", "width", "height")


def read_label_studio(path: Path, given: Given) -> tuple[Sequence, Iterator[FrameRecord]]:
    """The boxes of the first task, by hand if there are any, else predicted.

    Sides are percent there: the picture's size has to be known, from a file dff wrote or from the user.

    Args:
        path: the file.
        given: what the user says of it.

    Raises:
        DataError: it is not such a file, or the size is unknown.
    """
    with understanding(path):
        data = load_json(path)
        task = data[0] if isinstance(data, list) else data
        if not isinstance(task, dict) or not (task.get("annotations") or task.get("predictions")):
            raise DataError(f"{path}: expected a Label Studio task with annotations or predictions")
        regions = (task.get("annotations") or task["predictions"])[0]["result"]
        meta: dict[str, Any] = task["meta"] if isinstance(task.get("meta"), dict) else {}
        size = given.size
        if size is None and "width" in meta:
            size = picture_size(meta["height"], meta["width"])
        if size is None:
            raise DataError(f"{path}: holds shares of the picture, whose size it does not say: give --size")
        labels = Labels()
        for name in meta.get("classes", ()):
            labels.id_of(str(name))
        by_frame: dict[int, list[ReadBox]] = defaultdict(list)
        frames, rate = whole(meta.get("frames", 0), what="frames"), given.rate
        if rate is None and meta.get("frame_rate"):
            rate = Fraction(str(meta["frame_rate"]))
        boxes = [region for region in regions if region.get("type") == "videorectangle"]
        is_tracked = any(len(region["value"]["sequence"]) > 1 for region in boxes)
        for number, region in enumerate(boxes, start=1):
            value = region["value"]
            frames = max(frames, whole(value.get("framesCount", 0), what="framesCount"))
            if rate is None and value.get("duration") and frames:
                rate = Fraction(frames / real(value["duration"], what="duration")).limit_denominator(1001)
            category = labels.id_of(str((value.get("labels") or ["object"])[0]))
            for frame, box in _boxes(value["sequence"], frames):
                sides = _pixels(box, size)
                score = real(region.get("score") or 1.0, what="score")
                by_frame[frame].append(ReadBox(category, sides, score, number if is_tracked else None))
        frames = max([frames, *(frame + 1 for frame in by_frame)])
        name = str(task.get("data", {}).get("video", path.stem))
        run = run_facts_of(meta)
        sequence = sequence_read(name, size, Task.DETECT, labels.categories(), rate=rate, run=run)
    return sequence, (
        FrameRecord(index, size, index / sequence.rate, detections(by_frame.get(index, ()))) for index in range(frames)
    )


def _boxes(sequence: Any, frames: int) -> Iterator[tuple[int, list[float]]]:
    """Frame (from 0) and sides in percent, with those between two entries interpolated."""
    entries = sorted(sequence, key=lambda entry: int(entry["frame"]))
    for place, entry in enumerate(entries):
        first = whole(entry["frame"], what="frame", least=1) - 1
        sides = [real(entry[side], what=side) for side in _SIDES]
        yield first, sides
        if not entry.get("enabled", True):
            continue
        if place + 1 == len(entries):
            yield from ((frame, sides) for frame in range(first + 1, frames))  # seen to the end
            return
        after = entries[place + 1]
        last = whole(after["frame"], what="frame", least=1) - 1
        ends = [real(after[side], what=side) for side in _SIDES]
        for frame in range(first + 1, last):
            share = (frame - first) / (last - first)
            yield frame, [(1 - share) * one + share * other for one, other in zip(sides, ends, strict=True)]


def _pixels(percent: list[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    h, w = size
    x, y, width, height = percent
    return x * w / 100, y * h / 100, (x + width) * w / 100, (y + height) * h / 100
