"""Boxes: overlap and non-maximum suppression."""

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
    first, second = boxes[:, None].astype(np.float64), others[None].astype(np.float64)  # [N, 1, 4], [1, M, 4]
    corner, opposite = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    shared = (opposite - corner).clip(0).prod(2)  # [N, M]
    areas = [(side[..., 2:] - side[..., :2]).clip(0).prod(2) for side in (first, second)]
    union = areas[0] + areas[1] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


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
