"""The reduced grey picture that classical flow works on, on the grid of the network's padded input."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
import torch

from dffcli.core.reduce import reduced
from dffcli.core.types import Float32Array, FlowField, PreparedImage, UInt8Array

SMALLEST_SIDE = 16  # pixels; DIS raises below about 12
SMOOTH = 2.0  # times smaller: flow does not mind a pixel left out, and this is asked of every frame
NEIGHBOURHOOD = 3  # pixels a side, over which the photometric error is averaged


def grey_picture(image: PreparedImage, *, long_side: int) -> UInt8Array:
    """The frame in grey, reduced so that its content's long side is at most `long_side`, padded like the input.

    The padding repeats the border, so that flow does not see an edge there. Made once per picture and size.
    """
    key = ("grey", long_side)
    if key not in image.cache:
        image.cache[key] = _reduce(image, long_side=long_side)
    picture: UInt8Array = image.cache[key]
    return picture


def _reduce(image: PreparedImage, *, long_side: int) -> UInt8Array:
    frame = image.frame
    luma = frame.luma if frame.luma is not None else cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    ratio = min(1.0, long_side / max(image.content_size))
    ratio = max(ratio, SMALLEST_SIDE / min(image.content_size))
    h, w = (max(1, round(side * ratio)) for side in image.content_size)
    padded_h, padded_w = (round(side * ratio) for side in image.padded_size)
    grey = reduced(np.asarray(luma, np.uint8), (h, w), smooth=SMOOTH)
    if (padded_h, padded_w) != (h, w):
        edges = 0, max(0, padded_h - h), 0, max(0, padded_w - w)
        grey = np.asarray(cv2.copyMakeBorder(grey, *edges, cv2.BORDER_REPLICATE), np.uint8)
    return np.ascontiguousarray(grey)


def field_from_grey(
    key: UInt8Array, current: UInt8Array, displacement: Float32Array, *, image: PreparedImage | None = None
) -> FlowField:
    """A field from `(dx, dy)`, `[h, w, 2]`, in pixels of two grey pictures, with how badly they match under it.

    `image` is the current picture, for estimators that chain the next frame's field onto this one.
    """
    error = photometric_error(key, current, displacement)
    vectors = torch.from_numpy(np.ascontiguousarray(displacement)).permute(2, 0, 1)[None]  # [1, 2, h, w], no copy
    return FlowField(vectors, photometric_error=error, current=image)


def follow(step: Float32Array, field: FlowField) -> Float32Array:
    """Follow a step to the frame beside, and that frame's field from there on to the key.

    Args:
        step: `(dx, dy)`, current -> the frame beside it, in pixels of the field's grid, `[h, w, 2]`.
        field: the frame beside -> key.

    Returns:
        `(dx, dy)`, current -> key, `[h, w, 2]`.
    """
    onward = np.ascontiguousarray(field.displacement[0].permute(1, 2, 0).numpy())  # [h, w, 2]
    return step + _read(onward, step)


def inverted(step: Float32Array, *, rounds: int = 2) -> Float32Array:
    """The field that leads back: b with b(p) = -step(p + b(p)), by fixed-point iteration.

    Where the step leads several places to one, or none to a place, there is no way back; what is left there is that
    of the places around it.

    Args:
        step: `(dx, dy)`, one frame -> another, in pixels, `[h, w, 2]`.
        rounds: of the iteration.

    Returns:
        `(dx, dy)`, the other frame -> the one, `[h, w, 2]`.
    """
    back = -step
    for _ in range(rounds):
        back = -_read(step, back)
    return back


def photometric_error(key: UInt8Array, current: UInt8Array, displacement: Float32Array) -> Float32Array:
    """How badly the warped key picture matches the current one.

    Args:
        key: grey picture of the key frame, `[h, w]`.
        current: grey picture of the current frame, `[h, w]`.
        displacement: `(dx, dy)`, current -> key, in pixels of these pictures, `[h, w, 2]`.

    Returns:
        Mean absolute difference over a neighbourhood, in grey levels, `[h, w]`.
    """
    difference = cv2.absdiff(_read(key, displacement), current)
    return np.asarray(cv2.blur(difference.astype(np.float32), (NEIGHBOURHOOD, NEIGHBOURHOOD)), np.float32)


AnyArray = TypeVar("AnyArray", UInt8Array, Float32Array)


def _read(values: AnyArray, displacement: Float32Array) -> AnyArray:
    """Values at p + displacement(p), bilinearly; outside, the border repeats."""
    places = _grid(displacement.shape[0], displacement.shape[1]) + displacement
    read = cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]  # None is allowed
    return np.asarray(read, values.dtype)


@lru_cache(maxsize=8)
def _grid(h: int, w: int) -> Float32Array:
    """`(x, y)` of every place, `[h, w, 2]`."""
    rows, columns = np.indices((h, w), dtype=np.float32)
    return np.ascontiguousarray(np.stack((columns, rows), 2))
