"""A window that shows every frame as it is done (`--show`)."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

import cv2

from dffcli.categories import Category
from dffcli.core.types import FrameResult, SourceInfo
from dffcli.errors import OutputError
from dffcli.render.overlay import Overlay

CLOSE_KEYS = (27, ord("q"))  # Escape and q


class Window:
    """Shows annotated frames until it is closed; the run of a file goes on without it, that of a stream ends.

    Args:
        opacity: how strongly masks are painted, 0..1.
    """

    def __init__(self, *, opacity: float) -> None:
        self._opacity = opacity
        self._title = "dff"
        self._overlay: Overlay | None = None
        self._is_open = False

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            OutputError: this OpenCV has no windows, or there is no screen.
        """
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise OutputError("--show: there is no screen here (DISPLAY is not set)")
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise OutputError(
                "--show: the installed opencv-python-headless has no windows: put opencv-python in its place "
                "(pip uninstall opencv-python-headless; pip install opencv-python)"
            ) from error
        self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._close()

    def start(self, info: SourceInfo, categories: tuple[Category, ...]) -> None:
        """Told what is to come: its name, its size and what can be drawn."""
        if self._is_open:
            self._overlay = Overlay(categories, opacity=self._opacity)
            cv2.setWindowTitle(self._title, f"dff: {info.name}")
            cv2.resizeWindow(self._title, info.size[1], info.size[0])  # OpenCV order

    def show(self, result: FrameResult) -> None:
        """Show one frame; closes on Escape, q, or the window's own button."""
        if not self._is_open or self._overlay is None:
            return
        picture = self._overlay.draw(result.frame.image, result.prediction)
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))  # OpenCV shows BGR
        key = cv2.waitKey(1) & 0xFF
        if key in CLOSE_KEYS or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._close()

    @property
    def is_open(self) -> bool:
        """Nobody has closed it."""
        return self._is_open

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            cv2.destroyAllWindows()
