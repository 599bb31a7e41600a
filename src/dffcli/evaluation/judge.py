"""How well predictions agree with a reference: per-frame evaluation, or ground truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dffcli.categories import Category
from dffcli.core.types import Detections, FrameResult, Prediction, SegmentationMap, Task
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels
from dffcli.evaluation.detection_metrics import Judged, judge
from dffcli.evaluation.segment_metrics import confusion, mean_iou
from dffcli.evaluation.truth import Truth
from dffcli.geometry import box_iou

SCORE = 0.5  # from which a detection counts as said, for F1 and as a reference
OVERLAP = 0.5  # intersection over union at which two boxes are the same


class Judge(Protocol):
    """Gathers pairs of an answer and what it should have been."""

    def against(self, found: FrameResult, reference: Prediction) -> None:
        """Count one frame against per-frame evaluation."""

    def against_truth(self, found: FrameResult, truth: Truth) -> None:
        """Count one frame against ground truth, if it is labelled."""

    def scores(self) -> dict[str, float]:
        """Measures by name, 0..1; empty if there was nothing to compare."""


def make_judge(task: Task, categories: tuple[Category, ...]) -> Judge:
    """The judge for a model's answers."""
    return _BoxJudge(categories) if task is Task.DETECT else _MapJudge(categories)


class _MapJudge:
    """Mean IoU over the classes that occur in the reference, from counts over all frames."""

    def __init__(self, categories: tuple[Category, ...]) -> None:
        self._classes = max(category.id for category in categories) + 1
        self._counts: NDArray[np.int64] = np.zeros((self._classes, self._classes), np.int64)

    def against(self, found: FrameResult, reference: Prediction) -> None:
        if isinstance(found.prediction, SegmentationMap) and isinstance(reference, SegmentationMap):
            pair = reference.category_ids, found.prediction.category_ids
            self._counts += confusion(*pair, classes=self._classes)

    def against_truth(self, found: FrameResult, truth: Truth) -> None:
        mask = truth.mask(found.frame)
        if mask is not None and isinstance(found.prediction, SegmentationMap):
            self._counts += confusion(mask, found.prediction.category_ids, classes=self._classes)

    def scores(self) -> dict[str, float]:
        return {"mean_iou": mean_iou(self._counts)} if self._counts.any() else {}


@dataclass(slots=True)
class _Matches:
    """Boxes that are in both, and how many there are in each."""

    both: int = 0
    found: int = 0
    reference: int = 0


@dataclass(slots=True)
class _BoxJudge:
    """COCO's average precision at IoU 0.5, and F1 of what is said with a score of at least one half."""

    categories: tuple[Category, ...]
    _pictures: list[Judged] = field(default_factory=list)
    _matches: _Matches = field(default_factory=_Matches)
    _judged: set[int] = field(default_factory=set)

    def against(self, found: FrameResult, reference: Prediction) -> None:
        if isinstance(reference, Detections):
            said = reference.select(reference.scores >= SCORE)
            self._judged |= {category.id for category in self.categories}
            self._add(found.prediction, BoxLabels.from_rows(said.boxes, said.category_ids))

    def against_truth(self, found: FrameResult, truth: Truth) -> None:
        labels = truth.objects(found.frame)
        if labels is not None:
            mapping = truth.common_categories(self.categories)
            self._judged |= set(mapping.values())
            self._add(found.prediction, labels.with_ids(mapping))

    def _add(self, found: Prediction, labels: BoxLabels) -> None:
        if not isinstance(found, Detections):
            return
        plain = Detections(found.boxes, found.scores, found.category_ids)
        self._pictures.append(Judged(labels, plain))
        said = plain.select((plain.scores >= SCORE) & np.isin(plain.category_ids, list(self._judged)))
        both, ignored = _matched(said, labels)
        self._matches.both += both
        self._matches.found += len(said) - ignored
        self._matches.reference += int((~labels.is_ignored).sum())

    def scores(self) -> dict[str, float]:
        names = {category.id: category.name for category in self.categories if category.id in self._judged}
        try:
            average_precision = judge(self._pictures, names).ap50
        except DataError:  # nothing to be found: no measure, and no error of the user's
            return {}
        count = self._matches
        return {"map50": average_precision, "f1": 2 * count.both / max(1, count.found + count.reference)}


def _matched(found: Detections, labels: BoxLabels) -> tuple[int, int]:
    """How many finds match an object of their class, the best find first; and how many lie on ignored objects."""
    free = np.ones(len(labels), np.bool_)
    both = ignored = 0
    overlaps = box_iou(found.boxes, labels.boxes)
    for row in np.argsort(-found.scores, kind="stable"):
        fitting = overlaps[row] * (labels.category_ids == found.category_ids[row])
        counted = fitting * (free & ~labels.is_ignored)
        if counted.size and counted.max() >= OVERLAP:
            free[counted.argmax()] = False
            both += 1
        elif (fitting * labels.is_ignored >= OVERLAP).any():
            ignored += 1
    return both, ignored
