"""Carry objects along a flow field: where each box of a key frame lies in another frame, and how much of it is seen.

A box has to grow with what it shows, which maps read cell by cell cannot do. Each object moves by a similarity of its
own (a shift and a change of scale), fitted to the flow at points spread over it: robustly, for part of a box shows what
lies behind the object, and weighted by how well the pictures match, for part of it may be hidden. Nothing is remembered
from one frame to the next: every frame's field leads to the key frame itself, so nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, FlowField, PreparedImage

SIDE = 5  # points along a side of a box
SPAN = 0.8  # of a half side: how far from the middle the outermost points lie
CORE = 0.6  # of a half side: points nearer to the middle are believed to be on the object
CENTRE_WEIGHT = 0.8  # of a half side: standard deviation of the points' weights, the middle counting most
ROUNDS = 3  # of the fit: the field is read where the last round has put the points
ERROR_LOSS = 12.0  # grey levels of photometric error that cost a point a factor e
SPREAD = 0.5  # cells of the field by which points of one object may disagree
SPREAD_BY_SIZE = 0.05  # the same, for each cell from the middle of the object to its outermost point
STIFFNESS = 3.0  # square cells: smaller objects than that keep their scale
SEEN_ERROR = 20.0  # grey levels of photometric error at which a point counts as seen by 1 / e
AT_EDGE = 1.5  # pixels from the picture's edge: an object that begins there goes on outside
LEAST_INSIDE = 0.25  # share of its area: an object of which less is left in the picture has gone


@dataclass(frozen=True, slots=True)
class Carried:
    """Objects of a key frame on another frame, one row each.

    Attributes:
        boxes: `x1, y1, x2, y2` in frame pixels, whole: they may reach out of the picture, `[N, 4]` float32.
        seen: how much of each is still seen, 0 (gone) to 1, `[N]` float32.
    """

    boxes: Float32Array
    seen: Float32Array


def carry(boxes: Float32Array, field: FlowField, image: PreparedImage) -> Carried:
    """Carry a key frame's boxes to the current frame.

    Args:
        boxes: on the key frame, `x1, y1, x2, y2` in frame pixels, `[N, 4]`.
        field: current -> key, on a grid that spans the padded input.
        image: the current frame on that input.
    """
    if not len(boxes):
        return Carried(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    displacement = np.ascontiguousarray(field.displacement[0].permute(1, 2, 0).float().cpu().numpy())  # [h, w, 2]
    (height, width), content, padded = image.frame.size, image.content_size, image.padded_size
    h, w = displacement.shape[:2]
    cells = np.array((w * content[1] / padded[1] / width, h * content[0] / padded[0] / height), np.float32)
    error = field.photometric_error
    error = np.zeros((h, w), np.float32) if error is None else error
    middle, half = np.float32(0.5) * (boxes[:, :2] + boxes[:, 2:]), np.float32(0.5) * (boxes[:, 2:] - boxes[:, :2])
    fit = _fit(middle * cells - np.float32(0.5), half * cells, displacement, error)  # cells' centres are half a cell in
    middle, half = (fit.middle + np.float32(0.5)) / cells, half * fit.scale[:, None]
    found = np.concatenate((middle - half, middle + half), axis=1)
    limits = np.array((0, 0, width, height), np.float32)
    beyond = np.concatenate((np.minimum(found[:, :2], limits[:2]), np.maximum(found[:, 2:], limits[2:])), axis=1)
    found = np.where(np.abs(boxes - limits) < AT_EDGE, beyond, found)
    inside = _area(clip(found, (height, width))) / np.maximum(_area(found), np.float32(1e-6))
    return Carried(found, np.where(inside > LEAST_INSIDE, fit.seen, np.float32(0)))


def clip(boxes: Float32Array, size: tuple[int, int]) -> Float32Array:
    """What lies inside a picture of `(height, width)`."""
    return np.clip(boxes, 0, (size[1], size[0]) * 2).astype(np.float32)


def moved_box(box: Float32Array, start: Float32Array, end: Float32Array) -> Float32Array:
    """Where a box comes to when `start` becomes `end`; all `[4]`."""
    sides = np.maximum(start[2:] - start[:2], 1e-3)
    growth = (end[2:] - end[:2]) / sides
    return np.asarray((box.reshape(2, 2) - start[:2]) * growth + end[:2], np.float32).reshape(4)


def carry_mask(mask: NDArray[np.bool_], box: Float32Array, moved: Float32Array, *, onto: NDArray[np.bool_]) -> None:
    """Move a mask with its box.

    Args:
        mask: on the key frame, `[H, W]`.
        box: its box there, `[4]`.
        moved: that box here, `[4]`; it may reach out of the picture.
        onto: the mask here, `[H, W]`, where nothing is set yet.
    """
    height, width = onto.shape
    left, top = np.floor(np.clip(moved[:2], 0, (width, height))).astype(int)
    right, bottom = np.ceil(np.clip(moved[2:], 0, (width, height))).astype(int)
    if right <= left or bottom <= top:
        return
    growth = np.maximum(box[2:] - box[:2], 1e-3) / np.maximum(moved[2:] - moved[:2], 1e-3)  # key pixels to one here
    start = box[:2] + (np.array((left, top)) + 0.5 - moved[:2]) * growth - 0.5  # of the first pixel, in the key's
    matrix = np.array([[growth[0], 0, start[0]], [0, growth[1], start[1]]], np.float32)  # here -> key
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    solid = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, (int(right - left), int(bottom - top)), flags=flags)
    onto[top:bottom, left:right] = solid >= 128


@dataclass(frozen=True, slots=True)
class _Fit:
    """Similarities from the key frame to the current one, in cells of the field.

    Attributes:
        middle: where the middle of each object has come to, `[N, 2]`.
        scale: how much each has grown, `[N]`.
        seen: share of its points that lie in the picture, fit and match, `[N]`.
    """

    middle: Float32Array
    scale: Float32Array
    seen: Float32Array


def _fit(key_middle: Float32Array, half: Float32Array, displacement: Float32Array, error: Float32Array) -> _Fit:
    """Find the similarity of each object: the one that puts its points where the field leads back to where they were.

    Args:
        key_middle: of the objects on the key frame, `[N, 2]`.
        half: half of their sides there, `[N, 2]`.
        displacement: `(dx, dy)`, current -> key, `[h, w, 2]`.
        error: photometric error, `[h, w]`.
    """
    (unit_x, unit_y), weights = _points()
    core = np.flatnonzero(np.maximum(abs(unit_x), abs(unit_y)) < CORE)
    offset_x, offset_y = unit_x * half[:, :1], unit_y * half[:, 1:]  # [N, P]
    squares = offset_x**2 + offset_y**2
    spread = SPREAD + SPREAD_BY_SIZE * np.sqrt(squares.max(1, keepdims=True))  # [N, 1]
    target_x, target_y = key_middle[:, :1] + offset_x, key_middle[:, 1:] + offset_y
    x, y = key_middle[:, :1], key_middle[:, 1:]  # [N, 1]
    scale = np.ones_like(x)
    share = np.broadcast_to(weights, squares.shape)
    for turn in range(ROUNDS + 1):
        at_x, at_y = x + scale * offset_x, y + scale * offset_y
        moved, misfit = _read(displacement, at_x, at_y), _read(error, at_x, at_y)
        miss_x, miss_y = at_x + moved[..., 0] - target_x, at_y + moved[..., 1] - target_y
        inside = weights * _is_inside(at_x, at_y, error)
        if turn == ROUNDS:
            break
        trust = inside * np.exp(misfit * np.float32(-1 / ERROR_LOSS)) + np.float32(1e-6)
        first = turn == 0
        by_x = np.median(miss_x[:, core], axis=1, keepdims=True) if first else np.float32(0)
        by_y = np.median(miss_y[:, core], axis=1, keepdims=True) if first else np.float32(0)
        for _ in range(2):  # reweighted least squares, Cauchy's weights
            share = trust / (1 + ((miss_x - by_x) ** 2 + (miss_y - by_y) ** 2) / spread**2)
            share /= share.sum(1, keepdims=True)
            by_x, by_y = (share * miss_x).sum(1, keepdims=True), (share * miss_y).sum(1, keepdims=True)
        growth = (share * ((miss_x - by_x) * offset_x + (miss_y - by_y) * offset_y)).sum(1, keepdims=True)
        growth /= (share * squares).sum(1, keepdims=True) + np.float32(STIFFNESS)
        scale = scale * (1 - growth).clip(0.8, 1.25)
        x, y = x - scale * by_x, y - scale * by_y  # misses are counted in the key frame's cells
    good = np.exp(misfit * np.float32(-1 / SEEN_ERROR)) / (1 + (miss_x**2 + miss_y**2) / (2 * spread) ** 2)
    seen = (inside * good).sum(1) / np.maximum(inside.sum(1), np.float32(1e-6))
    return _Fit(np.concatenate((x, y), axis=1), scale[:, 0], seen)


@lru_cache(maxsize=1)
def _points() -> tuple[Float32Array, Float32Array]:
    """Points spread over a box, `(x, y)` in half sides from its middle, `[2, P]`, and how much each counts, `[P]`."""
    steps = np.linspace(-SPAN, SPAN, SIDE, dtype=np.float32)
    units = np.stack(np.meshgrid(steps, steps)).reshape(2, -1)
    return units, np.exp(-(units**2).sum(0) / (2 * CENTRE_WEIGHT**2)).astype(np.float32)


def _read(values: Float32Array, x: Float32Array, y: Float32Array) -> Float32Array:
    """Values `[h, w]` or `[h, w, C]` at points in cells, `[N, P]`; outside, the border repeats."""
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _is_inside(x: Float32Array, y: Float32Array, grid: Float32Array) -> NDArray[np.bool_]:
    h, w = grid.shape
    return np.asarray((x >= -0.5) & (x <= w - 0.5) & (y >= -0.5) & (y <= h - 0.5))


def _area(boxes: Float32Array) -> Float32Array:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1), np.float32)
