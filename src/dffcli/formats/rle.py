"""One object's pixels, as an array or as COCO's run lengths, whichever is at hand.

A mask of run lengths is read column by column; runs of outside and inside alternate, outside first. A file's masks stay
run lengths until somebody needs their pixels: three hundred of 8192 x 8192 are a few kilobytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from dffcli.core.types import UInt8Array
from dffcli.errors import DataError

Rle = dict[str, Any]
"""`{"size": [height, width], "counts": text}`, as COCO writes it."""

MAX_POINTS = 100_000  # of one polygon
FAR = 100_000.0  # pixels from the picture's corner that a point may lie; pycocotools breaks far beyond
MAX_LENGTH = 2_000_000.0  # pixels along an outline; pycocotools keeps every one of them


class Mask:
    """One object's pixels."""

    __slots__ = ("_array", "_rle", "size")

    def __init__(
        self, size: tuple[int, int], *, array: NDArray[np.bool_] | None = None, rle: Rle | None = None
    ) -> None:
        """Keep one of the two forms.

        Args:
            size: `(height, width)` of the picture.
            array: `[H, W]` bool.
            rle: run lengths, known to be sound.
        """
        self.size = size
        self._array = array
        self._rle = rle

    @classmethod
    def of_array(cls, array: NDArray[np.bool_]) -> Self:
        """The mask of an array `[H, W]`."""
        return cls((array.shape[0], array.shape[1]), array=array)

    @classmethod
    def of_coco(cls, segmentation: Mapping[str, Any], *, size: tuple[int, int]) -> Self:
        """The mask of COCO's run lengths, compressed or plain.

        Args:
            segmentation: as it stands in the JSON.
            size: `(height, width)` of the picture.

        Raises:
            ValueError: it is none, or does not fit the picture.
        """
        h, w = size
        claimed = segmentation["size"]
        if not isinstance(claimed, list) or [int(side) for side in claimed] != [h, w]:
            raise ValueError(f"expected a mask of {h} x {w}, got {str(claimed)[:40]}")
        runs = _runs(segmentation["counts"])
        return cls(size, rle=_rle_of_runs(runs, size))

    @classmethod
    def of_rows(cls, runs: Sequence[int], *, place: tuple[int, int, int, int], size: tuple[int, int]) -> Self:
        """The mask of plain run lengths read row by row within a box, outside first (CVAT's way).

        Args:
            runs: run lengths.
            place: `left, top, width, height` of the box.
            size: `(height, width)` of the picture.

        Raises:
            ValueError: it does not fit the picture.
        """
        left, top, width, height = place
        if left + width > size[1] or top + height > size[0]:
            raise ValueError(
                f"expected a mask within {size[1]} x {size[0]}, got one up to {left + width}, {top + height}"
            )
        if sum(runs) != width * height:
            raise ValueError(f"expected run lengths for {width * height} pixels, got {sum(runs)}")
        inside = np.zeros(len(runs), bool)
        inside[1::2] = True
        part = np.repeat(inside, runs).reshape(height, width)
        whole = np.zeros(size, bool, order="F")
        whole[top : top + height, left : left + width] = part
        return cls(size, rle=encode_mask(whole))

    @classmethod
    def of_polygons(cls, polygons: Sequence[Sequence[float]], *, size: tuple[int, int]) -> Self:
        """The pixels inside any of several polygons.

        Raises:
            ValueError: a number is none that a picture has.
        """
        h, w = size
        for polygon in polygons:
            check_polygon(polygon, size=size)
        rles = coco_mask.frPyObjects([list(polygon) for polygon in polygons], h, w)
        rle = coco_mask.merge(rles)
        return cls(size, rle={"size": [h, w], "counts": rle["counts"].decode("ascii")})

    @property
    def rle(self) -> Rle:
        """Run lengths, as COCO writes them."""
        if self._rle is None:
            self._rle = encode_mask(self.array)
        return self._rle

    @property
    def array(self) -> NDArray[np.bool_]:
        """`[H, W]` bool."""
        if self._array is not None:
            return self._array
        return _from_runs(_runs(self.rle["counts"]), self.size)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return rle_area(self.rle)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The smallest box around it, `x1, y1, x2, y2`."""
        x, y, w, h = rle_box(self.rle)
        return x, y, x + w, y + h


def check_polygon(polygon: Sequence[float], *, size: tuple[int, int]) -> None:
    """Refuse what is no polygon near a picture: pycocotools crashes over numbers that are not finite, or huge.

    Raises:
        ValueError: it has under three points or over `MAX_POINTS`, a point is not near the picture, or it is too long.
    """
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"expected at least 3 points, got {len(polygon)} numbers")
    if len(polygon) > 2 * MAX_POINTS:
        raise ValueError(f"expected at most {MAX_POINTS} points, got {len(polygon) // 2}")
    for value in polygon:
        if not math.isfinite(value) or not -FAR <= value <= max(size) + FAR:
            raise ValueError(f"expected points near a picture of {size[1]} x {size[0]}, got {value:g}")
    points = np.array(polygon, np.float64).reshape(-1, 2)
    if np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum() > MAX_LENGTH:
        raise ValueError(f"expected an outline of at most {MAX_LENGTH:,.0f} pixels, got a longer one")


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


def mask_runs(mask: NDArray[np.bool_]) -> list[int]:
    """Plain run lengths of a mask read row by row, outside first (CVAT's way)."""
    flat = np.concatenate(([False], mask.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1]).tolist()
    bounds = [0, *edges]
    runs = [after - before for before, after in pairwise(bounds)]
    if mask.size - bounds[-1]:
        runs.append(mask.size - bounds[-1])
    return runs


def outlines(mask: Mask) -> tuple[tuple[tuple[float, ...], ...], int]:
    """The outlines of a mask's parts as polygons, and how many holes they do not show.

    Points lie on the outer edges of the pixels' rows and columns, so that a filled rectangle keeps its four corners.
    """
    x1, y1, x2, y2 = (int(side) for side in mask.box)
    if x2 <= x1 or y2 <= y1:
        return (), 0
    part = np.ascontiguousarray(mask.array[y1:y2, x1:x2], np.uint8)
    twice = cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)  # so that one pixel has an area
    found, family = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    polygons, holes = [], 0
    for place, contour in enumerate(found):
        if family[0][place][3] >= 0:
            holes += 1
            continue
        points = contour[:, 0].astype(np.float64)
        points = (points + (points % 2)) / 2  # odd places are a pixel's far side
        points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
        if len(points) >= 3:
            polygons.append(tuple((points + np.array([x1, y1])).ravel().tolist()))
    return tuple(polygons), holes


