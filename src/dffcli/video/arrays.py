"""Frames that are already in memory, or made on the way, as a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, Self

import numpy as np

from dffcli.core.show import brief
from dffcli.core.types import Frame, SourceInfo, UInt8Array
from dffcli.errors import VideoOpenError
from dffcli.video.source import SourceNotes


class ArraySource:
    """A source made of pictures.

    Args:
        pictures: `Frame`s, or arrays, RGB uint8 `[H, W, 3]`; any iterable, read once.
        fps: frames per second, for arrays.
        name: for outputs and messages.

    Raises:
        VideoOpenError: there is none, or the first is no picture.
    """

    def __init__(self, pictures: Iterable[Frame | UInt8Array], *, fps: Fraction, name: str = "frames") -> None:
        self._frames = self._numbered(iter(pictures), fps)
        first = next(self._frames, None)
        if first is None:
            raise VideoOpenError(f"{name}: expected at least one frame, got none")
        self._given = chain((first,), self._frames)
        self._count = 0
        self._stopped = False
        self.info = SourceInfo(name, first.size, 1 / fps, fps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @property
    def notes(self) -> SourceNotes:
        """Nothing odd."""
        return SourceNotes(frames=self._count)

    def __iter__(self) -> Iterator[Frame]:
        """The frames."""
        for frame in self._given:
            if self._stopped:
                return
            self._count += 1
            yield frame

    def stop(self) -> None:
        """End with the next picture."""
        self._stopped = True

    def tracks(self) -> None:
        """Pictures have no sound."""

    def _numbered(self, pictures: Iterator[Any], fps: Fraction) -> Iterator[Frame]:
        for index, picture in enumerate(pictures):
            if isinstance(picture, Frame):
                yield picture
            elif isinstance(picture, np.ndarray):
                yield Frame(index, picture, Fraction(index) / fps, 1 / fps)
            else:
                raise VideoOpenError(f"frame {index}: expected a Frame or an RGB array, got {brief(picture)}")
