"""What the user names becomes the right source."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dffcli.core.types import UInt8Array
from dffcli.errors import InputError, VideoDecodeError, VideoOpenError
from dffcli.video.camera import Camera
from dffcli.video.images import natural_key
from dffcli.video.reader import open_source
from tests.video.media import SIZE, make_video, picture


def make_images(folder: Path, names: list[str], size: tuple[int, int] = SIZE) -> None:
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(picture(index, size)).save(folder / name)


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    names = ["f1.png", "f2.png", "f10.png", "F11.PNG"]
    make_images(tmp_path / "in", names)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    (tmp_path / "in" / "._f1.png").write_text("what some systems leave behind")
    with open_source(str(tmp_path / "in")) as source:
        frames = list(source)

    assert [frame.name for frame in frames] == names
    assert [frame.pts_seconds for frame in frames] == [Fraction(i, 25) for i in range(4)]
    assert all((frame.image == picture(i)).all() for i, frame in enumerate(frames))
    assert (source.info.name, source.info.frame_count, source.info.size) == ("in", 4, SIZE)
    assert source.info.path == str(tmp_path / "in")
    assert source.notes.lines() == []


def test_a_glob_and_a_single_image_are_read(tmp_path: Path) -> None:
    make_images(tmp_path, ["a1.png", "a2.png", "b.png"])
    with open_source(str(tmp_path / "a*.png")) as source:
        assert [frame.name for frame in source] == ["a1.png", "a2.png"]
    with open_source(str(tmp_path / "b.png")) as source:
        assert [frame.name for frame in source] == ["b.png"]


def test_a_rate_of_images_and_a_part_of_them_can_be_chosen(tmp_path: Path) -> None:
    make_images(tmp_path / "in", [f"{i}.png" for i in range(10)])
    with open_source(
        str(tmp_path / "in"), image_rate=Fraction(2), start=Fraction("0.9"), end=Fraction("2.6")
    ) as source:
        frames = list(source)

    assert [frame.name for frame in frames] == [f"{i}.png" for i in (2, 3, 4, 5)]
    assert frames[0].pts_seconds == 1
    assert source.info.duration_seconds == 2
    with pytest.raises(InputError, match="no image between 9 s and the end"):
        open_source(str(tmp_path / "in"), start=Fraction(9))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_come_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture(0)).save(tmp_path / "photo.png", exif=exif)
    with open_source(str(tmp_path / "photo.png")) as source:
        frame = next(iter(source))
    turned: UInt8Array = picture(0)
    wanted = [
        turned,
        turned[:, ::-1],
        turned[::-1, ::-1],
        turned[::-1],
        turned.swapaxes(0, 1),
        np.rot90(turned, -1),
        turned[::-1, ::-1].swapaxes(0, 1),
        np.rot90(turned),
    ][orientation - 1]

    assert source.info.size == frame.size == wanted.shape[:2]
    assert (frame.image == wanted).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_every_kind_of_image_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    image.save(path)
    with open_source(str(path)) as source:
        frame = next(iter(source))

    if mode != "1":
        assert np.abs(frame.image[..., 1].astype(int) - grey).max() <= 3
    assert set(np.unique(frame.image[..., 0] == frame.image[..., 2])) == {True}


def test_images_of_other_sizes_are_one_clear_line_before_anything_is_read(tmp_path: Path) -> None:
    make_images(tmp_path / "in", ["a.png", "b.png"])
    make_images(tmp_path / "in", ["c.png"], size=(10, 20))

    with pytest.raises(VideoOpenError, match=r"c\.png: expected 64 x 48 pixels like a\.png, got 20 x 10"):
        open_source(str(tmp_path / "in"))


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    make_images(tmp_path / "in", ["a.png", "b.png"])
    path = tmp_path / "in" / "b.png"
    path.write_bytes(path.read_bytes()[:-40])
    with open_source(str(tmp_path / "in")) as source, pytest.raises(VideoDecodeError, match=r"b\.png: .*damaged"):
        list(source)

    path.write_text("no image at all")
    with pytest.raises(VideoOpenError, match=r"b\.png: not an image"):
        open_source(str(tmp_path / "in"))


def test_large_images_are_refused(tmp_path: Path) -> None:
    make_images(tmp_path, ["a.png"])
    with pytest.raises(InputError, match=r"a\.png: 64 x 48 pixels, more than --max-pixels 100 allows"):
        open_source(str(tmp_path / "a.png"), max_pixels=100)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.mp4", r"missing\.mp4: no such file"),
        ("missing.png", r"missing\.png: no such file"),
        ("*.png", r"\*\.png: nothing matches"),
        ("*.txt", r"\*\.txt: 1 files match, but none is an image"),
        ("empty", r"empty: no images in this folder"),
        ("nul\0.mp4", "embedded null byte"),
        ("x" * 300 + ".mp4", "name too long"),
    ],
)
def test_what_is_not_there_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt").write_text("words")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(VideoOpenError, match=message):
        open_source(spec)


def test_a_file_whose_name_is_a_number_is_not_a_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(tmp_path / "plain.mp4").rename(tmp_path / "0")
    monkeypatch.chdir(tmp_path)
    with open_source("0") as source:
        assert len(list(source)) == 10
        assert not source.info.is_live


class FakeCapture:
    """Three pictures, then unplugged."""

    left = 3

    def __init__(self, number: int) -> None:
        self.number = number

    def isOpened(self) -> bool:  # noqa: N802
        return self.number == 0

    def read(self) -> tuple[bool, UInt8Array | None]:
        self.left -= 1
        return (True, picture(0)[:, :, ::-1]) if self.left >= 0 else (False, None)

    def get(self, _: int) -> float:
        return 29.97

    def release(self) -> None:
        pass


def test_a_camera_gives_frames_until_it_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    frames = []
    with Camera(0) as camera, pytest.raises(VideoDecodeError, match="camera 0: gives no more pictures after 2 frames"):
        frames.extend(camera)

    assert camera.info.is_live
    assert camera.info.average_rate == Fraction(2997, 100)
    assert (frames[0].image == picture(0)).all()
    assert frames[0].pts_seconds < frames[1].pts_seconds
    with pytest.raises(VideoOpenError, match="camera 5: there is none"):
        Camera(5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))) as serve:
        thread = threading.Thread(target=serve.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serve.server_address[1]}"
        serve.shutdown()
        thread.join()


def test_an_address_is_a_live_source(tmp_path: Path, server: str) -> None:
    make_video(tmp_path / "clip.ts", 30)
    with open_source(f"{server}/clip.ts") as source:
        frames = list(source)

    assert len(frames) == 30
    assert source.info.is_live
    assert source.info.path is None
    with pytest.raises(VideoOpenError, match=r"missing\.mp4: cannot be opened: .*404"):
        open_source(f"{server}/missing.mp4")


def test_a_playlist_from_elsewhere_cannot_read_the_disk(tmp_path: Path, server: str) -> None:
    other = make_video(tmp_path / "other.ts", 30)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n")

    with pytest.raises(VideoOpenError):
        open_source(f"{server}/list.m3u8")


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["a10b2", "a2b10", "a2b9", "A1", "b"], key=natural_key) == ["A1", "a2b9", "a2b10", "a10b2", "b"]
