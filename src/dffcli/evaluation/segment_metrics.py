"""How well label maps fit the truth: the confusion matrix and what follows from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import UInt8Array
from dffcli.errors import ShapeError


def confusion(truth: UInt8Array, found: UInt8Array, *, classes: int) -> NDArray[np.int64]:
    """Counts of pixels by true class (rows) and found class (columns), `[classes, classes]`.

    Pixels whose truth is no class (`>= classes`) count nowhere; `found` must hold classes only.
    """
    if truth.shape != found.shape:
        raise ShapeError(f"expected maps of one size, got {truth.shape} and {found.shape}")
    counted = truth < classes
    pairs = truth[counted].astype(np.int64) * classes + found[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_ious(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of every class, NaN for one that is neither there nor found."""
    hits = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(union > 0, hits / union, np.nan)


def mean_iou(matrix: NDArray[np.int64]) -> float:
    """Mean of `class_ious` over the classes that occur in the truth, 0..1."""
    present = matrix.sum(1) > 0
    return float(np.mean(class_ious(matrix)[present])) if present.any() else 0.0
