"""From boxes on a detector's input to detections in frame pixels, as torchvision does it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms

from dffcli.categories import Category
from dffcli.core.types import Detections, PreparedImage


class Candidates(NamedTuple):
    """Boxes `[N, 4]` in pixels of the resized picture, scores `[N]` and category ids `[N]`."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def suppress(candidates: Candidates, *, overlap: float, most: int) -> Candidates:
    """Non-maximum suppression within each category, best first, at most `most`."""
    keep = batched_nms(candidates.boxes, candidates.scores, candidates.labels, overlap)[:most]
    return Candidates(candidates.boxes[keep], candidates.scores[keep], candidates.labels[keep])


def known_ids(categories: tuple[Category, ...]) -> NDArray[np.bool_]:
    """By id, whether a category has it."""
    known = np.zeros(max(category.id for category in categories) + 1, np.bool_)
    known[[category.id for category in categories]] = True
    return known


def to_detections(
    found: Candidates, image: PreparedImage, *, known: NDArray[np.bool_], masks: Tensor | None = None
) -> Detections:
    """Detections in frame pixels; ids that name nothing, such as ten of COCO's, are left out.

    Args:
        found: on the resized picture.
        image: whose they are.
        known: by id, whether it names something.
        masks: instance masks `[N, H, W]` bool, already on the frame.
    """
    boxes = resize_boxes(found.boxes, list(image.content_size), list(image.frame.size))
    labels = found.labels.cpu().numpy()
    named = (labels < len(known)) & known[np.minimum(labels, len(known) - 1)]
    return Detections(
        boxes.float().cpu().numpy()[named],
        found.scores.float().cpu().numpy()[named],
        labels[named],
        None if masks is None else masks.cpu().numpy()[named],
    )


def threshold(own: float, asked: float) -> float:
    """What a score must exceed: the network's own threshold, or the one asked for (which scores may equal)."""
    return max(own, asked - 1e-6)


def anchors_for(generator: Any, maps: list[Tensor], image: PreparedImage) -> list[Tensor]:
    """Torchvision's anchors for maps `[1, C, h, w]`, `[h * w * A, 4]` a level."""
    from torchvision.models.detection.image_list import ImageList

    canvas = maps[0].new_empty((1, 3, 1, 1)).expand(1, 3, *image.padded_size)
    anchors: Tensor = generator(ImageList(canvas, [image.content_size]), maps)[0]
    counts = generator.num_anchors_per_location()
    sizes = [level.shape[2] * level.shape[3] * count for level, count in zip(maps, counts, strict=True)]
    return list(torch.split(anchors, sizes))


def rows(values: Tensor, columns: int) -> Tensor:
    """A map `[1, A * columns, h, w]` as torchvision's rows `[h * w * A, columns]`; free if channels are last."""
    return values.permute(0, 2, 3, 1).reshape(-1, columns)


def logit(probability: float) -> float:
    """The logit a little below that of `probability`: nothing above the probability is lost to rounding."""
    return float(torch.logit(torch.tensor(probability, dtype=torch.float64))) - 1e-3
