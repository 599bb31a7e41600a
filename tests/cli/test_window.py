"""`--show`: a window beside the run, never instead of it."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dffcli.categories import Category
from dffcli.cli import main
from dffcli.cli.window import Window
from dffcli.core.types import Frame, FrameResult, KeyReason, SegmentationMap, SourceInfo
from dffcli.errors import OutputError
from tests.make_clip import make_clip

INFO = SourceInfo("clip.mp4", (20, 30), Fraction(1, 25))
RED = Category(0, "red", (255, 0, 0))


class Screen:
    """Stands for OpenCV's windows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, keys: tuple[int, ...] = ()) -> None:
        self.shown: list[np.ndarray] = []
        self.closed = 0
        self._keys = list(keys)
        monkeypatch.setenv("DISPLAY", ":9")
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "setWindowTitle", lambda *_: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
        monkeypatch.setattr(cv2, "imshow", lambda _title, picture: self.shown.append(picture))
        monkeypatch.setattr(cv2, "waitKey", lambda _ms: self._keys.pop(0) if self._keys else -1)
        monkeypatch.setattr(cv2, "destroyAllWindows", self._close)

    def _close(self) -> None:
        self.closed += 1


def result(index: int) -> FrameResult:
    frame = Frame(index, np.zeros((20, 30, 3), np.uint8), Fraction(index, 25))
    return FrameResult(frame, SegmentationMap(np.zeros((20, 30), np.uint8)), KeyReason.FIRST)


def test_frames_are_shown_in_their_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch)
    with Window(opacity=1.0) as window:
        window.start(INFO, (RED,))
        window.show(result(0))

    assert screen.shown[0][2, 2].tolist() == [0, 0, 255]  # red, as OpenCV has it
    assert screen.closed == 1


def test_q_closes_the_window_and_not_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, keys=(-1, ord("q")))
    with Window(opacity=1.0) as window:
        window.start(INFO, (RED,))
        for index in range(5):
            window.show(result(index))

    assert len(screen.shown) == 2
    assert screen.closed == 1


def test_the_run_is_shown_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    screen = Screen(monkeypatch)
    clip = tmp_path / "clip.mp4"
    make_clip(str(clip), frames=6, size=(64, 64))
    assert main(["segment", str(clip), "-o", str(tmp_path / "out.mp4"), "--show", "--quiet"]) == 0
    assert len(screen.shown) == 6
    assert (tmp_path / "out.mp4").is_file()


def test_a_library_without_windows_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_windows(*_: object) -> None:
        raise cv2.error("not implemented")

    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setattr(cv2, "namedWindow", no_windows)
    clip = tmp_path / "clip.mp4"
    make_clip(str(clip), frames=3, size=(64, 64))

    assert main(["segment", str(clip), "-o", str(tmp_path / "out.mp4"), "--show"]) == 1
    assert "pip install opencv-python" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


def test_no_screen_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OutputError, match="no screen"), Window(opacity=0.5):
        pass
