"""A result as columns."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dffcli.categories import CAMVID
from dffcli.core.types import Detections, SegmentationMap, SourceInfo, Task
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import encode_mask
from dffcli.review.columns import ALIGNMENT, MAGIC, detections_of, gather, pack
from dffcli.review.result import open_result
from tests.review.results import FRAMES, box_of, tracks_on, write_result


def test_every_frame_and_object_has_its_row(tmp_path: Path) -> None:
    columns = open_result(write_result(tmp_path)[0]).columns
    assert len(columns) == FRAMES
    assert columns.frames["time"].tolist() == pytest.approx([frame / 25 for frame in range(FRAMES)])
    assert [columns.reasons[code] for code in columns.frames["reason"] if code != 255] == [
        "first",
        "interval",
        "interval",
    ]
    for frame in (0, 14, 15, 20, 29):
        found = detections_of(columns, frame)
        assert found.track_ids is not None
        assert found.track_ids.tolist() == tracks_on(frame)
        x, y, width, height = box_of(tracks_on(frame)[0], frame)
        assert found.boxes[0].tolist() == [x, y, x + width, y + height]


def test_change_is_what_differs_from_the_frame_before(tmp_path: Path) -> None:
    change = open_result(write_result(tmp_path)[0]).columns.frames["change"]
    assert change[0] == 0
    assert change[20] == pytest.approx(1 - 2 * 2 / 5)  # two of two and three boxes match
    assert change[10] == 0


def records(predictions: list[Detections | SegmentationMap]) -> list[FrameRecord]:
    return [FrameRecord.answered(index, (4, 6), Fraction(index, 25), value) for index, value in enumerate(predictions)]


def test_masks_and_label_maps_keep_their_run_lengths() -> None:
    mask = np.zeros((4, 6), np.bool_)
    mask[1:3, 2:5] = True
    boxes = Detections(
        np.array([[2, 1, 5, 3]], np.float32), np.ones(1, np.float32), np.array([3]), masks=mask[np.newaxis]
    )
    labels = SegmentationMap(np.where(mask, 8, 3).astype(np.uint8))
    sequence = Sequence(SourceInfo("a", (4, 6), Fraction(1, 25)), Task.SEGMENT, CAMVID)
    columns = gather(sequence, records([boxes, labels]))
    ends = columns.objects["mask"]
    texts = [bytes(columns.runs[ends[row] : ends[row + 1]]).decode() for row in range(3)]
    assert texts == [encode_mask(mask)["counts"], encode_mask(~mask)["counts"], encode_mask(mask)["counts"]]
    assert columns.objects["category"].tolist() == [3, 3, 8]
    assert columns.frames["change"].tolist() == [0, 0]  # boxes and a label map are not compared


def test_packed_arrays_lie_where_the_header_says() -> None:
    arrays = {"a": np.array([1, 2, 3], np.uint8), "b": np.array([1.5, -2], np.float64), "c": np.zeros(0, np.int32)}
    block = pack({"name": "é"}, arrays)
    assert block.startswith(MAGIC)
    (length,) = struct.unpack("<I", block[len(MAGIC) : len(MAGIC) + 4])
    header = json.loads(block[len(MAGIC) + 4 : len(MAGIC) + 4 + length])
    base = len(MAGIC) + 4 + length
    base += -base % ALIGNMENT
    assert header["name"] == "é"
    for name, values in arrays.items():
        place = header["arrays"][name]
        assert (base + place["offset"]) % ALIGNMENT == 0
        read = np.frombuffer(block, values.dtype, place["length"], base + place["offset"])
        assert read.tolist() == values.tolist()
