"""The reduced grey picture that classical flow works on, on the grid of the network's padded input."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from dffcli.types import Float32Array, FlowField, PreparedImage, UInt8Array

SMALLEST_SIDE = 16  # pixels; DIS raises below about 12


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
    reduced = cv2.resize(luma, (w, h), interpolation=cv2.INTER_AREA)  # OpenCV order
    if (padded_h, padded_w) != (h, w):
        reduced = cv2.copyMakeBorder(reduced, 0, max(0, padded_h - h), 0, max(0, padded_w - w), cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(reduced, dtype=np.uint8)


def field_from_grey(
    key: UInt8Array, current: UInt8Array, displacement: Float32Array, *, image: PreparedImage | None = None
) -> FlowField:
    """A field from `(dx, dy)`, `[h, w, 2]`, in pixels of two grey pictures, with how badly they match under it.

    `image` is the current picture, for estimators that chain the next frame's field onto this one.
    """
    mismatch = grey_mismatch(key, current, displacement)
    vectors = torch.from_numpy(np.ascontiguousarray(displacement.transpose(2, 0, 1)[np.newaxis]))  # [1, 2, h, w]
    return FlowField(vectors, mismatch=mismatch, current=image)


def chain(step: Float32Array, field: FlowField) -> Float32Array:
    """Follow a step to the frame beside, and that frame's field from there on to the key.

    Args:
        step: `(dx, dy)`, current -> the frame beside it, in pixels of the field's grid, `[h, w, 2]`.
        field: the frame beside -> key.

    Returns:
        `(dx, dy)`, current -> key, `[h, w, 2]`.
    """
    onward = np.ascontiguousarray(field.displacement[0].permute(1, 2, 0).numpy())  # [h, w, 2]
    rows, columns = np.indices(step.shape[:2], dtype=np.float32)
    carried = cv2.remap(
        onward, columns + step[..., 0], rows + step[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return step + np.asarray(carried, np.float32)


def grey_mismatch(key: UInt8Array, current: UInt8Array, displacement: Float32Array) -> Float32Array:
    """How badly the warped key picture matches the current one.

    Args:
        key: grey picture of the key frame, `[h, w]`.
        current: grey picture of the current frame, `[h, w]`.
        displacement: `(dx, dy)`, current -> key, in pixels of these pictures, `[h, w, 2]`.

    Returns:
        Mean absolute difference over a 5 x 5 neighbourhood, in grey levels, `[h, w]`.
    """
    h, w = current.shape
    rows, columns = np.indices((h, w), dtype=np.float32)
    warped = cv2.remap(
        key,
        columns + displacement[..., 0],
        rows + displacement[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    difference = cv2.absdiff(warped, current).astype(np.float32)
    return np.asarray(cv2.blur(difference, (5, 5)), np.float32)
