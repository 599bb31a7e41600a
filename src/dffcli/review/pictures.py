"""Single frames of a source as JPEG, for what a browser cannot play."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

import cv2

from dffcli.core.types import Frame
from dffcli.errors import DFFError, InputError
from dffcli.video.reader import open_source

KEPT = 64  # pictures
AHEAD = 96  # frames that are read on to reach a picture rather than beginning anew
QUALITY = 88


class Pictures:
    """Frames by their position in the source; neighbours come quickly, a step back begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._frames: Iterator[Frame] = iter(())
        self._next: int | None = None  # the position of the frame that comes next, once the source is open
        self._stack = ExitStack()

    def jpeg(self, index: int) -> bytes:
        """One frame.

        Raises:
            DFFError: the source cannot be read, or has no such frame.
        """
        with self._lock:
            if index not in self._kept:
                self._read_to(index)
            self._kept.move_to_end(index)
            return self._kept[index]

    def close(self) -> None:
        """Let the source go."""
        with self._lock:
            self._stack.close()

    def _read_to(self, index: int) -> None:
        if self._next is None or not self._next <= index <= self._next + AHEAD:
            self._begin()
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index >= index - KEPT // 2:
                self._keep(frame)
            if frame.index >= index:
                break
        if index not in self._kept:
            raise InputError(f"{self._path}: has no frame {index}")

    def _begin(self) -> None:
        self._stack.close()
        self._stack = ExitStack()
        source = self._stack.enter_context(open_source(str(self._path)))
        self._frames = iter(source)
        self._next = 0

    def _keep(self, frame: Frame) -> None:
        good, data = cv2.imencode(
            ".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
        if not good:
            raise DFFError(f"{self._path}: frame {frame.index} cannot be encoded")
        self._kept[frame.index] = data.tobytes()
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
