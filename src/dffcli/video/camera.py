"""Frames of a camera of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import cv2
import numpy as np

from dffcli.core.types import Frame, SourceInfo
from dffcli.errors import VideoDecodeError, VideoOpenError
from dffcli.video.source import SourceNotes

TICK = Fraction(1, 1_000_000)  # seconds; the clock of a camera is the time its pictures arrive


class Camera:
    """A camera by its number, until it is unplugged or the reader has had enough."""

    def __init__(self, number: int) -> None:
        """Start it.

        Raises:
            VideoOpenError: there is no such camera, or it gives no picture.
        """
        self._number = number
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would tell its own story on stderr
        self._capture = cv2.VideoCapture(number)
        picture = self._capture.read()[1] if self._capture.isOpened() else None
        if picture is None:
            self._capture.release()
            raise VideoOpenError(f"camera {number}: there is none, or it gives no picture")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._frames = 0
        self._stopped = False
        self.info = SourceInfo(
            name=f"camera-{number}",
            size=(picture.shape[0], picture.shape[1]),
            time_base=TICK,
            average_rate=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
            is_live=True,
            may_stall=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    @property
    def notes(self) -> SourceNotes:
        """What was noticed so far."""
        return SourceNotes(frames=self._frames)

    def tracks(self) -> None:
        """A camera is read without sound."""

    def stop(self) -> None:
        """End with the next picture."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        began = time.monotonic_ns()
        previous = Fraction(-1)
        while not self._stopped:
            _, picture = self._capture.read()
            if picture is None:
                raise VideoDecodeError(f"camera {self._number}: gives no more pictures after {self._frames} frames")
            seconds = max((time.monotonic_ns() - began) // 1000 * TICK, previous + TICK)
            index, self._frames, previous = self._frames, self._frames + 1, seconds
            image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            yield Frame(index=index, image=image, pts_seconds=seconds)
