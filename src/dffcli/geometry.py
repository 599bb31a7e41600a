"""Boxes: overlap, matching and non-maximum suppression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def box_iou(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union of every box with every other.

    Args:
        boxes: `x1, y1, x2, y2`, `[N, 4]`.
        others: `[M, 4]`, in the same pixels.

    Returns:
        `[N, M]`, 0..1; a box without an area overlaps nothing.
    """
    left, top, right, bottom = boxes.astype(np.float64).T[:, :, None]  # [N, 1] each
    other_left, other_top, other_right, other_bottom = others.astype(np.float64).T[:, None]  # [1, M] each
    shared = (np.minimum(right, other_right) - np.maximum(left, other_left)).clip(0)
    shared *= (np.minimum(bottom, other_bottom) - np.maximum(top, other_top)).clip(0)
    areas = (right - left).clip(0) * (bottom - top).clip(0)  # [N, 1]
    union = areas + (other_right - other_left).clip(0) * (other_bottom - other_top).clip(0) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


def best_pairs(worth: NDArray[Any], *, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match rows and columns one to one, the best pair first.

    Args:
        worth: of every pair, such as their overlap, `[N, M]`.
        least: pairs that are worth less are not matched.

    Returns:
        The rows and the columns of the pairs.
    """
    left = np.array(worth, np.float64)
    rows, columns = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    while left.size:  # every round takes the pairs that are each other's best
        choice = left.argmax(1)
        every = np.arange(len(left))
        mutual = every[(left.argmax(0)[choice] == every) & (left[every, choice] >= least)]
        if not len(mutual):
            break
        rows.append(mutual)
        columns.append(choice[mutual])
        left[mutual] = -np.inf
        left[:, choice[mutual]] = -np.inf
    return np.concatenate(rows), np.concatenate(columns)


def nms(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.int64], *, max_overlap: float
) -> NDArray[np.intp]:
    """Non-maximum suppression within each class: rows that no better one of their class overlaps by more, best first.

    OpenCV's, not torchvision's: importing that takes longer than annotating a short clip.

    Args:
        boxes: `x1, y1, x2, y2`, `[N, 4]`.
        scores: `[N]`.
        classes: `[N]`.
        max_overlap: intersection over union.
    """
    if not len(boxes):
        return np.zeros(0, np.intp)
    import cv2  # box_iou needs none of it

    corner_and_size = np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), 1).astype(np.float64)
    kept = cv2.dnn.NMSBoxesBatched(corner_and_size, scores, classes.astype(np.int32), 0.0, max_overlap)  # type: ignore[arg-type]  # arrays do
    return np.asarray(kept, np.intp)
