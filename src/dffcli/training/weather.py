"""Random weather and bad light in a picture: shadow, fog, rain, dusk, glare, a moving or a coarse camera."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import UInt8Array

Rng = np.random.Generator


def random_weather(image: UInt8Array, *, rng: Rng) -> UInt8Array:
    """The same RGB picture on a worse day, with one of the kinds below."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    return kind(image, rng)


def _ramp(size: tuple[int, int], rng: Rng) -> NDArray[np.float32]:
    """0 to 1 across a random straight edge somewhere in a picture of `size`, `[H, W]`."""
    h, w = size
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.ogrid[:h, :w]
    across = (columns - rng.uniform(0.1, 0.9) * w) * np.cos(angle) + (rows - rng.uniform(0.1, 0.9) * h) * np.sin(angle)
    return np.asarray(np.clip(across / rng.uniform(2, 25) + 0.5, 0, 1), np.float32)


def _shadow(image: UInt8Array, rng: Rng) -> UInt8Array:
    """A part behind an edge, or a stripe between two edges, lies in a bluish shadow."""
    dark = _ramp(image.shape[:2], rng)
    if rng.random() < 0.6:
        dark *= _ramp(image.shape[:2], rng)
    depth = rng.uniform(0.3, 0.7) * np.array([1.0, 0.97, 0.88], np.float32)
    return np.asarray(image * (1 - dark[..., None] * depth.astype(np.float32)), np.uint8)


def _fog(image: UInt8Array, rng: Rng) -> UInt8Array:
    """Thick towards a horizon, thin below it; far things are about as high as the horizon."""
    h = image.shape[0]
    horizon = rng.uniform(0.25, 0.6) * h
    below = np.clip((np.arange(h) - horizon) / (h - horizon), 0, 1)
    share = rng.uniform(0.35, 0.85) * (1 - 0.85 * below) * np.where(np.arange(h) < horizon, rng.uniform(0.6, 1), 1)
    haze = rng.uniform(150, 235) * np.array([0.98, 1.0, 1.02])
    weight = share.astype(np.float32)[:, None, None]
    return np.asarray(np.clip(image * (1 - weight) + weight * haze.astype(np.float32), 0, 255), np.uint8)


def _rain(image: UInt8Array, rng: Rng) -> UInt8Array:
    """Bright streaks over a duller picture."""
    h, w = image.shape[:2]
    drops = (rng.random((h, w)) > rng.uniform(0.985, 0.997)).astype(np.float32)
    streaks = cv2.filter2D(drops, -1, _line(int(rng.integers(7, 21)), rng.uniform(60, 120)))
    strength = rng.uniform(150, 500)
    dull = image * np.float32(rng.uniform(0.7, 0.95)) + np.float32(rng.uniform(5, 25))
    return np.asarray(np.clip(dull + strength * streaks[..., None], 0, 255), np.uint8)


def _line(length: int, degrees: float) -> NDArray[np.float32]:
    """A kernel that smears along a line."""
    kernel = np.zeros((length, length), np.float32)
    middle, reach = (length - 1) / 2, (length - 1) / 2
    dx, dy = reach * np.cos(np.deg2rad(degrees)), reach * np.sin(np.deg2rad(degrees))
    start, end = (round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))
    cv2.line(kernel, start, end, 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _smear(image: UInt8Array, rng: Rng) -> UInt8Array:
    """The camera moved while the shutter was open."""
    return np.asarray(cv2.filter2D(image, -1, _line(int(rng.integers(3, 10)), rng.uniform(0, 180))), np.uint8)


def _dusk(image: UInt8Array, rng: Rng) -> UInt8Array:
    """Little light, of some colour, with the noise of a camera that does what it can."""
    gain = rng.uniform(0.4, 0.75) * np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.65, 1.05)])
    noise = rng.standard_normal(image.shape[:2]).astype(np.float32) * np.float32(rng.uniform(2, 9))
    return np.asarray(np.clip(image * gain.astype(np.float32) + noise[..., None], 0, 255), np.uint8)


def _glare(image: UInt8Array, rng: Rng) -> UInt8Array:
    """A light shines into the lens."""
    h, w = image.shape[:2]
    rows, columns = np.ogrid[:h, :w]
    squared = (rows - rng.uniform(0, 0.6) * h) ** 2 + (columns - rng.uniform(0, 1) * w) ** 2
    reach = rng.uniform(0.15, 0.5) * w
    light = rng.uniform(80, 230) * np.exp(-squared / (2 * reach**2)) + rng.uniform(0, 30)
    return np.asarray(np.clip(image + light.astype(np.float32)[..., None], 0, 255), np.uint8)


def _coarse(image: UInt8Array, rng: Rng) -> UInt8Array:
    """Taken with fewer pixels, and compressed."""
    h, w = image.shape[:2]
    share = rng.uniform(0.3, 0.8)
    small = cv2.resize(image, (round(w * share), round(h * share)), interpolation=cv2.INTER_AREA)
    _, code = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))])
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(decoded, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


Kind = Callable[[UInt8Array, Rng], UInt8Array]

KINDS: tuple[Kind, ...] = (_shadow, _shadow, _fog, _rain, _smear, _dusk, _glare, _coarse)
