"""The task network of a dense detector: from class logits and distances of every cell to boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dffcli.core.types import Features, Float32Array
from dffcli.geometry import box_iou, nms
from dffcli.models.coco_det.network import STRIDES, boxes_from_distances, cell_centres


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How boxes are read from the maps.

    Attributes:
        min_score: cells with a lower score of the network's own are passed over.
        max_cells: at most this many cells, the best ones, take part.
        max_overlap: IoU above which the weaker of two boxes of one class is dropped by NMS.
        max_boxes: at most this many boxes are kept.
        same_object: IoU above which boxes of two classes that exclude each other show one object.
    """

    min_score: float = 0.02
    max_cells: int = 1000
    max_overlap: float = 0.6
    max_boxes: int = 150
    same_object: float = 0.8


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """What a head found, the best first.

    Attributes:
        boxes: `x1, y1, x2, y2` in input pixels, `[N, 4]`.
        scores: calibrated, `[N]`.
        classes: positions of the categories, `[N]`.
    """

    boxes: Float32Array
    scores: Float32Array
    classes: NDArray[np.int64]


class DenseHead:
    """Finds the best cells and drops what a better box of its class covers.

    Args:
        calibration: for every class the network's own score that is told as 0.5. The network learns how likely a class
            is times how well the box fits, so that even good finds seldom reach 0.7; telling it on a shifted scale (in
            logits, which changes no order within a class) lets the usual threshold of 0.5 mean what it means elsewhere.
        settings: how boxes are read from the maps.
        excluding: for every class whether an object of it is of no other such class (a car is no truck), `[classes]`;
            none if absent. The weaker of two such boxes on one object is told with what the better one leaves of 1.
        device: where the maps lie.
    """

    def __init__(
        self,
        calibration: tuple[float, ...],
        *,
        settings: HeadSettings,
        excluding: NDArray[np.bool_] | None = None,
        device: str = "cpu",
    ) -> None:
        self.settings = settings
        self._excluding = np.zeros(len(calibration), np.bool_) if excluding is None else excluding
        self._device = torch.device(device)
        self._even = torch.tensor([log_odds(score) for score in calibration], device=self._device)  # [classes]
        self._centres: dict[tuple[int, int, int], Tensor] = {}

    def __call__(self, features: Features, *, lowest_score: float = 0.0) -> FoundBoxes:
        """Boxes from `[1, classes + 4, h, w]` at strides 8, 16 and 32: class logits, then ltrb distances in strides.

        Args:
            features: the maps.
            lowest_score: boxes that score less are not asked for, and no work is spent on them.
        """
        classes = len(self._even)
        threshold = torch.full_like(self._even, log_odds(self.settings.min_score))
        if lowest_score > 0:  # a weaker box never drops a better one
            threshold = torch.maximum(threshold, self._even + log_odds(lowest_score))
        boxes, logits, labels = [], [], []
        for stride, values in zip(STRIDES, features, strict=True):
            cells = values[0].flatten(1)  # [classes + 4, P]
            label, cell = torch.nonzero(cells[:classes] > threshold[:, None], as_tuple=True)
            logits.append(cells[label, cell] - self._even[label])
            labels.append(label)
            distances = cells[classes:, cell].T * stride  # [K, 4]
            boxes.append(boxes_from_distances(self._grid(values, stride)[cell], distances))
        logit, label, box = torch.cat(logits), torch.cat(labels), torch.cat(boxes)
        if len(logit) > self.settings.max_cells:
            logit, best = logit.topk(self.settings.max_cells)
            label, box = label[best], box[best]
        found, scores, labelled = box.cpu().numpy(), logit.sigmoid().cpu().numpy(), label.cpu().numpy()
        kept = nms(found, scores, labelled, max_overlap=self.settings.max_overlap)
        kept = kept[: self.settings.max_boxes]
        return self._one_class_an_object(FoundBoxes(found[kept], scores[kept], labelled[kept]), lowest_score)

    def _one_class_an_object(self, found: FoundBoxes, lowest_score: float) -> FoundBoxes:
        """The same boxes, the scores of classes that exclude each other adding up to 1 at most on one object."""
        rows = np.flatnonzero(self._excluding[found.classes])  # best first
        if len(rows) < 2:
            return found
        same = box_iou(found.boxes[rows], found.boxes[rows]) > self.settings.same_object
        same &= found.classes[rows][:, None] != found.classes[rows]
        better = np.where(np.tril(same, -1), found.scores[rows], 0).max(1)  # the best of those before each
        scores = found.scores.copy()
        scores[rows] = np.minimum(scores[rows], 1 - better)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= lowest_score]
        return FoundBoxes(found.boxes[order], scores[order], found.classes[order])

    def _grid(self, values: Tensor, stride: int) -> Tensor:
        key = values.shape[2], values.shape[3], stride
        if key not in self._centres:
            self._centres[key] = cell_centres(*key, device=self._device)
        return self._centres[key]


def log_odds(score: float) -> float:
    """The logit of a score, 0..1; infinite at its ends."""
    if not 0 < score < 1:
        return math.inf if score >= 1 else -math.inf
    return math.log(score / (1 - score))
