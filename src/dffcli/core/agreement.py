"""How much two answers about the same frame differ, whatever the task."""

from __future__ import annotations

import numpy as np

from dffcli.core.types import Detections, Prediction, SegmentationMap
from dffcli.geometry import box_iou

MATCH_OVERLAP = 0.5  # intersection over union
SURE_SCORE = 0.3  # boxes below it are not compared: they come and go without meaning


def disagreement(one: Prediction, other: Prediction) -> float:
    """0 where two answers are the same, 1 where they have nothing in common.

    Segmentation: the share of pixels with another category. Detection: 1 - F1 of the sure boxes, matched one to one
    within a category, the best overlap first.
    """
    if isinstance(one, SegmentationMap) and isinstance(other, SegmentationMap):
        return float(np.mean(one.category_ids != other.category_ids))
    if isinstance(one, Detections) and isinstance(other, Detections):
        return _box_disagreement(one.select(one.scores >= SURE_SCORE), other.select(other.scores >= SURE_SCORE))
    return 1.0


def _box_disagreement(one: Detections, other: Detections) -> float:
    total = len(one) + len(other)
    if total == 0:
        return 0.0
    overlap = box_iou(one.boxes, other.boxes)
    overlap[one.category_ids[:, None] != other.category_ids] = 0
    matched = 0
    while overlap.size and overlap.max() >= MATCH_OVERLAP:
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        overlap[row] = 0
        overlap[:, column] = 0
        matched += 1
    return 1 - 2 * matched / total
