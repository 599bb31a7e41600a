"""What keeps a detector from forgetting: its own answers, as it gave them before it was trained further.

Labels seldom name all that a network knows: boxes of cars say nothing about the dog beside them. Where the data does
not know a class, and on pictures that nobody labelled at all, the network that training began with is asked instead
(Learning without Forgetting, arXiv 1606.09282; on the distances' distributions as in Localization Distillation, arXiv
2102.12252).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dffcli.models.coco_det.network import BINS
from dffcli.training.detection_loss import quality_focal_loss

DISTANCE_WEIGHT = 0.75  # of the distances beside the classes


def distillation_losses(
    outputs: Sequence[tuple[Tensor, Tensor]],
    answers: Sequence[tuple[Tensor, Tensor]],
    *,
    weight: float,
    known: Tensor | None = None,
) -> dict[str, Tensor]:
    """How far a detector has moved from what it used to answer.

    Args:
        outputs: class logits `[N, classes, h, w]` and distance logits `[N, 4 * BINS, h, w]` at each stride.
        answers: what the network answered before, of the same shapes.
        weight: of both losses.
        known: which classes it knew before, `[classes]` bool; None: all. The others it has yet to learn.

    Returns:
        "kept class": of every class on every cell; "kept distance": of the distances, each cell by how sure it was.
        Both are per object, counted by the scores of the cells that saw one.
    """
    if known is not None:
        outputs = [(logits[:, known], distances) for logits, distances in outputs]
        answers = [(logits[:, known], distances) for logits, distances in answers]
    scores = [logits.float().sigmoid() for logits, _ in answers]
    sure = [values.amax(1) for values in scores]  # [N, h, w]
    total = torch.stack([values.square().sum() for values in sure]).sum().clamp(min=1.0)
    class_loss = torch.stack(
        [
            quality_focal_loss(logits.float(), wished, power=1.0).sum()  # 0 where they agree
            for (logits, _), wished in zip(outputs, scores, strict=True)
        ]
    ).sum()
    distance_loss = torch.stack(
        [
            (_divergence(mine, before) * values.square()).sum()
            for (_, mine), (_, before), values in zip(outputs, answers, sure, strict=True)
        ]
    ).sum()
    return {
        "kept class": weight * class_loss / total,
        "kept distance": weight * DISTANCE_WEIGHT * distance_loss / total,
    }


def _divergence(distance_logits: Tensor, before: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the distributions from what they were, mean over the four, `[N, h, w]`."""
    n, _, h, w = distance_logits.shape
    mine = distance_logits.float().view(n, 4, BINS, h, w).log_softmax(2)
    wished = before.float().view(n, 4, BINS, h, w).log_softmax(2)
    return F.kl_div(mine, wished, reduction="none", log_target=True).sum(2).mean(1)
