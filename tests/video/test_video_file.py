"""Every frame of a video comes with its exact time, upright and in the right colours."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dffcli.core.types import Frame, SourceInfo
from dffcli.errors import InputError, VideoDecodeError, VideoOpenError
from dffcli.video.reader import open_source
from dffcli.video.source import SourceNotes
from tests.video.media import FRAME_TICKS, SIZE, TICK, make_video, picture, times_of


def read(path: Path | str, **options: object) -> tuple[list[Frame], SourceInfo, SourceNotes]:
    with open_source(str(path), **options) as source:  # type: ignore[arg-type]
        frames = list(source)
    return frames, source.info, source.notes


def mean_difference(image: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute difference away from the borders between colours, which 4:2:0 smears."""
    h, w = wanted.shape[:2]
    inside = np.ones((h, w), bool)
    inside[h // 2 - 2 : h // 2 + 2] = inside[:, w // 2 - 2 : w // 2 + 2] = False
    return float(np.abs(image.astype(int) - wanted)[inside].mean())


def test_frames_have_the_files_own_times_and_count_from_zero(tmp_path: Path) -> None:
    ticks = [0, 512, 1500, 1501, 9000]
    frames, info, notes = read(make_video(tmp_path / "vfr.mp4", ticks=ticks))

    assert [frame.pts_seconds for frame in frames] == times_of(ticks)
    assert [frame.index for frame in frames] == list(range(5))
    assert frames[0].duration_seconds == Fraction(1, 25)
    assert info.time_base == TICK
    assert info.frame_count == 5
    assert notes == SourceNotes(frames=5)
    assert notes.lines() == []


def test_a_late_start_is_kept(tmp_path: Path) -> None:
    ticks = [12800 + i * 512 for i in range(5)]
    frames, info, _ = read(make_video(tmp_path / "late.mp4", ticks=ticks))

    assert [frame.pts_seconds for frame in frames] == times_of(ticks)
    assert info.clock_zero_seconds == 0


def test_a_transport_stream_has_an_arbitrary_clock(tmp_path: Path) -> None:
    frames, info, _ = read(make_video(tmp_path / "a.ts", ticks=[12800 * 90000 + i * 512 for i in range(30)]))

    assert info.clock_zero_seconds == frames[0].pts_seconds == 90000
    assert len(frames) == 30


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotated_and_mirrored_pictures_come_upright(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    path = make_video(tmp_path / "turned.mp4", rotation=(degrees, mirrored, False), aspect=Fraction(4, 3))
    wanted = np.rot90(picture(0), degrees // 90)
    if mirrored:
        wanted = wanted[:, ::-1]
    frames, info, notes = read(path)

    assert info.size == frames[0].size == wanted.shape[:2]
    assert mean_difference(frames[0].image, wanted) < 4
    luma = frames[0].luma
    assert luma is not None
    assert np.corrcoef(luma.ravel(), (wanted @ [0.299, 0.587, 0.114]).ravel())[0, 1] > 0.95
    assert info.sample_aspect_ratio == (Fraction(3, 4) if degrees % 180 else Fraction(4, 3))
    assert notes.is_mirrored == mirrored
    if not mirrored:
        assert info.rotation == degrees


@pytest.mark.parametrize("matrix", [1, 6])  # BT.709, BT.601
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
def test_colours_follow_the_matrix_and_range_of_the_file(
    tmp_path: Path, matrix: int, full_range: bool, pix_fmt: str
) -> None:
    path = make_video(tmp_path / "colours.mp4", 3, matrix=matrix, full_range=full_range, pix_fmt=pix_fmt)
    frames, _, _ = read(path)

    assert mean_difference(frames[2].image, picture(2)) < 3
    assert frames[2].luma is not None


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv444p10le", "gray"])
def test_other_depths_decode_to_the_same_picture(tmp_path: Path, pix_fmt: str) -> None:
    frames, _, _ = read(make_video(tmp_path / "deep.mp4", 3, pix_fmt=pix_fmt, full_range=pix_fmt == "gray"))
    wanted = picture(2)
    if pix_fmt == "gray":
        wanted = np.repeat((wanted @ [0.299, 0.587, 0.114])[..., None], 3, axis=2).astype(np.uint8)

    assert mean_difference(frames[2].image, wanted) < 3
    assert (frames[2].luma is None) == pix_fmt.endswith("10le")


@pytest.mark.parametrize("transfer", [16, 18])  # PQ, HLG
def test_hdr_is_brought_to_the_ordinary_range(tmp_path: Path, transfer: int) -> None:
    codes = [np.full((*SIZE, 3), level, np.uint8) for level in (0, 64, 128, 150, 255)]
    path = make_video(
        tmp_path / "hdr.mkv", 5, pix_fmt="yuv420p10le", matrix=9, transfer=transfer, images=codes, options={"crf": "1"}
    )
    frames, _, notes = read(path)
    levels = [int(frame.image[10, 10, 1]) for frame in frames]

    assert levels == sorted(levels)
    assert levels[0] <= 2
    assert levels[-1] == 255
    assert 100 < levels[2] < 220  # half of the code range is near diffuse white, not half of the light
    assert notes.is_hdr
    assert "HDR" in notes.lines()[0]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 200), (49, 65), (241, 17)])
