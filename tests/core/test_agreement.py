"""How much two answers differ."""

import numpy as np
import pytest

from dffcli.core.agreement import disagreement
from dffcli.core.types import Detections, SegmentationMap


def found(*boxes: tuple[float, ...], ids: list[int] | None = None, score: float = 0.9) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(rows, np.full(len(rows), score, np.float32), np.array(ids or [1] * len(rows), np.int64))


def test_the_same_answer_does_not_disagree() -> None:
    boxes = found((0, 0, 10, 10), (20, 20, 30, 40))
    assert disagreement(boxes, boxes) == 0
    assert disagreement(found(), found()) == 0


def test_segmentation_counts_pixels() -> None:
    one, other = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    other[0] = 3
    assert disagreement(SegmentationMap(one), SegmentationMap(other)) == 0.25


def test_boxes_match_within_their_category_and_one_to_one() -> None:
    one = found((0, 0, 10, 10), (20, 20, 30, 40))
    assert disagreement(one, found((1, 0, 11, 10))) == pytest.approx(1 / 3)  # one of three boxes is alone
    assert disagreement(one, found((0, 0, 10, 10), (20, 20, 30, 40), ids=[1, 2])) == 0.5
    assert disagreement(found((0, 0, 10, 10)), found((0, 0, 10, 10), (0, 0, 10, 10))) == pytest.approx(1 / 3)


def test_far_boxes_disagree_wholly_and_unsure_ones_not_at_all() -> None:
    assert disagreement(found((0, 0, 10, 10)), found((50, 50, 60, 60))) == 1
    assert disagreement(found((0, 0, 10, 10), score=0.1), found()) == 0
