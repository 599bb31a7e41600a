"""How much two answers differ."""

import numpy as np
import pytest

from dffcli.core.agreement import disagreement
from dffcli.core.types import Detections, Disagreement, SegmentationMap
from dffcli.errors import ModelError


def found(*boxes: tuple[float, ...], ids: list[int] | None = None, score: float = 0.9) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(rows, np.full(len(rows), score, np.float32), np.array(ids or [1] * len(rows), np.int64))


def test_the_same_answer_does_not_disagree() -> None:
    boxes = found((0, 0, 10, 10), (20, 20, 30, 40))
    assert disagreement(boxes, boxes) == Disagreement(0, 4)
    assert disagreement(found(), found()) == Disagreement(0, 0)
    assert Disagreement(0, 0).share == 0


def test_segmentation_counts_pixels() -> None:
    one, other = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    other[0] = 3
    assert disagreement(SegmentationMap(one), SegmentationMap(other)) == Disagreement(100, 400)


def test_boxes_match_within_their_category_and_one_to_one() -> None:
    one = found((0, 0, 10, 10), (20, 20, 30, 40))
    assert disagreement(one, found((1, 0, 11, 10))) == Disagreement(1, 3)
    assert disagreement(one, found((0, 0, 10, 10), (20, 20, 30, 40), ids=[1, 2])) == Disagreement(2, 4)
    assert disagreement(found((0, 0, 10, 10)), found((0, 0, 10, 10), (0, 0, 10, 10))) == Disagreement(1, 3)


def test_the_best_overlap_is_matched_first() -> None:
    one, other = found((0, 0, 10, 10), (0, 0, 10, 8)), found((0, 0, 10, 6.5), (0, 0, 10, 9.5))
    assert disagreement(one, other) == Disagreement(0, 4)


def test_what_is_matched_is_matched_no_more() -> None:
    one = found((0, 0, 10, 10), (0, 0, 10, 9), (0, 0, 10, 8))
    assert disagreement(one, found((0, 0, 10, 10))) == Disagreement(2, 4)
    assert disagreement(found((0, 0, 10, 10)), one) == Disagreement(2, 4)


def test_boxes_match_from_half_an_overlap_on() -> None:
    assert disagreement(found((0, 0, 10, 10)), found((0, 0, 10, 5))) == Disagreement(0, 2)
    assert disagreement(found((0, 0, 10, 10)), found((0, 0, 10, 4.9))) == Disagreement(2, 2)


def test_a_confident_box_is_answered_by_a_weak_one_and_weak_ones_do_not_count() -> None:
    confident = found((0, 0, 10, 10), score=0.5)
    assert disagreement(confident, found((0, 0, 10, 10), score=0.25)) == Disagreement(0, 1)
    assert disagreement(confident, found((0, 0, 10, 10), score=0.2)) == Disagreement(1, 1)
    assert disagreement(found((0, 0, 10, 10), score=0.4), found()) == Disagreement(0, 0)


def test_what_is_confident_can_be_said() -> None:
    one = found((0, 0, 10, 10), score=0.4)
    assert disagreement(one, found(), confident=0.3) == Disagreement(1, 1)
    assert disagreement(one, found((0, 0, 10, 10), score=0.14), confident=0.3) == Disagreement(1, 1)
    assert disagreement(one, found((0, 0, 10, 10), score=0.16), confident=0.3) == Disagreement(0, 1)


def test_answers_of_different_tasks_are_not_compared() -> None:
    with pytest.raises(ModelError, match="one task, got Detections and SegmentationMap"):
        disagreement(found(), SegmentationMap(np.zeros((1, 1), np.uint8)))
