"""The source's video with every frame's annotation drawn in."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from dffcli.core.types import FrameResult
from dffcli.render.overlay import Overlay
from dffcli.video.writer import VideoWriter


class OverlaySink:
    """An overlaid video: same frames, times, shape and sound as the source.

    Args:
        overlay: draws.
        writer: encodes, not begun.
    """

    def __init__(self, overlay: Overlay, writer: VideoWriter) -> None:
        self._overlay = overlay
        self._writer = writer
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, result: FrameResult) -> None:
        """Draw and encode one frame."""
        frame = result.frame
        picture = self._overlay.draw(frame.image, result.prediction)
        self._writer.write(picture, frame.pts_seconds, frame.duration_seconds)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the writer had to leave out."""
        return tuple(self._writer.notes)