def _from_runs(runs: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    inside = np.zeros(len(runs), bool)
    inside[1::2] = True
    h, w = size
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(w, h).T)


def _rle_of_runs(runs: list[int], size: tuple[int, int]) -> Rle:
    h, w = size
    if any(run < 0 for run in runs) or sum(runs) != h * w:
        raise ValueError(f"expected run lengths for {h * w} pixels, got {sum(runs)}")
    rle = coco_mask.frPyObjects({"size": [h, w], "counts": runs}, h, w)
    return {"size": [h, w], "counts": rle["counts"].decode("ascii")}


def _runs(counts: Any) -> list[int]:
    """Run lengths from COCO's text (base 48 digits of 5 bits, from the fourth on as differences) or a plain list."""
    if isinstance(counts, list):
        if not all(type(count) is int for count in counts):
            raise ValueError("expected whole run lengths")
        return list(counts)
    if not isinstance(counts, str | bytes):
        raise ValueError(f"expected run lengths as a text or a list, got {type(counts).__name__}")
    text = counts.encode("ascii") if isinstance(counts, str) else counts
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
    try:
        if isinstance(segmentation, Mapping):
            return Mask.of_coco(segmentation, size=size).array
        if isinstance(segmentation, list) and segmentation:
            return Mask.of_polygons([[float(x) for x in polygon] for polygon in segmentation], size=size).array
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise DataError(f"{where}: expected a COCO mask, got something else ({error})") from error
    raise DataError(f"{where}: expected run lengths or polygons of at least 3 points")
