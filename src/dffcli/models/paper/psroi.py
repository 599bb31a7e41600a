"""Position-sensitive RoI pooling with the rounding of the released networks.

torchvision's operator rounds after scaling and measures boxes without their last pixel, so it cannot stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 7  # a side
SMALLEST_SIDE = 0.1  # feature pixels


@dataclass(frozen=True, slots=True)
class BinEdges:
    """Which cells the bins of each box cover, `[R, BINS]` each: rows `top` to `bottom`, columns `left` to `right`.

    Ends are exclusive; a bin without cells has its ends together.
    """

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor


def bin_edges(boxes: Tensor, *, size: tuple[int, int], stride: int) -> BinEdges:
    """Lay a grid of bins over each box.

    Args:
        boxes: `x1, y1, x2, y2` in input pixels, corners inclusive, `[R, 4]`.
        size: `(height, width)` of the feature map.
        stride: input pixels a feature pixel.
    """
    whole = torch.floor(boxes + 0.5)  # halves go up, as C's round does for what is not negative
    start = whole[:, :2] / stride
    end = (whole[:, 2:] + 1) / stride
    bin_size = (end - start).clamp(min=SMALLEST_SIDE) / BINS  # [R, 2]
    steps = torch.arange(BINS, device=boxes.device, dtype=boxes.dtype)

    def edges(axis: int, limit: int) -> tuple[Tensor, Tensor]:
        low = torch.floor(steps * bin_size[:, axis, None] + start[:, axis, None])
        high = torch.ceil((steps + 1) * bin_size[:, axis, None] + start[:, axis, None])
        first, last = low.clamp(0, limit).long(), high.clamp(0, limit).long()
        return first, torch.maximum(first, last)

    left, right = edges(0, size[1])
    top, bottom = edges(1, size[0])
    return BinEdges(top, bottom, left, right)


def vote(table: Tensor, edges: BinEdges, *, width: int) -> Tensor:
    """The mean over a box's bins of each bin's mean over its cells: pooling and voting in one sum.

    Args:
        table: the maps cell by cell and, within a cell, bin by bin (row by row): `[h * w * BINS * BINS, C]`.
        edges: of R boxes.
        width: cells a row of the map.

    Returns:
        `[R, C]`.
    """
    bins = BINS * BINS
    rows, rows_starts, rows_counts = _cells_along(edges.top, edges.bottom, width * bins, BINS)
    columns, columns_starts, columns_counts = _cells_along(edges.left, edges.right, bins, 1)
    counts = rows_counts * columns_counts  # [R], cells read for a box
    starts = counts.cumsum(0) - counts
    box = torch.repeat_interleave(counts)
    place = torch.arange(len(box), device=box.device) - starts[box]
    across = columns_counts[box]
    row = rows_starts[box] + torch.div(place, across, rounding_mode="floor")
    column = columns_starts[box] + place % across
    cells = rows.offset[row] + columns.offset[column]
    shares = rows.share[row] * columns.share[column] / bins
    return F.embedding_bag(cells, table, starts, mode="sum", per_sample_weights=shares.to(table.dtype))


@dataclass(frozen=True, slots=True)
class _Cells:
    offset: Tensor  # [T], where in the table
    share: Tensor  # [T], one over the bin's cells along this axis


def _cells_along(first: Tensor, last: Tensor, cell_step: int, bin_step: int) -> tuple[_Cells, Tensor, Tensor]:
    """All cells of all bins along one axis, box after box; with each box's start and number."""
    lengths = (last - first).flatten()  # [R * BINS]
    bin_number = torch.repeat_interleave(lengths)
    bin_start = (lengths.cumsum(0) - lengths)[bin_number]
    cell = first.flatten()[bin_number] + torch.arange(len(bin_number), device=first.device) - bin_start
    offset = cell * cell_step + (bin_number % BINS) * bin_step
    counts = (last - first).sum(1)  # [R]
    return _Cells(offset, 1.0 / lengths[bin_number].float()), counts.cumsum(0) - counts, counts


def vote_table(maps: Tensor) -> Tensor:
    """Maps with channels `(class, bin row, bin column)`, `[1, C * BINS * BINS, h, w]`, as `vote` reads them."""
    bins = BINS * BINS
    classes = maps.shape[1] // bins
    by_bin = maps[0].reshape(classes, bins, -1).permute(2, 1, 0)  # [h * w, bins, C]
    return by_bin.reshape(-1, classes)
