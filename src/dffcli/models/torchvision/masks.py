"""Instance masks from the small squares of a mask head to the frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks

CERTAIN = 0.5  # probability from which a pixel belongs to the object


def paste_masks(shapes: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Torchvision's masks at a probability of one half, without a float picture for each object.

    Args:
        shapes: probabilities, `[N, m, m]`.
        boxes: whose they are, in frame pixels, `[N, 4]`.
        size: `(height, width)` of the frame.

    Returns:
        `[N, *size]` bool.
    """
    height, width = size
    masks = torch.zeros((len(boxes), height, width), dtype=torch.bool, device=shapes.device)
    if len(boxes) == 0:
        return masks
    padded, scale = expand_masks(shapes[:, None], padding=1)
    for mask, shape, box in zip(masks, padded, expand_boxes(boxes, scale).long().tolist(), strict=True):
        left, top, right, bottom = box
        grown = (max(bottom - top + 1, 1), max(right - left + 1, 1))
        whole = F.interpolate(shape[None], size=grown, mode="bilinear", align_corners=False)[0, 0]  # [h, w]
        x0, x1, y0, y1 = max(left, 0), min(right + 1, width), max(top, 0), min(bottom + 1, height)
        mask[y0:y1, x0:x1] = whole[y0 - top : y1 - top, x0 - left : x1 - left] >= CERTAIN
    return masks