def test_any_size_can_be_read(tmp_path: Path, size: tuple[int, int]) -> None:
    frames, info, _ = read(make_video(tmp_path / "size.mkv", 3, size=size, codec="ffv1", pix_fmt="bgr0"))

    assert info.size == size
    assert (frames[1].image == picture(1, size)).all()


def test_transparency_is_dropped(tmp_path: Path) -> None:
    frames, _, _ = read(make_video(tmp_path / "alpha.mkv", 3, codec="ffv1", pix_fmt="bgra"))

    assert (frames[1].image == picture(1)).all()


def test_interlaced_frames_are_counted(tmp_path: Path) -> None:
    path = make_video(tmp_path / "tv.mp4", 5, options={"x264-params": "interlaced=1"})
    frames, _, notes = read(path)

    assert len(frames) == 5
    assert notes.interlaced == 5
    assert "5 of 5 frames are interlaced" in notes.lines()


def test_missing_timestamps_are_made_up_from_the_rate(tmp_path: Path) -> None:
    frames, info, notes = read(make_video(tmp_path / "raw.h264", 6, format="h264"))
    times = [frame.pts_seconds for frame in frames]

    assert len(frames) == 6
    assert info.average_rate is not None
    assert times == [i / info.average_rate for i in range(6)]
    assert notes.times_made_up == 6


def test_a_size_change_is_letterboxed_to_the_first_size(tmp_path: Path) -> None:
    first = make_video(tmp_path / "a.ts", 4, size=(48, 64), time_base=Fraction(1, 90000), ticks=[0, 3600, 7200, 10800])
    second = make_video(tmp_path / "b.ts", 4, size=(64, 48), time_base=Fraction(1, 90000), ticks=[0, 3600, 7200, 10800])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames, info, notes = read(joined)
    times = [frame.pts_seconds for frame in frames]

    assert len(frames) == 8
    assert {frame.size for frame in frames} == {info.size} == {(48, 64)}
    assert [frame.is_resized for frame in frames] == [False] * 4 + [True] + [False] * 3
    assert notes.size_changes == 1
    assert (frames[5].image[:, :13] == 0).all()  # 48 x 64 fitted into 64 x 48: 14 columns of black on each side
    assert times == sorted(set(times))
    assert notes.is_time_reset


def test_damage_is_marked_counted_and_said(tmp_path: Path) -> None:
    path = make_video(tmp_path / "damaged.mp4", 40, options={"g": "10", "crf": "1"})
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[middle : middle + 400] = bytes(range(200)) * 2
    path.write_bytes(data)
    frames: list[Frame] = []
    broke = ""
    with open_source(str(path)) as source:
        try:
            frames.extend(source)
        except VideoDecodeError as error:
            broke = str(error)
        frames_read = source.notes.frames

    assert source.notes.corrupt > 0 or broke
    assert sum(frame.is_corrupt for frame in frames) == source.notes.corrupt or broke
    assert frames_read > 30


def test_a_file_that_breaks_off_delivers_what_is_good_and_then_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "cut.mp4", 60, options={"crf": "1"}, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames: list[Frame] = []

    with open_source(str(path)) as source, pytest.raises(VideoDecodeError, match=r"cut\.mp4: .* frames were read"):
        frames.extend(source)

    assert 20 < len(frames) < 60
    assert [frame.pts_seconds for frame in frames] == times_of([i * FRAME_TICKS for i in range(len(frames))])


