"""Where objects may be: the proposals of the released RPN."""

from __future__ import annotations

import torch
from torch import Tensor

from dffcli.models.paper.boxes import clip_pixel_boxes, decode_pixel_boxes, pixel_anchors, pixel_nms

BEFORE_NMS = 6000
AFTER_NMS = 300
OVERLAP = 0.7
STRIDE = 16  # input pixels a feature pixel
DELTA_STD = (0.1, 0.1, 0.4, 0.4)
ANCHORS = 9  # a place


def objectness(scores: Tensor) -> Tensor:
    """Probability of an object, `[1, 2 * A, h, w]` (backgrounds first) to `[h * w * A]`, a place's anchors together."""
    _, channels, h, w = scores.shape
    pairs = scores.reshape(2, channels // 2, h * w)
    return torch.softmax(pairs, dim=0)[1].t().flatten()


def propose(scores: Tensor, deltas: Tensor, *, size: tuple[int, int]) -> Tensor:
    """The best boxes that do not overlap much.

    Args:
        scores: of background and object, `[1, 18, h, w]`.
        deltas: `[1, 36, h, w]`, in units of `DELTA_STD`.
        size: `(height, width)` of the input; places of the map that begin beyond its last whole stride do not count.

    Returns:
        `x1, y1, x2, y2` in input pixels, best first, at most `[300, 4]`.
    """
    h, w = scores.shape[2:]
    probability = objectness(scores)
    rows, columns = max(1, size[0] // STRIDE), max(1, size[1] // STRIDE)
    if (rows, columns) != (h, w):
        beyond = torch.ones(h, w, ANCHORS, dtype=torch.bool, device=scores.device)
        beyond[:rows, :columns] = False
        probability = probability.masked_fill(beyond.flatten(), -1.0)
    best, order = probability.sort(descending=True, stable=True)
    best, order = best[:BEFORE_NMS], order[:BEFORE_NMS]
    moves = deltas[0].reshape(ANCHORS, 4, h * w).permute(2, 0, 1).reshape(-1, 4)[order]
    moves = moves * moves.new_tensor(DELTA_STD)
    anchors = pixel_anchors((h, w), STRIDE).to(deltas.device)[order]
    boxes = clip_pixel_boxes(decode_pixel_boxes(anchors, moves), size)
    return boxes[pixel_nms(boxes, best, OVERLAP, keep=AFTER_NMS)]
