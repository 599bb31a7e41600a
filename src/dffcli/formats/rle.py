"""Masks to and from COCO's run lengths.

A mask is read column by column; runs of outside and inside alternate, outside first.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from dffcli.core.types import UInt8Array
from dffcli.errors import DataError

Rle = dict[str, Any]
"""`{"size": [height, width], "counts": text}`, as COCO writes it."""


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """Run lengths of one mask, `[H, W]`."""
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def encode_label_map(labels: UInt8Array) -> dict[int, Rle]:
    """Run lengths of every value of a label map, by value, in one pass.

    Args:
        labels: `[H, W]`.
    """
    h, w = labels.shape
    columns = np.asarray(cv2.transpose(labels)).ravel() if labels.size else labels.ravel()
    starts = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    starts = np.concatenate(([0], starts))
    ends = np.append(starts[1:], columns.size)
    values = columns[starts]
    found: dict[int, Rle] = {}
    for value in np.unique(values):
        rows = values == value
        inner_starts, inner_ends = starts[rows], ends[rows]
        runs = np.empty(2 * len(inner_starts), np.int64)
        runs[0] = inner_starts[0]
        runs[2::2] = inner_starts[1:] - inner_ends[:-1]
        runs[1::2] = inner_ends - inner_starts
        if inner_ends[-1] < columns.size:
            runs = np.append(runs, columns.size - inner_ends[-1])
        rle = coco_mask.frPyObjects({"size": [h, w], "counts": runs.tolist()}, h, w)
        found[int(value)] = {"size": [h, w], "counts": rle["counts"].decode("ascii")}
    return found


def rle_area(rle: Rle) -> int:
    """Pixels inside."""
    return int(coco_mask.area(rle))


def rle_box(rle: Rle) -> list[float]:
    """The smallest box around the mask, `x, y, width, height`."""
    return [float(value) for value in coco_mask.toBbox(rle)]


def decode_mask(segmentation: Any, *, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """A mask from anything COCO allows: compressed or plain run lengths, or polygons.

    Args:
        segmentation: as it stands in the JSON.
        size: `(height, width)` of the picture.
        where: what to call it in an error.

    Returns:
        `[H, W]` bool.

    Raises:
        DataError: it is none of these, or does not fit the picture.
    """
    h, w = size
    try:
        if isinstance(segmentation, Mapping):
            claimed = [int(side) for side in segmentation["size"]]
            if claimed != [h, w]:
                raise DataError(f"{where}: expected a mask of {h} x {w}, got {claimed}")
            runs = _runs(segmentation["counts"])
            if any(run < 0 for run in runs) or sum(runs) != h * w:
                raise DataError(f"{where}: expected run lengths for {h * w} pixels, got {sum(runs)}")
            return _from_runs(runs, size)
        if isinstance(segmentation, list) and all(len(polygon) >= 6 for polygon in segmentation):
            rles = coco_mask.frPyObjects([[float(value) for value in polygon] for polygon in segmentation], h, w)
            return _from_runs(_runs(coco_mask.merge(rles)["counts"]), size)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where}: expected a COCO mask, got something else ({error})") from error
    raise DataError(f"{where}: expected run lengths or polygons of at least 3 points")


def mask_runs(mask: NDArray[np.bool_]) -> list[int]:
    """Plain run lengths of a mask read row by row, outside first (CVAT's way)."""
    flat = np.concatenate(([False], mask.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1]).tolist()
    bounds = [0, *edges]
    runs = [after - before for before, after in pairwise(bounds)]
    if mask.size - bounds[-1]:
        runs.append(mask.size - bounds[-1])
    return runs


def _from_runs(runs: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    inside = np.zeros(len(runs), bool)
    inside[1::2] = True
    h, w = size
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(w, h).T)


def _runs(counts: Any) -> list[int]:
    """Run lengths from COCO's text (base 48 digits of 5 bits, from the fourth on as differences) or a plain list."""
    if isinstance(counts, list):
        return [int(count) for count in counts]
    text = counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
    runs: list[int] = []
    value, shift = 0, 0
    for byte in text:
        digit = byte - 48
        if not 0 <= digit < 64 or shift > 35:
            raise ValueError("broken run lengths")
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        if len(runs) > 2:
            value += runs[-2]
        runs.append(value)
        value, shift = 0, 0
    if shift:
        raise ValueError("run lengths end in the middle of a number")
    return runs