@pytest.mark.parametrize(
    ("start", "end"), [("0", None), ("1", None), ("1", "2"), ("0.99", "1.01"), (None, "0.5"), ("1.001", "1.05")]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.h264", "late.mp4"])
def test_a_part_is_exactly_the_frames_of_the_whole_in_that_time(
    tmp_path: Path, name: str, start: str | None, end: str | None
) -> None:
    late = 2048 if name == "late.mp4" else 0
    path = make_video(
        tmp_path / name, ticks=[late + i * 512 for i in range(70)], options={"g": "20", "preset": "veryfast"}
    )
    whole, _, _ = read(path)
    beginning = whole[0].pts_seconds
    first = None if start is None else Fraction(start)
    last = None if end is None else Fraction(end)
    part, info, _ = read(path, start=first, end=last)
    wanted = [
        frame
        for frame in whole
        if (first is None or frame.pts_seconds - beginning >= first)
        and (last is None or frame.pts_seconds - beginning < last)
    ]

    assert [frame.pts_seconds for frame in part] == [frame.pts_seconds for frame in wanted]
    assert all((a.image == b.image).all() for a, b in zip(part, wanted, strict=True))
    assert [frame.index for frame in part] == list(range(len(part)))
    assert info.start_seconds == (None if first is None else beginning + first)


def test_a_part_that_lies_outside_is_one_clear_line(tmp_path: Path) -> None:
    path = make_video(tmp_path / "short.mp4")

    with pytest.raises(VideoDecodeError, match=r"short\.mp4: no frame between 10 s and the end"):
        read(path, start=Fraction(10))
    with pytest.raises(InputError, match="expected an end after the start"):
        read(path, start=Fraction(2), end=Fraction(1))
    with pytest.raises(InputError, match="expected a start of at least 0 s"):
        read(path, start=Fraction(-2))


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = make_video(tmp_path / "large.mp4", 2, size=(480, 640))

    with pytest.raises(InputError, match=r"large\.mp4: 640 x 480 pixels, more than --max-pixels 1000 allows"):
        read(path, max_pixels=1000)


def test_motion_vectors_come_when_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texture = np.repeat(rng.integers(0, 255, (96, 128, 1), np.uint8), 3, axis=2)
    images = [np.roll(texture, 4 * i, axis=1) for i in range(4)]
    path = make_video(tmp_path / "moving.mp4", 4, size=(96, 128), images=images, options={"preset": "fast", "bf": "0"})
    frames, _, _ = read(path, motion_vectors=True)
    vectors = frames[2].motion_vectors

    assert frames[0].motion_vectors is None
    assert vectors is not None
    assert np.median(vectors["motion_x"] / vectors["motion_scale"]) == pytest.approx(-4, abs=0.5)
    assert read(path)[0][2].motion_vectors is None


def test_a_cover_picture_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    with pytest.raises(VideoOpenError, match=r"song\.mp4: no video in it, only audio"):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"just words\n" * 50, "not a video"), (b"\0" * 5000, "not a video")],
)
def test_what_is_no_video_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(content)

    with pytest.raises(VideoOpenError, match=rf"text\.mp4: {message}"):
        read(path)


def test_a_file_that_ends_before_its_index_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "unfinished.mp4")
    path.write_bytes(path.read_bytes()[:700])

    with pytest.raises(VideoOpenError, match=r"unfinished\.mp4: "):
        read(path)


@pytest.mark.parametrize("content", ["#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n"])
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.txt"])
def test_a_local_file_cannot_make_us_open_another(tmp_path: Path, name: str, content: str) -> None:
    other = make_video(tmp_path / "other.ts")
    (tmp_path / name).write_text(content.format(other.name))

    with pytest.raises(VideoOpenError):
        read(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["-dash.mp4", "pct%03d.mp4", "a:b.mp4", "vidéo ünï 视频.mp4", "new\nline.mp4", "'\".mp4"]
)
def test_odd_names_can_be_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(make_video(tmp_path / "plain.mp4"), tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert len(read(name)[0]) == 10


def test_a_name_that_is_not_text_can_be_read(tmp_path: Path) -> None:
    name = b"latin-\xe9.mp4".decode("utf-8", "surrogateescape")
    shutil.move(make_video(tmp_path / "plain.mp4"), tmp_path / name)

    assert len(read(str(tmp_path / name))[0]) == 10
