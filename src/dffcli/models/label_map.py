"""The label map of a whole frame from coarse logits, exact and cheap.

Bilinear interpolation is a weighted mean of four neighbouring logits, so where all four agree on the best class that
class is best everywhere between them. Only the cells whose corners disagree are interpolated, and there only the
classes that no other class beats at all four corners.

For few classes and small frames that is more bookkeeping than work: there one class after the other is resized and a
running maximum kept, which OpenCV does on all cores (benchmarks/scaling.py classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, UInt8Array
from dffcli.errors import ShapeError

CELLS_AT_ONCE = 4096  # bounds the memory of one step
RESIZE_LIMIT = 20_000_000  # classes times pixels up to which every class is resized


@dataclass(frozen=True, slots=True)
class _Axis:
    """How the pixels of one axis fall between grid places; cell `i` lies between the places `i - 1` and `i`."""

    cell_of_pixel: NDArray[np.intp]  # [pixels]
    low: NDArray[np.intp]  # grid place before the cell, kept inside the grid, [cells]
    high: NDArray[np.intp]  # the one after it, [cells]
    pixels: NDArray[np.intp]  # pixels of the cell, the last one repeated, [cells, most]
    weight_high: Float32Array  # of `high` at these pixels, [cells, most]
    is_used: NDArray[np.bool_]  # the cell has a pixel, [cells]


@lru_cache(maxsize=32)
def _axis(places: int, span: float, pixels: int) -> _Axis:
    """The axis of `places` grid places that spans `span` times the length of `pixels` pixels."""
    position = (np.arange(pixels) + 0.5) * (places / (span * pixels)) - 0.5
    position = np.clip(position, 0.0, places - 1.0)
    cell = np.minimum(np.floor(position).astype(np.intp), max(places - 2, 0)) + 1  # a place of its own has cell 1
    cells = places + 1
    start = np.searchsorted(cell, np.arange(cells), side="left")
    stop = np.searchsorted(cell, np.arange(cells), side="right")
    most = int((stop - start).max())
    members = np.minimum(start[:, None] + np.arange(most), np.maximum(stop - 1, start)[:, None])
    members = np.minimum(members, pixels - 1)
    low = np.clip(np.arange(cells) - 1, 0, places - 1)
    high = np.clip(np.arange(cells), 0, places - 1)
    weight_high = np.clip(position[members] - low[:, None], 0.0, 1.0).astype(np.float32)
    return _Axis(cell, low, high, members, weight_high, stop > start)


def best_class(logits: Float32Array) -> UInt8Array:
    """The first class of greatest logit: `[C, h, w]` to `[h, w]`."""
    best = np.zeros(logits.shape[1:], np.uint8)
    greatest = logits[0].copy()
    for index in range(1, len(logits)):
        better = logits[index] > greatest
        best[better] = index
        np.maximum(greatest, logits[index], out=greatest)
    return best


def upsample_argmax(
    logits: Float32Array,
    size: tuple[int, int],
    *,
    content_size: tuple[int, int] | None = None,
    padded_size: tuple[int, int] | None = None,
) -> UInt8Array:
    """The best class of every pixel, as bilinear interpolation (corners not aligned) and argmax would give it.

    Args:
        logits: `[C, h, w]` float32, at most 256 classes, on a grid that spans the padded input.
        size: `(height, width)` of the frame.
        content_size: the part of the input, from the top left, that the frame was resized to.
        padded_size: `(height, width)` of the input; give both or neither (the grid then spans the frame).

    Returns:
        Class positions, `[*size]`.
    """
    if logits.ndim != 3 or logits.dtype != np.float32 or not 1 <= len(logits) <= 256:
        raise ShapeError(f"expected float32 logits of [1..256, h, w], got {logits.dtype} {list(logits.shape)}")
    if (content_size is None) != (padded_size is None):
        raise ShapeError("expected both content_size and padded_size, or neither")
    spans = (1.0, 1.0)
    if content_size is not None and padded_size is not None:
        spans = (padded_size[0] / content_size[0], padded_size[1] / content_size[1])
    if spans == (1.0, 1.0) and len(logits) * size[0] * size[1] <= RESIZE_LIMIT:
        return _best_resized(logits, size)
    return _best_by_cells(logits, size, spans)


def _best_resized(logits: Float32Array, size: tuple[int, int]) -> UInt8Array:
    """Every class resized, the running maximum kept."""
    size_wh = (size[1], size[0])  # OpenCV order
    labels = np.zeros(size, np.uint8)
    label = np.empty(size, np.uint8)
    greatest = cv2.resize(logits[0], size_wh)
    value = np.empty_like(greatest)
    for index in range(1, len(logits)):
        cv2.resize(logits[index], size_wh, dst=value)
        better = cv2.compare(value, greatest, cv2.CMP_GT)
        if cv2.hasNonZero(better):
            label.fill(index)
            cv2.copyTo(label, better, labels)
            cv2.max(value, greatest, greatest)
    return labels


def _best_by_cells(logits: Float32Array, size: tuple[int, int], spans: tuple[float, float]) -> UInt8Array:
    """Only the cells whose corners disagree interpolated."""
    rows = _axis(logits.shape[1], spans[0], size[0])
    columns = _axis(logits.shape[2], spans[1], size[1])

    best = best_class(logits)  # [h, w]
    sides = (columns.low, columns.high)
    corners = [best[row][:, side] for row in (rows.low, rows.high) for side in sides]  # 4 x [cells, cells]
    agreed = corners[0]
    labels = agreed[:, columns.cell_of_pixel][rows.cell_of_pixel]  # [*size]
    disagree = (corners[1] != agreed) | (corners[2] != agreed) | (corners[3] != agreed)
    disagree &= rows.is_used[:, None] & columns.is_used
    cell_y, cell_x = np.nonzero(disagree)
    table = np.ascontiguousarray(logits.reshape(len(logits), -1).T)  # [h * w, C]
    winners = np.stack([part[disagree] for part in corners], 1)  # [K, 4]
    for start in range(0, len(cell_y), CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        _resolve(labels, table, winners[part], rows, columns, cell_y[part], cell_x[part], logits.shape[2])
    return labels


def _resolve(
    labels: UInt8Array,
    table: Float32Array,
    winners: UInt8Array,
    rows: _Axis,
    columns: _Axis,
    cell_y: NDArray[np.intp],
    cell_x: NDArray[np.intp],
    width: int,
) -> None:
    """Write the interpolated maximum into the pixels of the given cells."""
    low_y, high_y = rows.low[cell_y] * width, rows.high[cell_y] * width
    low_x, high_x = columns.low[cell_x], columns.high[cell_x]
    places = np.stack([low_y + low_x, low_y + high_x, high_y + low_x, high_y + high_x], 1)  # [K, 4]
    values = table[places]  # [K, 4, C]
    can_win = np.ones((len(values), values.shape[2]), bool)
    for corner in range(4):
        rival = np.take_along_axis(values, winners[:, None, corner, None].astype(np.intp), 2)  # [K, 4, 1]
        can_win &= (values > rival).any(1)
        # winners themselves are put back below: nothing beats them at their own corner
    np.put_along_axis(can_win, winners.astype(np.intp), True, 1)
    counts = can_win.sum(1)
    candidates = np.argsort(~can_win, axis=1, kind="stable")  # those that can win first, in order of class
    for count in np.unique(counts):
        chosen = np.nonzero(counts == count)[0]
        classes = candidates[chosen, :count]  # [k, n]
        corner_values = np.take_along_axis(values[chosen], classes[:, None], 2).transpose(0, 2, 1)  # [k, n, 4]
        weight_y = rows.weight_high[cell_y[chosen]][:, None]  # [k, 1, py]
        weight_x = columns.weight_high[cell_x[chosen]][:, None, None]  # [k, 1, 1, px]
        top_left, top_right, low_left, low_right = (corner_values[:, :, i, None] for i in range(4))  # [k, n, 1]
        left = top_left + (low_left - top_left) * weight_y  # [k, n, py]
        right = top_right + (low_right - top_right) * weight_y
        position = _interpolated_best(left, right - left, weight_x)  # [k, py, px]
        found = np.take_along_axis(classes.astype(np.uint8)[:, :, None], position.reshape(len(chosen), 1, -1), 1)
        y, x = rows.pixels[cell_y[chosen]][:, :, None], columns.pixels[cell_x[chosen]][:, None]
        labels[y, x] = found.reshape(position.shape)


def _interpolated_best(left: Float32Array, rise: Float32Array, weight_x: Float32Array) -> NDArray[np.intp]:
    """Which of n candidates is greatest between left and right: `[k, n, py]` twice to positions `[k, py, px]`."""
    if left.shape[1] == 2:  # by far the most cells
        lead, gain = left[:, 1] - left[:, 0], rise[:, 1] - rise[:, 0]
        return (lead[..., None] + gain[..., None] * weight_x[:, 0] > 0).astype(np.intp)
    greatest = left[:, 0, :, None] + rise[:, 0, :, None] * weight_x[:, 0]  # [k, py, px]
    position = np.zeros(greatest.shape, np.intp)
    for index in range(1, left.shape[1]):
        value = left[:, index, :, None] + rise[:, index, :, None] * weight_x[:, 0]
        position[value > greatest] = index
        np.maximum(greatest, value, out=greatest)
    return position
