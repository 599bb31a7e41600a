"""How the rendered street looks: noise without sharp detail, so that a picture can be sampled between its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, UInt8Array

SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR = 0, 1, 3, 4, 5, 8  # CamVid's ids
OCTAVES = (1.5, 3.0, 7.0, 18.0)  # pixels, the widths of the noise


@dataclass(frozen=True, slots=True)
class Texture:
    """A flat picture with labels.

    Attributes:
        image: RGB, uint8, `[h, w, 3]`.
        labels: CamVid's ids, uint8, `[h, w]`.
        is_round: it is solid within an upright ellipse alone; else within a rectangle with very round corners
            (a superellipse of the fourth power).
    """

    image: UInt8Array
    labels: UInt8Array
    is_round: bool = False

    def is_solid_at(self, places: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether it covers these places, `x, y` in its pixels, `[2, N]`."""
        h, w = self.labels.shape
        x, y = (2 * places[0] / (w - 1) - 1) ** 2, (2 * places[1] / (h - 1) - 1) ** 2
        return np.asarray(x + y <= 1 if self.is_round else x**2 + y**2 <= 1)


def noise(rng: np.random.Generator, size: tuple[int, int], *, strength: float) -> Float32Array:
    """Smooth noise of several widths, mean 0, `[h, w, 1]`."""
    total = np.zeros(size, np.float32)
    for width in OCTAVES:
        layer = cv2.GaussianBlur(rng.standard_normal(size, dtype=np.float32), (0, 0), width)
        total += np.asarray(layer, np.float32) / max(float(layer.std()), 1e-6)
    return np.asarray(strength / len(OCTAVES) ** 0.5 * total, np.float32)[..., np.newaxis]


def backdrop(rng: np.random.Generator, size: tuple[int, int]) -> Texture:
    """Sky, houses, trees, pavement and a road, from top to bottom."""
    h, w = size
    unit = h / 792
    image = np.empty((h, w, 3), np.float32)
    labels = np.empty((h, w), np.uint8)
    horizon, kerb, lane = round(0.52 * h), round(0.60 * h), round(0.78 * h)
    image[:horizon], labels[:horizon] = (150, 180, 215), SKY
    left = 0
    while left < w:
        right = min(w, left + int(rng.integers(90, 200) * unit))
        top = horizon - int(rng.integers(80, 260) * unit)
        if rng.random() < 0.25:
            image[top:horizon, left:right], labels[top:horizon, left:right] = (70, 105, 55), TREE
        else:
            _house(rng, image[top:horizon, left:right], unit=unit)
            labels[top:horizon, left:right] = BUILDING
        left = right
    image[horizon:kerb], labels[horizon:kerb] = (150, 140, 132), PAVEMENT
    image[kerb:], labels[kerb:] = (88, 88, 92), ROAD
    for start in range(0, w, round(120 * unit)):
        image[lane : lane + round(7 * unit), start : start + round(55 * unit)] = (215, 215, 205)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.2), np.float32)
    image += noise(rng, size, strength=13.0) * np.where(labels == SKY, 0.35, 1.0)[..., np.newaxis].astype(np.float32)
    return Texture(np.clip(image, 0, 255).astype(np.uint8), labels)


def _house(rng: np.random.Generator, wall: NDArray[np.float32], *, unit: float) -> None:
    wall[:] = rng.integers(95, 190, 3)
    step, size = max(6, round(34 * unit)), max(3, round(18 * unit))
    for y in range(step // 2, wall.shape[0] - size, step):
        for x in range(step // 3, wall.shape[1] - size, step):
            wall[y : y + size, x : x + size] = (58, 66, 84) if rng.random() < 0.8 else (225, 205, 140)


def figure(rng: np.random.Generator, size: tuple[int, int], *, label: int) -> Texture:
    """A car (rounded, with windows and wheels) or a person (an ellipse with a head), by CamVid's id."""
    h, w = size
    image = np.empty((h, w, 3), np.float32)
    image[:] = rng.integers(50, 235, 3)
    if label == CAR:
        image[round(0.10 * h) : round(0.45 * h), round(0.16 * w) : round(0.84 * w)] = (45, 55, 70)
        image[round(0.10 * h) : round(0.45 * h), round(0.47 * w) : round(0.52 * w)] = rng.integers(50, 235, 3)
        for x in (0.22, 0.78):
            cv2.circle(image, (round(x * w), round(0.86 * h)), max(2, round(0.13 * h)), (25, 25, 28), -1)
    else:
        image[: round(0.22 * h)] = (205, 165, 140)
        image[round(0.55 * h) :] = rng.integers(30, 120, 3)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.2), np.float32) + noise(rng, size, strength=15.0)
    labels = np.full(size, label, np.uint8)
    return Texture(np.clip(image, 0, 255).astype(np.uint8), labels, is_round=label != CAR)
