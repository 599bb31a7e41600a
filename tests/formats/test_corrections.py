"""What a person put right, applied to frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dffcli.core.types import Detections
from dffcli.errors import DataError
from dffcli.formats.corrections import Applied, Corrections, Operation, apply, parse_corrections, read_corrections
from dffcli.formats.record import FrameRecord


def frame(index: int, rows: Sequence[tuple[int, int, float]]) -> FrameRecord:
    """A frame of objects: track, category, score."""
    found = Detections(
        np.array([[10 * k, 0, 10 * k + 5, 5] for k in range(len(rows))], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in rows], np.float32),
        np.array([category for _, category, _ in rows], np.int64),
        track_ids=np.array([track for track, _, _ in rows], np.int64),
    )
    return FrameRecord.answered(index, (20, 90), Fraction(index, 25), found)


VIDEO = [
    frame(0, [(1, 3, 0.9), (5, 1, 0.6)]),
    frame(1, [(1, 3, 0.8), (5, 1, 0.6)]),
    frame(2, [(2, 3, 0.7), (5, 1, 0.6), (1, 3, 0.4)]),
    frame(3, [(2, 3, 0.9)]),
]


def tracks_after(*operations: Operation) -> str:
    """The frames' objects as `track:category`, frames between bars."""
    frames = []
    for record in apply(operations, VIDEO):
        frames.append(" ".join(f"{item.track}:{item.category_id}" for item in record.objects))
    return " | ".join(frames)


@pytest.mark.parametrize(
    ("operations", "wanted"),
    [
        ([], "1:3 5:1 | 1:3 5:1 | 2:3 5:1 1:3 | 2:3"),
        ([Operation("delete", track=1)], "5:1 | 5:1 | 2:3 5:1 | 2:3"),
        ([Operation("delete", track=5, first=1, last=1)], "1:3 5:1 | 1:3 | 2:3 5:1 1:3 | 2:3"),
        ([Operation("delete", object=(2, 1))], "1:3 5:1 | 1:3 5:1 | 2:3 1:3 | 2:3"),
        ([Operation("split", track=5, frame=1, new=9)], "1:3 5:1 | 1:3 9:1 | 2:3 9:1 1:3 | 2:3"),
        ([Operation("rename", track=2, new=4)], "1:3 5:1 | 1:3 5:1 | 4:3 5:1 1:3 | 4:3"),
        ([Operation("class", track=5, category=2, first=2)], "1:3 5:1 | 1:3 5:1 | 2:3 5:2 1:3 | 2:3"),
        ([Operation("class", object=(0, 0), category=7)], "1:7 5:1 | 1:3 5:1 | 2:3 5:1 1:3 | 2:3"),
        ([Operation("checked", first=0, last=3)], "1:3 5:1 | 1:3 5:1 | 2:3 5:1 1:3 | 2:3"),
    ],
)  # fmt: skip
def test_an_operation_does_what_it_says_and_no_more(operations: list[Operation], wanted: str) -> None:
    assert tracks_after(*operations) == wanted


def test_a_merge_keeps_the_better_of_two_objects_on_a_frame_and_counts_the_other() -> None:
    tally = Applied()
    merged = list(apply([Operation("merge", tracks=(1, 2))], VIDEO, tally=tally))
    assert tracks_after(Operation("merge", tracks=(1, 2))) == "1:3 5:1 | 1:3 5:1 | 1:3 5:1 | 1:3"
    assert merged[2].prediction.scores.tolist() == pytest.approx([0.7, 0.6])  # type: ignore[union-attr]
    assert (tally.doubled, tally.renumbered, tally.deleted) == (1, 2, 0)


def test_operations_follow_one_another() -> None:
    done = tracks_after(
        Operation("merge", tracks=(1, 2)), Operation("split", track=1, frame=3, new=8), Operation("delete", track=8)
    )
    assert done == "1:3 5:1 | 1:3 5:1 | 1:3 5:1 | "


def test_what_is_not_put_right_is_the_same_object() -> None:
    labels = FrameRecord(0, (2, 2), Fraction(0), labels=np.zeros((2, 2), np.uint8))
    assert next(apply([Operation("delete", track=1)], [labels])) is labels
    assert list(apply([], VIDEO)) == VIDEO


def test_a_file_says_what_was_written(tmp_path: Path) -> None:
    made = Corrections(
        "boxes.json",
        "ab" * 32,
        (
            Operation("merge", tracks=(1, 2)),
            Operation("delete", object=(3, 0)),
            Operation("class", track=5, category=2, first=1, last=9),
            Operation("split", track=5, frame=4, new=11),
            Operation("checked", first=0, last=8),
        ),
    )
    path = tmp_path / "boxes.json.corrections.json"
    path.write_text(json.dumps(made.to_json()))
    assert read_corrections(path) == made


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"op": "explode"}, "expected one of"),
        ({"op": "delete"}, "takes a track or an object"),
        ({"op": "delete", "track": 1, "object": [0, 0]}, "takes a track or an object"),
        ({"op": "delete", "track": -1}, "from 0 on"),
        ({"op": "delete", "track": 1.5}, "from 0 on"),
        ({"op": "delete", "track": 10**30}, "from 0 on"),
        ({"op": "delete", "track": True}, "from 0 on"),
        ({"op": "delete", "object": [1]}, "frame and row"),
        ({"op": "delete", "object": "ab"}, "list of numbers"),
        ({"op": "merge", "tracks": [1, 1]}, "at least two"),
        ({"op": "split", "track": 1, "frame": 2}, "needs new"),
        ({"op": "checked", "first": 0, "last": 1, "colour": 3}, "does not take colour"),
        ("delete", "expected one of"),
    ],
)
def test_an_operation_that_makes_no_sense_is_named(operation: Any, said: str) -> None:
    value = {"dff": "corrections", "version": 1, "operations": [{"op": "checked", "first": 0, "last": 1}, operation]}
    with pytest.raises(DataError, match=f"x: operation 2.*{said}"):
        parse_corrections(value, source="x")


@pytest.mark.parametrize(
    "value", [None, [], {}, {"dff": "corrections", "version": 2}, {"dff": "corrections", "version": 1}]
)
def test_what_is_no_corrections_file_is_refused(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match="expected"):
        read_corrections(path)
