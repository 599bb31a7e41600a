"""Pairs of pictures with exactly known flow, made from stills: a background and pieces before it, each moving apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, UInt8Array
from dffcli.evaluation.segment_data import read_image

Matrix = NDArray[np.float64]
"""An affine map of the plane, `[3, 3]`, of pixels whose centres lie at whole numbers."""

Layer = tuple[UInt8Array, UInt8Array | None, Matrix, Matrix]
"""A texture, its outline (the background has none), where it lies in the key picture, and how it moves from there."""


@dataclass(frozen=True, slots=True)
class MotionRange:
    """How far things move between the two pictures; each pair draws its own strength, small ones more often.

    Attributes:
        shift: pixels at full strength.
        zoom: largest magnification, as a natural logarithm.
        degrees: largest rotation.
        pieces: most pieces before the background.
        piece_factor: how much farther pieces move than the background.
    """

    shift: float = 52.0
    zoom: float = 0.18
    degrees: float = 6.0
    pieces: int = 5
    piece_factor: float = 1.3


@dataclass(frozen=True, slots=True)
class FlowPair:
    """Two grey pictures `[h, w]` and where each pixel of `current` was in `key`.

    Attributes:
        key: grey, uint8.
        current: grey, uint8.
        displacement: `(dx, dy)`, current -> key, in pixels, `[h, w, 2]`.
    """

    key: UInt8Array
    current: UInt8Array
    displacement: Float32Array


def make_pair(
    stills: Sequence[Path], *, size: tuple[int, int], motion: MotionRange, rng: np.random.Generator
) -> FlowPair:
    """Draw a pair.

    Args:
        stills: pictures to make it from.
        size: `(height, width)` of the pair.
        motion: how far things move.
        rng: the source of chance.
    """
    strength = rng.beta(1.0, 1.6)
    ground = _still(stills, rng)
    layers: list[tuple[UInt8Array, UInt8Array | None, Matrix, Matrix]] = [
        (ground, None, _fit(ground, size, rng), _move(size, motion, strength, rng))
    ]
    for _ in range(int(rng.integers(0, motion.pieces + 1))):
        texture = _still(stills, rng)
        ride = layers[0][3] if rng.random() < 0.5 else np.eye(3)  # rides on the background's motion, or stands alone
        own = _move(size, motion, strength * motion.piece_factor * rng.random(), rng)
        layers.append((texture, _outline(texture, rng), _place(texture, size, rng), own @ ride))
    key, current = np.zeros(size, np.float32), np.zeros(size, np.float32)
    displacement = np.zeros((*size, 2), np.float32)
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    places = np.stack([columns, rows, np.ones_like(rows)], 2).astype(np.float64)  # [h, w, 3]
    for texture, outline, placing, moving in layers:
        before, after = placing, moving @ placing  # texture -> key, texture -> current
        key = _paint(key, texture, outline, before)
        current = _paint(current, texture, outline, after)
        back = (places @ np.linalg.inv(moving).T)[..., :2] - places[..., :2]
        if outline is None:
            displacement = back.astype(np.float32)
        else:
            covers = _warp(outline, after, size) > 127
            displacement[covers] = back[covers]
    return FlowPair(_film(key, rng), _film(current, rng), displacement)


def _still(stills: Sequence[Path], rng: np.random.Generator) -> UInt8Array:
    image = read_image(stills[int(rng.integers(len(stills)))])
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _fit(texture: UInt8Array, size: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Texture to picture so that it covers it and more, mirrored now and then."""
    h, w = texture.shape
    scale = max(size[0] / h, size[1] / w) * rng.uniform(1.0, 1.5)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    return _about((w / 2, h / 2), (size[1] / 2, size[0] / 2), np.diag([scale * flip, scale]))


def _place(texture: UInt8Array, size: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Texture to picture for a piece somewhere in it, a tenth to six tenths of its size."""
    h, w = texture.shape
    scale = rng.uniform(0.15, 0.7) * max(size) / max(h, w)
    angle = rng.uniform(-0.5, 0.5)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = (rng.uniform(0, size[1]), rng.uniform(0, size[0]))
    return _about((w / 2, h / 2), target, linear)


def _move(size: tuple[int, int], motion: MotionRange, strength: float, rng: np.random.Generator) -> Matrix:
    """A motion of the picture plane: zoom and turn about a random point, and a shift."""
    zoom = np.exp(strength * rng.uniform(-motion.zoom, motion.zoom))
    angle = np.deg2rad(strength * rng.uniform(-motion.degrees, motion.degrees))
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.array([size[1] * rng.uniform(0.2, 0.8), size[0] * rng.uniform(0.2, 0.8)])
    direction = rng.uniform(0, 2 * np.pi)
    length = strength * motion.shift * rng.random()
    shift = length * np.array([np.cos(direction), 0.6 * np.sin(direction)])  # cameras pan more than they tilt
    return _about((center[0], center[1]), (center[0] + shift[0], center[1] + shift[1]), linear)


def _about(source: tuple[float, float], target: tuple[float, float], linear: NDArray[np.float64]) -> Matrix:
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.array(target) - linear @ np.array(source)
    return matrix


def _outline(texture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """A smooth random shape in the texture's middle, 255 inside."""
    h, w = texture.shape
    corners = int(rng.integers(5, 12))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = rng.uniform(0.25, 0.5, corners)
    points = np.stack([w * (0.5 + reach * np.cos(angles)), h * (0.5 + reach * np.sin(angles))], 1)
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], (255,))
    return np.asarray(
        cv2.threshold(cv2.blur(mask, (h // 12 + 1, w // 12 + 1)), 127, 255, cv2.THRESH_BINARY)[1], np.uint8
    )


def _warp(picture: UInt8Array, matrix: Matrix, size: tuple[int, int], *, mirror: bool = False) -> UInt8Array:
    border = cv2.BORDER_REFLECT_101 if mirror else cv2.BORDER_CONSTANT
    scale = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if scale < 0.6:  # soften before shrinking
        picture = np.asarray(cv2.blur(picture, (round(1 / scale),) * 2), np.uint8)
    warped = cv2.warpAffine(picture, matrix[:2], (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8)


def _paint(canvas: Float32Array, texture: UInt8Array, outline: UInt8Array | None, matrix: Matrix) -> Float32Array:
    size = (canvas.shape[0], canvas.shape[1])
    colors = _warp(texture, matrix, size, mirror=outline is None).astype(np.float32)
    if outline is None:
        return colors
    share = _warp(outline, matrix, size).astype(np.float32) / 255
    return np.asarray(canvas + share * (colors - canvas), np.float32)


def _film(picture: Float32Array, rng: np.random.Generator) -> UInt8Array:
    """What a camera makes of it: a little other light, a little blur, a little noise."""
    picture = picture * rng.uniform(0.93, 1.07) + rng.uniform(-6, 6)
    if rng.random() < 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9)), np.float32)
    noisy = picture + rng.normal(0, rng.uniform(0, 4), picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
