"""What a dense detector is taught: which cell answers for which object, and how far off its answer is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

from dffcli.models.coco_det.network import BINS, boxes_from_distances

EPSILON = 1e-7  # keeps divisions finite


@dataclass(frozen=True, slots=True)
class Targets:
    """The objects of one training picture, in input pixels.

    Attributes:
        boxes: `x1, y1, x2, y2`, `[N, 4]` float32.
        classes: positions of their categories, `[N]` int64.
        weights: how much each counts, 0..1, `[N]` float32; 0 is not taught and not held against a find.
        taught: which classes were looked for when the picture was labelled, `[classes]` bool; the others may be on it
            and are neither taught nor held against a find. None: all.
    """

    boxes: Tensor
    classes: Tensor
    weights: Tensor
    taught: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What every cell of a picture's grids is to answer.

    Attributes:
        scores: the wished class scores, `[P, classes]`.
        score_weights: how much each of them counts, `[P, classes]`.
        cells: indices of the cells that answer for an object, `[K]`.
        boxes: the object's box for each of them, `[K, 4]`.
        box_weights: how much its box counts, `[K]`.
    """

    scores: Tensor
    score_weights: Tensor
    cells: Tensor
    boxes: Tensor
    box_weights: Tensor


def generalized_overlaps(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (arXiv 1902.09630) of boxes row by row, both `[N]`."""
    shared = (torch.minimum(boxes[:, 2:], others[:, 2:]) - torch.maximum(boxes[:, :2], others[:, :2])).clamp(min=0)
    hull = torch.maximum(boxes[:, 2:], others[:, 2:]) - torch.minimum(boxes[:, :2], others[:, :2])
    inter, around = shared.prod(1), hull.prod(1) + EPSILON
    union = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (others[:, 2:] - others[:, :2]).prod(1) - inter + EPSILON
    return inter / union, inter / union - (around - union) / around


@dataclass(frozen=True, slots=True)
class AlignedAssigner:
    """Cells that both see the right class and draw a good box answer for an object (TOOD, arXiv 2108.07755).

    Attributes:
        cells_per_object: how many of the best cells answer for one object.
        score_power: alpha of the alignment `score ** alpha * iou ** beta`.
        overlap_power: beta.
    """

    cells_per_object: int = 10
    score_power: float = 0.5
    overlap_power: float = 6.0

    @torch.no_grad()
    def __call__(self, scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, targets: Targets) -> Assignment:
        """Assign the cells of one picture.

        Args:
            scores: predicted, `[P, classes]`.
            boxes: predicted, in input pixels, `[P, 4]`.
            centres: of the cells, in input pixels, `[P, 2]`.
            strides: of the cells' grids, `[P]`.
            targets: the picture's objects.
        """
        wished = torch.zeros_like(scores)
        weights = torch.ones_like(scores)
        untaught = None if targets.taught is None else ~targets.taught
        if untaught is not None:
            weights[:, untaught] = 0
        ignored = targets.weights <= 0
        if bool(ignored.any()):
            inside = _is_inside(centres, targets.boxes[ignored])  # [P, M]
            for position in set(targets.classes[ignored].tolist()):
                weights[inside[:, targets.classes[ignored] == position].any(1), position] = 0
        kept = ~ignored
        if not bool(kept.any()):
            none = torch.zeros(0, device=scores.device)
            return Assignment(wished, weights, none.long(), none.view(0, 4), none)
        objects, classes, certainty = targets.boxes[kept], targets.classes[kept], targets.weights[kept]
        iou = box_iou(objects, boxes)  # [N, P]
        alignment = scores[:, classes].T.clamp(min=EPSILON) ** self.score_power * iou**self.overlap_power  # [N, P]
        candidates = self._candidates(centres, strides, objects)
        ranked = torch.where(candidates, alignment + 1e-12, torch.zeros_like(alignment))
        values, best = ranked.topk(min(self.cells_per_object, ranked.shape[1]), dim=1)
        chosen = torch.zeros_like(candidates).scatter_(1, best, values > 0)
        owner_overlap, owner = torch.where(chosen, iou, -torch.ones_like(iou)).max(0)  # the object a cell fits best
        cells = torch.nonzero(owner_overlap >= 0).squeeze(1)
        owner = owner[cells]
        mine = alignment[owner, cells]
        best_alignment = torch.zeros(len(objects), device=mine.device).scatter_reduce(0, owner, mine, "amax")
        best_overlap = torch.zeros_like(best_alignment).scatter_reduce(0, owner, iou[owner, cells], "amax")
        quality = mine / (best_alignment[owner] + 1e-9) * best_overlap[owner]  # [K]
        wished[cells, classes[owner]] = quality
        weights[cells] = 1.0
        if untaught is not None:
            weights[:, untaught] = 0
        weights[cells, classes[owner]] = certainty[owner]
        return Assignment(wished, weights, cells, objects[owner], quality * certainty[owner])

    @staticmethod
    def _candidates(centres: Tensor, strides: Tensor, objects: Tensor) -> Tensor:
        """Cells within each object, or within a stride of the middle of one that holds no cell, `[N, P]`."""
        inside = _is_inside(centres, objects).T  # [N, P]
        empty = ~inside.any(1)
        if bool(empty.any()):
            middle = (objects[empty, :2] + objects[empty, 2:]) / 2
            away = (centres[None] - middle[:, None]).abs().amax(2)  # [E, P]
            inside[empty] = (away <= strides[None]) & (strides == strides.min())[None]
        return inside


def _is_inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Which centres `[P, 2]` lie within which boxes `[M, 4]`, `[P, M]`."""
    after = centres[:, None] > boxes[None, :, :2]
    before = centres[:, None] < boxes[None, :, 2:]
    return after.all(2) & before.all(2)


def quality_focal_loss(logits: Tensor, wished: Tensor, *, power: float = 1.5) -> Tensor:
    """Cross entropy with soft targets, each weighed by how far off it is (Generalized Focal Loss), elementwise."""
    entropy = F.binary_cross_entropy_with_logits(logits, wished, reduction="none")
    return entropy * (wished - logits.sigmoid()).abs() ** power


def distribution_focal_loss(distance_logits: Tensor, distances: Tensor) -> Tensor:
    """Cross entropy with the two bins around a distance, shared by nearness.

    Args:
        distance_logits: `[K, 4, BINS]`.
        distances: to the four sides in strides, `[K, 4]`.

    Returns:
        the mean over the four sides, `[K]`.
    """
    distances = distances.clamp(0, BINS - 1 - 0.01)
    lower = distances.long()
    share = distances - lower
    logs = distance_logits.log_softmax(-1)
    below = logs.gather(-1, lower.unsqueeze(-1)).squeeze(-1)
    above = logs.gather(-1, lower.unsqueeze(-1) + 1).squeeze(-1)
    return -(below * (1 - share) + above * share).mean(-1)


@dataclass(frozen=True, slots=True)
class DetectionLoss:
    """Quality focal loss on classes, GIoU and distribution focal loss on boxes.

    Attributes:
        assigner: who answers for what.
        class_weight: of the class loss.
        overlap_weight: of the GIoU loss.
        distribution_weight: of the loss on the distances' distributions.
    """

    assigner: AlignedAssigner = AlignedAssigner()
    class_weight: float = 1.0
    overlap_weight: float = 4.0
    distribution_weight: float = 0.75

    def __call__(
        self, class_logits: Tensor, distance_logits: Tensor, centres: Tensor, strides: Tensor, targets: list[Targets]
    ) -> dict[str, Tensor]:
        """The three losses, weighed, of a batch.

        Args:
            class_logits: `[N, P, classes]`.
            distance_logits: `[N, P, 4, BINS]`.
            centres: of the cells, in input pixels, `[P, 2]`.
            strides: of the cells' grids, `[P]`.
            targets: for every picture.
        """
        bins = torch.arange(BINS, device=distance_logits.device, dtype=distance_logits.dtype)
        distances = (distance_logits.softmax(-1) * bins).sum(-1) * strides[None, :, None]  # [N, P, 4]
        boxes = boxes_from_distances(centres[None], distances)  # [N, P, 4]
        scores = class_logits.detach().sigmoid()
        found = [
            self.assigner(scores[i], boxes[i].detach(), centres, strides, target) for i, target in enumerate(targets)
        ]
        total = torch.stack([a.box_weights.sum() for a in found]).sum().clamp(min=1.0)
        wished = torch.stack([a.scores for a in found])
        weights = torch.stack([a.score_weights for a in found])
        class_loss = (quality_focal_loss(class_logits, wished) * weights).sum() / total
        predicted = torch.cat([boxes[i, a.cells] for i, a in enumerate(found)])
        wanted = torch.cat([a.boxes for a in found])
        box_weights = torch.cat([a.box_weights for a in found])
        cells = torch.cat([a.cells for a in found])
        sides = torch.cat([distance_logits[i, a.cells] for i, a in enumerate(found)])
        _, generalized = generalized_overlaps(predicted, wanted)
        reach = torch.cat((centres[cells] - wanted[:, :2], wanted[:, 2:] - centres[cells]), 1) / strides[cells, None]
        return {
            "class": self.class_weight * class_loss,
            "overlap": self.overlap_weight * ((1 - generalized) * box_weights).sum() / total,
            "distribution": self.distribution_weight
            * (distribution_focal_loss(sides, reach) * box_weights).sum()
            / total,
        }
