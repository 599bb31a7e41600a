"""Make a picture smaller, averaging what falls together."""

from __future__ import annotations

import cv2
import numpy as np

from dffcli.core.types import UInt8Array

SMOOTH = 1.5  # times smaller, up to which bilinear reading leaves out next to nothing


def reduced(picture: UInt8Array, size: tuple[int, int], *, smooth: float = SMOOTH) -> UInt8Array:
    """A picture on another grid: averaged where it shrinks, bilinear where it grows.

    OpenCV averages over whole blocks ten times faster than over parts of pixels, so the largest whole reduction that
    divides both sides comes first, and only what is left is done exactly (benchmarks/io_costs.py).

    Args:
        picture: `[H, W]` or `[H, W, 3]`.
        size: `(height, width)` wanted.
        smooth: times smaller, up to which what is left is read bilinearly.

    Returns:
        The picture, `[*size]` or `[*size, 3]`; the one that was given if it has that size.
    """
    height, width = picture.shape[:2]
    most = max(1, min(height // size[0], width // size[1]))
    blocks = next(n for n in range(most, 0, -1) if height % n == 0 and width % n == 0)
    if blocks > 1:
        height, width = height // blocks, width // blocks
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if (height, width) == size:
        return picture
    shrinks = max(height / size[0], width / size[1]) > smooth
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=how), np.uint8)  # OpenCV order
