"""Propagation of objects: what was found on key frames is carried whole, and mixed between two of them.

Where an object lies comes from the flow; whether it is there, from the detector: the weak detections of a key frame are
carried along with the confident ones, so that an object that fades from one key frame to the next fades on the way, and
one that comes into view grows out of nothing at its own time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dffcli.core.blend import sides_that_count
from dffcli.core.carry import carry, carry_mask, clip, moved_box
from dffcli.core.types import Detections, Float32Array, FlowField, KeyFrame, Prediction, PreparedImage
from dffcli.errors import ModelError
from dffcli.geometry import best_pairs, box_iou, nms

BoolArray = NDArray[np.bool_]

WEAKEST = 0.05  # score from which a key frame's detections are carried
MOST = 100  # detections of a key frame that are carried, the best ones
SAME_OBJECT = 0.25  # intersection over union of one object's boxes, carried from both sides
UNFOUND = -0.3  # logit of an object's score at a key frame that has no detection for it
SEEN_WHOLLY = 0.5  # share of an object seen, from which its score does not suffer
RANKED = 0.6  # of a logit comes from its rank: there are as many confident objects between key frames as on them
NOTHING = -4.0  # logit of what no key frame has found: taken where one has found less than the other
HIDING = 0.3  # of a score's logit, for each factor e by which less than that is seen
MAX_OVERLAP = 0.6  # intersection over union above which the worse of two boxes of a class is dropped
CERTAIN = 1e-4  # scores are taken for no surer than that


@dataclass(frozen=True, slots=True)
class ObjectPropagation:
    """Carries the detections of key frames.

    Attributes:
        lowest_score: objects that score less are not told.
    """

    lowest_score: float = 0.0

    def at_key(self, key: KeyFrame) -> Prediction:
        """What was found there; each object is told by its row."""
        found = _detections(key)
        told = replace(found, key_rows=np.arange(len(found))[:, None])
        return told if not self.lowest_score else told.select(told.scores >= self.lowest_score)

    def from_one(self, key: KeyFrame, field: FlowField, image: PreparedImage) -> Prediction:
        """The key frame's objects, moved; less certain where less of them is seen."""
        side = _side(key, field, image)
        rows = np.flatnonzero(side.seen > 0)
        logits = side.logits[rows] + _hiding(side.seen[rows])
        mixed = _Mixed(side.boxes[rows], logits, side.category_ids[rows], rows[:, None], nearest=0)
        return self._tell(mixed, (side,), image)

    def from_both(
        self, before: KeyFrame, back: FlowField, image: PreparedImage, onward: FlowField, after: KeyFrame
    ) -> Prediction:
        """The objects of both key frames, those that both have mixed by distance and by how well each is seen."""
        count_before, count_after = sides_that_count(back, onward)
        one, other = _side(before, back, image, counts=count_before), _side(after, onward, image, counts=count_after)
        progress = (image.frame.index - before.frame.index) / (after.frame.index - before.frame.index)
        return self._tell(_mixed(one, other, progress), (one, other), image)

    def _tell(self, mixed: _Mixed, sides: tuple[_Side, ...], image: PreparedImage) -> Detections:
        """Detections in order of score, after NMS."""
        scores = (1 / (1 + np.exp(-mixed.logits))).astype(np.float32)
        kept = nms(mixed.boxes, scores, mixed.category_ids, max_overlap=MAX_OVERLAP)
        kept = kept[scores[kept] >= self.lowest_score]
        own = [np.append(side.rows, -1)[rows] for side, rows in zip(sides, mixed.rows[kept].T, strict=True)]
        return Detections(
            mixed.boxes[kept],
            scores[kept],
            mixed.category_ids[kept],
            _masks(mixed, kept, sides, image.frame.size),
            key_rows=np.stack(own, axis=1),
        )


@dataclass(frozen=True, slots=True)
class _Side:
    """A key frame's objects on the current frame.

    Attributes:
        found: on the key frame, those that are carried.
        rows: theirs among all detections of the key frame, `[N]`.
        whole: their boxes here, which may reach out of the picture, `[N, 4]`.
        boxes: what of them lies in the picture, `[N, 4]`.
        seen: how much of each is seen, 0..1, `[N]`.
        logits: of their scores there, `[N]`.
        counts: whether it shows the same scene.
    """

    found: Detections
    rows: NDArray[np.int64]
    whole: Float32Array
    boxes: Float32Array
    seen: Float32Array
    logits: Float32Array
    counts: bool

    @property
    def category_ids(self) -> NDArray[np.int64]:
        return self.found.category_ids


