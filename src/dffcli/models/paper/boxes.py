"""Boxes as the released detector counts them: corners are pixels, so a box is `x2 - x1 + 1` wide."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

ANCHOR_BASE = 16  # pixels
ANCHOR_RATIOS = (0.5, 1.0, 2.0)  # height / width
ANCHOR_SCALES = (8, 16, 32)  # of the base
NMS_STEP = 1500  # best boxes tried before all the others are


@lru_cache(maxsize=8)
def pixel_anchors(size: tuple[int, int], stride: int) -> Tensor:
    """The anchors of the released RPN, on every feature pixel.

    Args:
        size: `(height, width)` of the feature map.
        stride: input pixels a feature pixel.

    Returns:
        `x1, y1, x2, y2` in input pixels, `[h * w * 9, 4]`, the anchors of one place together.
    """
    center = (ANCHOR_BASE - 1) / 2
    cell: list[list[float]] = []
    for ratio in ANCHOR_RATIOS:
        width = round(np.sqrt(ANCHOR_BASE * ANCHOR_BASE / ratio))
        height = round(width * ratio)
        for scale in ANCHOR_SCALES:
            half_w, half_h = (width * scale - 1) / 2, (height * scale - 1) / 2
            cell.append([center - half_w, center - half_h, center + half_w, center + half_h])
    anchors = torch.tensor(cell)  # [9, 4]
    y, x = torch.meshgrid(torch.arange(size[0]) * stride, torch.arange(size[1]) * stride, indexing="ij")
    shifts = torch.stack((x, y, x, y), dim=2).view(-1, 1, 4)  # [h * w, 1, 4]
    return (shifts + anchors).view(-1, 4).float()


def decode_pixel_boxes(boxes: Tensor, deltas: Tensor) -> Tensor:
    """Move boxes by `(dx, dy, dw, dh)`: the centre in units of the box's size, the size by an exponential.

    Args:
        boxes: `[N, 4]`.
        deltas: `[N, 4]`.

    Returns:
        `[N, 4]`.
    """
    width = boxes[:, 2] - boxes[:, 0] + 1
    height = boxes[:, 3] - boxes[:, 1] + 1
    x = boxes[:, 0] + 0.5 * (width - 1) + deltas[:, 0] * width
    y = boxes[:, 1] + 0.5 * (height - 1) + deltas[:, 1] * height
    half_w = 0.5 * (torch.exp(deltas[:, 2]) * width - 1)
    half_h = 0.5 * (torch.exp(deltas[:, 3]) * height - 1)
    return torch.stack((x - half_w, y - half_h, x + half_w, y + half_h), dim=1)


def encode_pixel_boxes(boxes: Tensor, targets: Tensor) -> Tensor:
    """The `(dx, dy, dw, dh)` that `decode_pixel_boxes` needs to bring boxes to their targets, `[N, 4]` each."""
    width = boxes[:, 2] - boxes[:, 0] + 1
    height = boxes[:, 3] - boxes[:, 1] + 1
    target_width = targets[:, 2] - targets[:, 0] + 1
    target_height = targets[:, 3] - targets[:, 1] + 1
    x = boxes[:, 0] + 0.5 * (width - 1)
    y = boxes[:, 1] + 0.5 * (height - 1)
    target_x = targets[:, 0] + 0.5 * (target_width - 1)
    target_y = targets[:, 1] + 0.5 * (target_height - 1)
    return torch.stack(
        (
            (target_x - x) / width,
            (target_y - y) / height,
            torch.log(target_width / width),
            torch.log(target_height / height),
        ),
        dim=1,
    )


def clip_pixel_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes within a picture of `(height, width)`: corners up to the last pixel, `[N, 4]`."""
    limit = boxes.new_tensor([size[1] - 1, size[0] - 1, size[1] - 1, size[0] - 1])
    return torch.minimum(boxes.clamp(min=0), limit)


def pixel_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of every box with every other, `[N, M]`."""
    corner = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    end = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = (end - corner + 1).clamp(min=0)  # [N, M, 2]
    shared = sides[..., 0] * sides[..., 1]
    areas = ((boxes[:, 2:] - boxes[:, :2] + 1).prod(1)[:, None]) + (others[:, 2:] - others[:, :2] + 1).prod(1)
    return shared / (areas - shared)


def pixel_nms(boxes: Tensor, scores: Tensor, threshold: float, *, keep: int | None = None) -> Tensor:
    """Rows that remain when each box suppresses worse ones that overlap it by more than a threshold.

    Args:
        boxes: `[N, 4]`.
        scores: `[N]`, best first where `keep` is given.
        threshold: intersection over union, areas counted in pixels.
        keep: only so many survivors are wanted, and boxes are sorted: most of the work can be spared.

    Returns:
        Row numbers, best first.
    """
    ends = boxes + boxes.new_tensor([0, 0, 1, 1])  # the pixel's far edge: areas are then x2 - x1
    if keep is None:
        survivors: Tensor = nms(ends, scores, threshold)
        return survivors
    rows: Tensor = nms(ends[:NMS_STEP], scores[:NMS_STEP], threshold)  # nothing later can change what the first ones do
    if len(rows) < keep and len(ends) > NMS_STEP:
        rows = nms(ends, scores, threshold)
    return rows[:keep]
