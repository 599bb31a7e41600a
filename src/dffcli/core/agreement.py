"""How much two answers about the same frame differ: one meaning for every task, the share of one the other lacks."""

from __future__ import annotations

import numpy as np

from dffcli.core.types import Detections, Disagreement, Prediction, SegmentationMap
from dffcli.errors import ModelError
from dffcli.geometry import best_pairs, box_iou

MATCH_OVERLAP = 0.5  # intersection over union
CONFIDENT = 0.5  # score of a box that counts, where a run has no threshold of its own
PICTURE = 400.0  # boxes, for as many of which a picture counts as evidence: its pixels hang together
WEAK = 0.5  # times the confident score: a box that weak still answers a confident one


def disagreement(one: Prediction, other: Prediction, *, confident: float = CONFIDENT) -> Disagreement:
    """What two answers of one task do not share.

    Segmentation: pixels with another class. Detection: 1 - F1 of the boxes, but that a confident box is wrong only
    where the other answer lacks it even among its weak ones: a score that moves across the threshold is the network's
    own flicker and no fault of propagation. Boxes match one to one within a class, the best overlap first.

    Args:
        one: an answer.
        other: another about the same frame.
        confident: lowest score of a box that counts, 0..1.

    Raises:
        ModelError: they are of different tasks.
    """
    if isinstance(one, SegmentationMap) and isinstance(other, SegmentationMap):
        return Disagreement(PICTURE * float(np.mean(one.category_ids != other.category_ids)), PICTURE)
    if isinstance(one, Detections) and isinstance(other, Detections):
        pairs = (one, other), (other, one)
        alone = sum(_unanswered(mine, theirs, confident) for mine, theirs in pairs)
        total = sum(int((found.scores >= confident).sum()) for found in (one, other))
        return Disagreement(float(alone), float(total))
    raise ModelError(f"expected two answers of one task, got {type(one).__name__} and {type(other).__name__}")


def _unanswered(mine: Detections, theirs: Detections, confident: float) -> int:
    """Confident boxes of one answer that the other lacks even among its weak ones."""
    mine, theirs = mine.select(mine.scores >= confident), theirs.select(theirs.scores >= WEAK * confident)
    overlap = box_iou(mine.boxes, theirs.boxes)
    overlap[mine.category_ids[:, None] != theirs.category_ids] = 0
    matched, _ = best_pairs(overlap, least=MATCH_OVERLAP)
    return len(mine) - len(matched)