@dataclass(frozen=True, slots=True)
class _Mixed:
    """Objects of all sides on the current frame.

    Attributes:
        boxes: `[N, 4]`.
        logits: of their scores, `[N]`.
        category_ids: `[N]`.
        rows: which row of each side they are, -1 for none, `[N, sides]`.
        nearest: the nearest side.
    """

    boxes: Float32Array
    logits: Float32Array
    category_ids: NDArray[np.int64]
    rows: NDArray[np.int64]
    nearest: int


def _detections(key: KeyFrame) -> Detections:
    if not isinstance(key.prediction, Detections):
        raise ModelError(f"expected detections to carry, got {type(key.prediction).__name__}")
    return key.prediction


def _side(key: KeyFrame, field: FlowField, image: PreparedImage, *, counts: bool = True) -> _Side:
    found = _detections(key)
    rows = np.flatnonzero(found.scores >= WEAKEST)
    rows = rows[np.argsort(-found.scores[rows], kind="stable")[:MOST]]
    found = found.select(rows)
    carried = carry(found.boxes, field, image)
    scores = found.scores.clip(CERTAIN, 1 - CERTAIN)
    logits = np.log(scores / (1 - scores))
    seen = carried.seen if counts else np.zeros_like(carried.seen)
    return _Side(found, rows, carried.boxes, clip(carried.boxes, image.frame.size), seen, logits, counts)


def _mixed(before: _Side, after: _Side, progress: float) -> _Mixed:
    overlap = box_iou(before.boxes, after.boxes)
    overlap *= (before.category_ids[:, None] == after.category_ids) & ((before.seen > 0)[:, None] | (after.seen > 0))
    one, other = best_pairs(overlap, least=SAME_OBJECT)
    weight_one, weight_other = (1 - progress) * before.seen[one], progress * after.seen[other]
    share = (weight_other / (weight_one + weight_other))[:, None]
    boxes = (1 - share) * before.boxes[one] + share * after.boxes[other]
    logits = (1 - progress) * before.logits[one] + progress * after.logits[other]
    logits += _hiding(np.maximum(before.seen[one], after.seen[other]))
    parts: list[tuple[NDArray[Any], ...]] = [(boxes, logits, before.category_ids[one], np.stack((one, other), axis=1))]
    for number, (side, matched, nearness) in enumerate(((before, one, 1 - progress), (after, other, progress))):
        alone = side.seen > 0
        alone[matched] = False
        rows = np.flatnonzero(alone)
        logits = nearness * side.logits[rows] + (1 - nearness) * UNFOUND + _hiding(side.seen[rows])
        both = np.full((len(rows), 2), -1)
        both[:, number] = rows
        parts.append((side.boxes[rows], logits, side.category_ids[rows], both))
    boxes, logits, category_ids, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    if before.counts and after.counts:
        usual = (1 - progress) * _usual(before, len(logits)) + progress * _usual(after, len(logits))
        order = np.argsort(-logits, kind="stable")
        logits[order] = (1 - RANKED) * logits[order] + RANKED * usual
    return _Mixed(boxes.astype(np.float32), logits, category_ids, rows, nearest=int(progress > 0.5))


def _usual(side: _Side, count: int) -> Float32Array:
    """Logits of so many objects of a key frame, the best first."""
    found = np.sort(side.logits)[::-1][:count]
    return np.pad(found, (0, count - len(found)), constant_values=NOTHING)


def _hiding(seen: Float32Array) -> Float32Array:
    """What an object's logit loses where little of it is seen."""
    return np.asarray(HIDING * np.log(np.minimum(seen / SEEN_WHOLLY, 1) + CERTAIN), np.float32)


def _masks(mixed: _Mixed, kept: NDArray[np.intp], sides: tuple[_Side, ...], size: tuple[int, int]) -> BoolArray | None:
    """Masks that have moved and grown with their boxes, each from the nearest side that has the object."""
    if any(side.found.masks is None for side in sides):
        return None
    result = np.zeros((len(kept), *size), np.bool_)
    owner = np.where(mixed.rows[kept, mixed.nearest] >= 0, mixed.nearest, 1 - mixed.nearest)
    for place, (row, number) in enumerate(zip(kept, owner, strict=True)):
        side, mine = sides[number], mixed.rows[row, number]
        if side.found.masks is not None:
            moved = moved_box(side.whole[mine], side.boxes[mine], mixed.boxes[row])
            carry_mask(side.found.masks[mine], side.found.boxes[mine], moved, onto=result[place])
    return result
