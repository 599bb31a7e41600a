"""Small made-up annotations: two cars that move right, one of which is away for a while; a map of three classes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import numpy as np

from dffcli.categories import Category
from dffcli.core.types import Detections, SegmentationMap, SourceInfo, Task
from dffcli.formats.convert import one_sequence
from dffcli.formats.files import RecordSink
from dffcli.formats.reading import Given, Reading
from dffcli.formats.record import FrameRecord, Sequence, objects_of
from dffcli.formats.registry import open_record_sink, output_format
from dffcli.formats.sink import OutputOptions, RunFacts

SIZE = (48, 64)
RATE = Fraction(30000, 1001)
THINGS = (Category(1, "person", (220, 20, 60)), Category(3, "car & van", (0, 0, 142)))
STUFF = (Category(0, "sky", (70, 130, 180)), Category(1, "road", (128, 64, 128)), Category(5, "car", (0, 0, 142)))
NOTHING = Given()
RUN = RunFacts("fake", "random numbers", is_random=True, settings={"schedule": "fixed"})


def sequence_of(task: Task) -> Sequence:
    info = SourceInfo("street.mp4", SIZE, 1 / RATE, average_rate=RATE)
    return Sequence(info, task, STUFF if task is Task.SEGMENT else THINGS, RUN)


def record(index: int, prediction: Detections | SegmentationMap) -> FrameRecord:
    is_key = index % 3 == 0
    reason = "interval" if is_key else None
    keys = (index - index % 3,)
    if isinstance(prediction, SegmentationMap):
        labels = prediction.category_ids
        return FrameRecord(index, SIZE, index / RATE, labels=labels, key_reason=reason, key_indices=keys)
    objects = tuple(objects_of(prediction))
    return FrameRecord(index, SIZE, index / RATE, objects, key_reason=reason, key_indices=keys)


def box_records(count: int = 6, *, tracked: bool = True, masks: bool = False) -> list[FrameRecord]:
    """A person (track 7) on every frame; a car (track 3) on all but frames 2 and 3."""
    records = []
    for index in range(count):
        boxes = [[4.25 + 2 * index, 10.5, 12.25 + 2 * index, 30.5]]
        if index not in (2, 3):
            boxes.append([30.0, 5.0 + index, 50.75, 15.0 + index])
        n = len(boxes)
        painted = np.zeros((n, *SIZE), bool)
        for row, (x1, y1, x2, y2) in enumerate(boxes):
            painted[row, round(y1) : round(y2), round(x1) : round(x2)] = True
        found = Detections(
            np.array(boxes, np.float32),
            np.array([0.9, 0.5][:n], np.float32),
            np.array([1, 3][:n]),
            painted if masks else None,
            np.array([7, 3][:n]) if tracked else None,
        )
        records.append(record(index, found))
    return records


def map_records(count: int = 4) -> list[FrameRecord]:
    """Sky above road with a car that moves right, and a corner without a class."""
    records = []
    for index in range(count):
        labels = np.zeros(SIZE, np.uint8)
        labels[24:] = 1
        labels[20:30, 10 + 3 * index : 22 + 3 * index] = 5
        labels[-4:, -4:] = 255
        records.append(record(index, SegmentationMap(labels)))
    return records


def write(path: Path, records: Iterable[FrameRecord], sequence: Sequence, **options: str | float) -> Path:
    """Write with the sink that the name asks for; `format` and `mask_ids` as in `OutputOptions`."""
    name = output_format(str(path), format=options.get("format"))  # type: ignore[arg-type]
    sink = open_record_sink(str(path), name, sequence, options=OutputOptions(**options))  # type: ignore[arg-type]
    with sink:
        for item in records:
            sink.write_record(item)
    return path


def read_one(path: Path, given: Given = NOTHING, *, format: str | None = None) -> tuple[Sequence, list[FrameRecord]]:
    """What a file or folder of one video holds."""
    _, sequence, records = one_sequence(Reading(path, given), format=format)
    return sequence, list(records)


def boxes_of(record: FrameRecord) -> np.ndarray:
    """`x1, y1, x2, y2` of a frame's objects, `[N, 4]`."""
    return np.array([item.box for item in record.objects]).reshape(-1, 4)


def opened(path: Path, sequence: Sequence) -> AbstractContextManager[RecordSink]:
    name = output_format(str(path))
    return open_record_sink(str(path), name, sequence, options=OutputOptions())


def write_all(folder: Path) -> None:
    """One file of every kind, for `benchmarks/read_back.py`."""
    boxes, maps = sequence_of(Task.DETECT), sequence_of(Task.SEGMENT)
    folder.mkdir(parents=True)
    for name in ("boxes.json", "boxes.cocovid.json", "boxes.xml", "boxes.label-studio.json", "boxes.txt"):
        write(folder / name, box_records(), boxes)
    write(folder / "instances.json", box_records(masks=True), boxes)
    write(folder / "mot", box_records(), boxes, format="mot")
    write(folder / "yolo", box_records(), boxes, format="yolo")
    write(folder / "maps.json", map_records(), maps)
    write(folder / "masks", map_records(), maps)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
