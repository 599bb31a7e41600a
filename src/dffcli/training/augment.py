"""Random views of a labelled picture: one affine map for picture and mask, then colours, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import UInt8Array

IGNORE = 255  # class of a pixel that counts nowhere
MEAN_COLOR = (124, 116, 104)  # RGB, fills what lies outside the picture


@dataclass(frozen=True, slots=True)
class ViewRange:
    """How far views may go.

    Attributes:
        scale: smallest and largest magnification of a picture brought to `base_width`.
        base_width: pixels; pictures of other widths count as magnified.
        aspect: largest stretch of one axis against the other.
        degrees: largest rotation either way.
        rare_share: share of views centred on a pixel of a rare class.
    """

    scale: tuple[float, float] = (0.7, 2.0)
    base_width: int = 480
    aspect: float = 1.15
    degrees: float = 4.0
    rare_share: float = 0.3


def random_view(
    mask: UInt8Array, *, size: tuple[int, int], view_range: ViewRange, rare: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The matrix `[2, 3]` from picture to view pixels (centres at whole numbers plus a half) of a random view.

    Args:
        mask: of the picture, `[H, W]`.
        size: `(height, width)` of the view.
        view_range: how far it may go.
        rare: class ids to centre on now and then.
        rng: the source of chance.
    """
    h, w = mask.shape
    low, high = view_range.scale
    scale = view_range.base_width / w * np.exp(rng.uniform(np.log(low), np.log(high)))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(view_range.aspect))
    angle = np.deg2rad(rng.uniform(-view_range.degrees, view_range.degrees))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([scale * stretch * flip, scale / stretch])
    half = 0.5 * np.array([size[1], size[0]]) / np.array([scale * stretch, scale / stretch])  # in picture pixels
    limit = np.array([w, h])
    lowest, highest = np.minimum(half, limit / 2), np.maximum(limit - half, limit / 2)
    center = rng.uniform(lowest, highest)
    if rare and rng.random() < view_range.rare_share:
        rows, columns = np.nonzero(np.isin(mask[::4, ::4], rare))
        if len(rows):
            pick = rng.integers(len(rows))
            wanted = np.array([columns[pick], rows[pick]]) * 4.0 + rng.uniform(-0.3, 0.3, 2) * half
            center = np.clip(wanted, lowest, highest)
    offset = np.array([size[1], size[0]]) / 2 - linear @ center
    return np.column_stack([linear, offset])


def _for_opencv(matrix: NDArray[np.float64], factor: float = 1.0) -> NDArray[np.float64]:
    """The matrix with its view reduced by `factor`, for OpenCV, whose pixel centres lie at whole numbers."""
    linear = matrix[:, :2] * factor
    offset = matrix[:, 2] * factor + linear @ np.array([0.5, 0.5]) - 0.5
    return np.column_stack([linear, offset])


def apply_view(image: UInt8Array, matrix: NDArray[np.float64], *, size: tuple[int, int]) -> UInt8Array:
    """The view of an RGB picture, `[*size, 3]`."""
    size_wh = (size[1], size[0])  # OpenCV order
    view = cv2.warpAffine(image, _for_opencv(matrix), size_wh, flags=cv2.INTER_LINEAR, borderValue=MEAN_COLOR)
    return np.asarray(view, np.uint8)


def apply_view_to_mask(
    mask: UInt8Array, matrix: NDArray[np.float64], *, size: tuple[int, int], reduction: int
) -> UInt8Array:
    """The view of a mask on a grid `reduction` times coarser, `[size[0] / reduction, size[1] / reduction]`."""
    size_wh = (size[1] // reduction, size[0] // reduction)  # OpenCV order
    reduced = _for_opencv(matrix, 1 / reduction)
    return np.asarray(cv2.warpAffine(mask, reduced, size_wh, flags=cv2.INTER_NEAREST, borderValue=IGNORE), np.uint8)


def random_colors(image: UInt8Array, *, rng: np.random.Generator) -> UInt8Array:
    """Another light, camera and lens: brightness, contrast, gamma, white balance, saturation, blur, noise."""
    levels = np.arange(256, dtype=np.float32) / 255
    gain = rng.uniform(0.7, 1.3)
    lift = rng.uniform(-0.05, 0.1)
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    balance = rng.uniform(0.9, 1.1, 3)
    curve = np.clip((levels**gamma - 0.45) * gain + 0.45 + lift, 0, 1)
    table = np.clip(curve[:, None] * balance * 255, 0, 255).astype(np.uint8)[None]  # [1, 256, 3]
    image = np.asarray(cv2.LUT(image, table), np.uint8)
    if rng.random() < 0.6:
        gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = rng.uniform(0.5, 1.4) if rng.random() < 0.9 else 0.0
        image = np.asarray(cv2.addWeighted(image, share, gray, 1 - share, 0), np.uint8)
    kind = rng.random()
    if kind < 0.2:
        sigma = rng.uniform(0.4, 1.6)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    elif kind < 0.3:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape[:2]).astype(np.float32)
        image = np.clip(image + noise[..., None], 0, 255).astype(np.uint8)
    elif kind < 0.4:
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return image
