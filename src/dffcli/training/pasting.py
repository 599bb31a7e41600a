"""Rare things cut out of one labelled view and pasted over another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import UInt8Array

SMALLEST = 40  # pixels of the labels' grid; smaller patches are rather specks of a wrong label


def cut_out(labels: UInt8Array, *, wanted: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a view shows the wanted classes in connected patches that are not too small, `[h, w]`."""
    found = np.isin(labels, wanted).astype(np.uint8)
    _, patches, statistics, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    large = statistics[:, cv2.CC_STAT_AREA] >= SMALLEST
    large[0] = False  # what is not wanted
    return np.asarray(large[patches])


def paste(
    image: UInt8Array, labels: UInt8Array, *, from_image: UInt8Array, from_labels: UInt8Array, where: NDArray[np.bool_]
) -> tuple[UInt8Array, UInt8Array]:
    """A view with parts of another over it.

    Args:
        image: RGB, `[H, W, 3]`.
        labels: class ids on a coarser grid, `[h, w]`.
        from_image: the other view, of the same size.
        from_labels: its class ids.
        where: which parts of it, on the labels' grid.
    """
    size_wh = (image.shape[1], image.shape[0])  # OpenCV order
    alpha = cv2.resize(where.astype(np.float32), size_wh, interpolation=cv2.INTER_LINEAR)[..., None]
    mixed = np.where(alpha > 0, image * (1 - alpha) + from_image * alpha, image)
    return mixed.astype(np.uint8), np.where(where, from_labels, labels)
