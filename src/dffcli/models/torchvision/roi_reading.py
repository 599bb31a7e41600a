"""RoIAlign on maps whose channels lie last in memory, as warped maps do.

Torchvision's kernel wants channels first and copies every level for it, however few the boxes. Here each bin is one
weighted sum over the sixteen cells around its four sampling points: the same numbers up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

CANONICAL_SIZE = 224.0  # pixels of a box that is pooled from the canonical level (feature pyramid networks, eq. 1)
CANONICAL_LEVEL = 4
SAMPLES = 2  # sampling points a side of each bin


def align(pyramid: Sequence[Tensor], boxes: Tensor, *, scales: Sequence[float], bins: int) -> Tensor:
    """Pool each box from the level that suits its size.

    Args:
        pyramid: maps `[1, C, h, w]`, float32.
        boxes: `[P, 4]` in input pixels.
        scales: cells for a pixel, level by level, each half the one before.
        bins: a side of the result.

    Returns:
        `[P, C, bins, bins]`.
    """
    channels = pyramid[0].shape[1]
    result = boxes.new_empty((len(boxes), bins * bins, channels))
    levels = _levels(boxes, scales)
    for index, (level, scale) in enumerate(zip(pyramid, scales, strict=True)):
        chosen = torch.where(levels == index)[0]
        if len(chosen) == 0:
            continue
        h, w = level.shape[2:]
        rows, row_shares = _samples(boxes[chosen][:, [1, 3]] * scale, places=h, bins=bins)  # [P, bins, 4]
        columns, column_shares = _samples(boxes[chosen][:, [0, 2]] * scale, places=w, bins=bins)
        cells = rows[:, :, None, :, None] * w + columns[:, None, :, None, :]  # [P, bins, bins, 4, 4]
        shares = row_shares[:, :, None, :, None] * column_shares[:, None, :, None, :]
        table = level.permute(0, 2, 3, 1).reshape(h * w, channels)
        pooled = F.embedding_bag(
            cells.flatten(0, 2).flatten(1), table, mode="sum", per_sample_weights=shares.view(-1, 16)
        )
        result[chosen] = pooled.view(len(chosen), bins * bins, channels)
    return result.view(len(boxes), bins, bins, channels).permute(0, 3, 1, 2)  # [P, C, bins, bins]


def _levels(boxes: Tensor, scales: Sequence[float]) -> Tensor:
    """Which level each box is pooled from, counted from the finest, `[P]`."""
    finest, coarsest = -math.log2(scales[0]), -math.log2(scales[-1])
    size = torch.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    level = torch.floor(CANONICAL_LEVEL + torch.log2(size / CANONICAL_SIZE) + 1e-6)
    return level.clamp(finest, coarsest).long() - int(finest)


def _samples(ends: Tensor, *, places: int, bins: int) -> tuple[Tensor, Tensor]:
    """Along one axis, the cells each bin reads and their shares.

    Args:
        ends: where the boxes begin and end, in cells, `[P, 2]`.
        places: cells there are.
        bins: bins there are.

    Returns:
        Cells and shares of the two sampling points' two neighbours, `[P, bins, 4]` both; shares sum to one.
    """
    begin, length = ends[:, :1, None], (ends[:, 1:] - ends[:, :1]).clamp(min=1.0)[:, :, None]  # [P, 1, 1]
    bin_index = torch.arange(bins, device=ends.device)[:, None]
    offset = (torch.arange(SAMPLES, device=ends.device) + 0.5) / SAMPLES
    position = begin + (bin_index + offset) * (length / bins)  # [P, bins, 2]
    inside = (position >= -1) & (position <= places)
    position = position.clamp(0, places - 1)
    low = position.long().clamp(max=max(places - 2, 0))
    high = (low + 1).clamp(max=places - 1)
    share = position - low
    weight = inside.float() / SAMPLES
    return torch.cat((low, high), 2), torch.cat(((1 - share) * weight, share * weight), 2)
