"""The frames on which a variant differs most from per-frame evaluation, as pairs of pictures to look at."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

import cv2
import numpy as np

from dffcli.categories import Category
from dffcli.core.agreement import disagreement
from dffcli.core.types import FrameResult, Prediction, UInt8Array
from dffcli.errors import OutputError
from dffcli.render.overlay import Overlay

LONG_SIDE = 640  # pixels of a kept picture
QUALITY = 80  # of its JPEG
OPACITY = 0.5  # of masks


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """One frame in both answers.

    Attributes:
        index: of the frame.
        seconds: its time, for people.
        disagreement: 0 (the same) to 1.
        propagated: the variant's answer drawn in, JPEG.
        full: per-frame evaluation's.
    """

    index: int
    seconds: float
    disagreement: float
    propagated: bytes
    full: bytes


@dataclass(slots=True)
class Worst:
    """Keeps the worst frames of a variant, at most `most`."""

    categories: tuple[Category, ...]
    most: int
    _kept: list[tuple[float, int, WorstFrame]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def see(self, found: FrameResult, reference: Prediction) -> None:
        """Judge one frame; it is drawn only if it is among the worst so far."""
        if not self.most:
            return
        share = disagreement(found.prediction, reference).share
        if share <= 0 or (len(self._kept) == self.most and share <= self._kept[0][0]):
            return
        frame = found.frame
        pictures = [_drawn(self.categories, frame.image, answer) for answer in (found.prediction, reference)]
        worst = WorstFrame(frame.index, float(frame.pts_seconds), share, *pictures)
        entry = (share, -next(self._order), worst)
        if len(self._kept) < self.most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heapreplace(self._kept, entry)

    def frames(self) -> tuple[WorstFrame, ...]:
        """The worst first."""
        return tuple(item[2] for item in sorted(self._kept, key=lambda item: item[:2], reverse=True))


def _drawn(categories: tuple[Category, ...], image: UInt8Array, answer: Prediction) -> bytes:
    picture = Overlay(categories, opacity=OPACITY).draw(image, answer)
    share = LONG_SIDE / max(picture.shape[:2])
    if share < 1:
        size_wh = round(picture.shape[1] * share), round(picture.shape[0] * share)  # OpenCV order
        picture = np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)  # OpenCV writes BGR
    good, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not good:
        raise OutputError("a picture of the comparison cannot be encoded")
    return data.tobytes()
