"""Standard output holds JSON lines, or a video, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from dffcli.categories import Category
from dffcli.core.types import Detections, Frame, FrameResult, KeyReason, SegmentationMap, SourceInfo, Task
from dffcli.errors import OutputError
from dffcli.formats.record import Sequence
from dffcli.formats.sink import OutputOptions
from dffcli.run.config import RunConfig
from dffcli.run.plan import plan
from dffcli.run.standard_output import JsonLines

CATEGORIES = (Category(0, "road", (1, 2, 3)), Category(3, "cár", (4, 5, 6)))
INFO = SourceInfo("clip", (6, 8), Fraction(1, 1000), Fraction(25))
FRAME = Frame(index=2, image=np.zeros((6, 8, 3), np.uint8), pts_seconds=Fraction(2, 25))


def said(capfdbinary: pytest.CaptureFixture[bytes], task: Task, prediction: Detections | SegmentationMap) -> list[dict]:
    with JsonLines(Sequence(INFO, task, CATEGORIES)) as sink:
        sink.write(FrameResult(FRAME, prediction, KeyReason.FIRST, (2,)))
        out = capfdbinary.readouterr().out  # before it is closed: a line is there as soon as it is known
    return [json.loads(line) for line in out.decode().splitlines()]


def test_objects_come_a_line_a_frame(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    boxes = Detections(
        np.array([[1, 2, 3.25, 4]], np.float32), np.array([0.75], np.float32), np.array([3]), None, np.array([7])
    )
    head, line = said(capfdbinary, Task.DETECT, boxes)

    assert (head["source"], head["width"], head["height"]) == ("clip", 8, 6)
    assert line == {
        "frame": 2,
        "seconds": 0.08,
        "key": "first",
        "objects": [{"category": "cár", "category_id": 3, "score": 0.75, "track": 7, "box": [1, 2, 3.25, 4]}],
    }


def test_a_map_comes_category_by_category(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    labels = np.zeros((6, 8), np.uint8)
    labels[2:, 3:] = 3
    labels[0, 0] = 255
    _, line = said(capfdbinary, Task.SEGMENT, SegmentationMap(labels))

    assert [(part["category"], part["pixels"]) for part in line["objects"]] == [("road", 27), ("cár", 20)]
    rle = line["objects"][1]["mask"]
    assert coco_mask.area(rle) == 20
    assert coco_mask.toBbox(rle).tolist() == [3, 2, 5, 4]


CONFIG = RunConfig("in.mp4", ("-",), Task.DETECT)


@pytest.mark.parametrize(
    ("outputs", "format", "wanted"),
    [
        (("-",), None, ["jsonl"]),
        (("-",), "mkv", ["mkv"]),
        (("a.json", "-"), "mp4", ["coco", "mp4"]),
        (("-", "a.json"), "cocovid", ["jsonl", "cocovid"]),
    ],
)
def test_its_kind_is_planned(outputs: tuple[str, ...], format: str | None, wanted: list[str]) -> None:
    planned = plan(replace(CONFIG, outputs=outputs, output=OutputOptions(format=format)))

    assert [output.format for output in planned.outputs] == wanted
    assert [output.path for output in planned.named_outputs] == [path for path in outputs if path != "-"]


def test_what_it_cannot_be_is_refused() -> None:
    with pytest.raises(OutputError, match="standard output: named twice"):
        plan(replace(CONFIG, outputs=("-", "-")))
    with pytest.raises(OutputError, match="standard output: expected --format jsonl, mkv or mp4, got 'cvat'"):
        plan(replace(CONFIG, output=OutputOptions(format="cvat")))
