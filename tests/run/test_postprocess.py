"""What is kept of each result, and what is added to it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dffcli.categories import Category
from dffcli.core.types import Detections, Frame, FrameResult, KeyReason, SegmentationMap
from dffcli.errors import ModelError
from dffcli.run.postprocess import PostProcessing, keeper

CATEGORIES = (Category(3, "car", (0, 0, 0)), Category(5, "dog", (1, 1, 1)))


def result_of(prediction: Detections | SegmentationMap) -> FrameResult:
    frame = Frame(0, np.zeros((2, 2, 3), np.uint8), Fraction(0))
    return FrameResult(frame, prediction, KeyReason.FIRST, (0,))


def test_only_wanted_classes_and_scores_are_kept() -> None:
    keep = keeper(CATEGORIES, classes=("dog",), score_threshold=0.5)
    found = Detections(np.zeros((3, 4), np.float32), np.array([0.9, 0.8, 0.4], np.float32), np.array([3, 5, 5]))
    kept = keep(result_of(found)).prediction
    assert isinstance(kept, Detections)
    assert kept.category_ids.tolist() == [5]


def test_tracking_bridges_doubtful_moments_but_writes_no_box_below_the_threshold() -> None:
    finish = PostProcessing(score_threshold=0.5, track=True).begin(CATEGORIES)
    seen = []
    for index, score in enumerate((0.9, 0.3, 0.8)):
        frame = Frame(index, np.zeros((40, 60, 3), np.uint8), Fraction(index, 25))
        box = np.array([[10 + index, 10, 30 + index, 30]], np.float32)
        found = Detections(box, np.array([score], np.float32), np.array([3]))
        result = finish(FrameResult(frame, found, KeyReason.INTERVAL, (index,)))
        assert isinstance(result.prediction, Detections)
        assert result.prediction.track_ids is not None
        seen.append(result.prediction.track_ids.tolist())
    assert seen == [[1], [], [1]]


def test_pixels_of_other_classes_become_unlabelled() -> None:
    keep = keeper(CATEGORIES, classes=("car",), score_threshold=0.5)
    kept = keep(result_of(SegmentationMap(np.array([[3, 5], [5, 3]], np.uint8)))).prediction
    assert isinstance(kept, SegmentationMap)
    assert kept.category_ids.tolist() == [[3, 255], [255, 3]]


def test_an_unknown_class_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ModelError, match="did you mean 'car'"):
        keeper(CATEGORIES, classes=("caar",), score_threshold=0.5)


def test_scores_that_nobody_needs_are_those_that_not_even_answer_a_confident_box() -> None:
    assert PostProcessing(score_threshold=0.1).lowest_score == 0.05
    assert PostProcessing(score_threshold=0.9).lowest_score == 0.45
    assert PostProcessing(score_threshold=0.9, track=True).lowest_score == 0.0
