"""What is written is what was given: every picture, at its time, with the source's sound."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dffcli.core.types import Frame, SourceInfo, UInt8Array
from dffcli.errors import OutputError, ShapeError, VideoDecodeError
from dffcli.files.atomic import claimed
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter
from tests.video.media import SIZE, TICK, make_video, packets_of, picture

INFO = SourceInfo("made", SIZE, TICK, average_rate=Fraction(25))
SUFFIXES = [".mp4", ".mov", ".mkv", ".webm"]


def copy(source: Path, target: Path, **span: Fraction) -> tuple[list[Frame], VideoWriter]:
    """Read a file and write it again; returns what was read."""
    frames = []
    with (
        open_source(str(source), **span) as reader,  # type: ignore[arg-type]
        VideoWriter(target, info=reader.info, tracks=reader.tracks(), preset="ultrafast") as writer,
    ):
        for frame in reader:
            frames.append(frame)
            writer.write(frame.image, frame.pts_seconds, frame.duration_seconds)
    return frames, writer


def times_in(path: Path, kind: str) -> list[float]:
    """Times of the packets of the first stream of a kind, in order of presentation, as PyAV's demuxer has them."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return sorted(float(packet.pts * packet.time_base) for packet in container.demux(stream) if packet.size)


@dataclass(frozen=True)
class Written:
    """A frame as PyAV finds it in a file."""

    pts_seconds: Fraction
    duration_seconds: Fraction | None
    image: UInt8Array


@dataclass(frozen=True)
class WrittenInfo:
    size: tuple[int, int]
    sample_aspect_ratio: Fraction
    duration_seconds: Fraction


def read(path: Path) -> tuple[list[Written], WrittenInfo]:
    """What PyAV's own demuxer and decoder find; dff's reader would hide what dff's writer does wrong."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tick = Fraction(stream.time_base or 1)
        lengths = {packet.pts: packet.duration for packet in container.demux(stream) if packet.size}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [
            Written((frame.pts or 0) * tick, lengths[frame.pts or 0] * tick, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(stream)
        ]
        assert sorted(lengths) == [round(frame.pts_seconds / tick) for frame in frames]
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        length = stream.duration * tick if stream.duration else Fraction(container.duration or 0, av.time_base)
        return frames, WrittenInfo((stream.height, stream.width), aspect, length)


def write_pictures(path: Path, count: int = 5, *, info: SourceInfo = INFO, **options: object) -> VideoWriter:
    with VideoWriter(path, info=info, preset="ultrafast", **options) as writer:  # type: ignore[arg-type]
        for index in range(count):
            writer.write(picture(index, info.size), Fraction(index, 25))
    return writer


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_variable_frame_rate_survives(tmp_path: Path, suffix: str) -> None:
    ticks = [0, 512, 1500, 1600, 9000, 9512, 70000]
    frames, _ = copy(make_video(tmp_path / "vfr.mp4", ticks=ticks), tmp_path / f"out{suffix}")
    written, info = read(tmp_path / f"out{suffix}")
    tolerance = 0 if suffix in (".mp4", ".mov") else Fraction(1, 1000)

    assert len(written) == 7
    assert all(abs(a.pts_seconds - b.pts_seconds) <= tolerance / 2 for a, b in zip(frames, written, strict=True))
    assert info.size == SIZE
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_last_frame_keeps_its_time_on_screen(tmp_path: Path, suffix: str) -> None:
    with VideoWriter(tmp_path / f"out{suffix}", info=INFO) as writer:
        for index in range(3):
            writer.write(picture(index), Fraction(index, 25), Fraction(1, 25 if index < 2 else 2))
    written, _ = read(tmp_path / f"out{suffix}")

    if suffix != ".webm":  # only a duration element per block could say it, and libav writes none for video
        assert written[-1].duration_seconds == Fraction(1, 2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("late", [0, 12800, -1024])
def test_sound_is_copied_packet_for_packet_and_stays_in_time(tmp_path: Path, suffix: str, late: int) -> None:
    source = make_video(tmp_path / "in.mp4", ticks=[late + i * 512 for i in range(25)], sound="aac")
    frames, writer = copy(source, tmp_path / f"out{suffix}")
    written, _ = read(tmp_path / f"out{suffix}")
    moved = written[0].pts_seconds - frames[0].pts_seconds

    assert packets_of(tmp_path / f"out{suffix}", "audio") == packets_of(source, "audio")
    assert writer.notes == []
    assert [frame.pts_seconds for frame in written] == [frame.pts_seconds + moved for frame in frames]
    assert moved == (0 if late >= 0 else -frames[0].pts_seconds)
    assert sound_start(tmp_path / f"out{suffix}") - sound_start(source) == pytest.approx(float(moved), abs=0.001)


def sound_start(path: Path) -> float:
    with av.open(str(path)) as container:
        packet = next(container.demux(audio=0))
        return float(packet.pts * packet.time_base)


def test_only_the_sound_of_the_part_is_copied(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", ticks=[i * 512 for i in range(25)], sound="aac")
    frames, _ = copy(source, tmp_path / "out.mp4", start=Fraction("0.4"), end=Fraction("0.8"))
    written, _ = read(tmp_path / "out.mp4")
    whole = packets_of(source, "audio")[0]
    part = packets_of(tmp_path / "out.mp4", "audio")[0]

    assert [frame.pts_seconds for frame in written] == [frame.pts_seconds - Fraction("0.4") for frame in frames]
    assert len(written) == 10
    assert len(part) == pytest.approx(0.4 * 48000 / 1024, abs=1)
    assert part == whole[whole.index(part[0]) :][: len(part)]
    assert 0 <= sound_start(tmp_path / "out.mp4") < 1024 / 48000


def test_sound_the_format_cannot_hold_is_left_out_and_said(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 25, sound="aac")
    _, writer = copy(source, tmp_path / "out.webm")

    assert packets_of(tmp_path / "out.webm", "audio") == []
    assert writer.notes == [
        "audio track 1 (aac) was left out: webm cannot hold it; to keep it, write .mp4 or add --audio opus"
    ]
    assert len(read(tmp_path / "out.webm")[0]) == 25


def test_opus_travels_from_webm_to_webm(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.webm", 25, codec="libvpx-vp9", sound="libopus", time_base=Fraction(1, 1000),
        ticks=[40 * i for i in range(25)], options={"cpu-used": "8", "deadline": "realtime"},
    )  # fmt: skip
    frames, _ = copy(source, tmp_path / "out.webm")
    written, _ = read(tmp_path / "out.webm")

    assert packets_of(tmp_path / "out.webm", "audio") == packets_of(source, "audio")
    assert [frame.pts_seconds for frame in written] == [frame.pts_seconds for frame in frames]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_goes_on_in_time_where_recordings_were_joined(tmp_path: Path, suffix: str) -> None:
    source = make_video(tmp_path / "in.ts", 25, sound="aac")
    once = len(packets_of(source, "audio")[0])
    source.write_bytes(source.read_bytes() * 2)  # the clock begins again
    frames, writer = copy(source, tmp_path / f"out{suffix}")
    times = times_in(tmp_path / f"out{suffix}", "audio")

    assert len(times_in(tmp_path / f"out{suffix}", "video")) == len(frames) == 50
    assert len(times) == 2 * once
    assert times[once] - times[0] == pytest.approx(1.0, abs=0.002)  # 25 frames at 25 a second lie between
    assert writer.notes == []


def test_a_source_that_breaks_off_keeps_its_frames_and_its_sound(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4", 60, sound="aac", options={"crf": "1"}, container_options={"movflags": "faststart"}
    )
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 4])
    count = 0
    with (
        open_source(str(source)) as reader,
        VideoWriter(tmp_path / "out.mp4", info=reader.info, tracks=reader.tracks()) as writer,
        pytest.raises(VideoDecodeError),
    ):
        for frame in reader:
            writer.write(frame.image, frame.pts_seconds)
            count += 1

    assert len(read(tmp_path / "out.mp4")[0]) == count >= 3


def test_an_arbitrary_clock_starts_at_zero(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.ts",
        ticks=[12800 * 90000 + i * 512 for i in range(30)],
        sound="aac",
        sound_ticks=[48000 * 90000 + i * 1024 for i in range(60)],
    )
    copy(source, tmp_path / "out.mp4")
    written, info = read(tmp_path / "out.mp4")

    assert written[0].pts_seconds == 0
    assert info.duration_seconds == Fraction(30, 25)
    assert len(packets_of(tmp_path / "out.mp4", "audio")[0]) == len(packets_of(source, "audio")[0])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [(1, 1), (49, 64), (48, 65), (49, 65)])
def test_odd_sizes_repeat_their_edge_where_they_must(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    path = tmp_path / f"out{suffix}"
    writer = write_pictures(path, 3, info=SourceInfo("made", size, TICK, average_rate=Fraction(25)))
    written, info = read(path)
    wanted = picture(2, size)
    shown = written[2].image[: size[0], : size[1]]

    assert info.size == (size if suffix == ".webm" else tuple(max(16, side + side % 2) for side in size))
    assert np.abs(shown.astype(int) - wanted)[: size[0] // 3 + 1, : size[1] // 3 + 1].mean() < 12
    assert bool(writer.notes) == (suffix != ".webm")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colours_come_back(tmp_path: Path, suffix: str) -> None:
    write_pictures(tmp_path / f"out{suffix}", crf=10)
    written, _ = read(tmp_path / f"out{suffix}")
    difference = np.abs(written[3].image.astype(int) - picture(3))

    assert difference[4:20, 4:28].mean() < 4  # red
    assert difference[28:44, 4:28].mean() < 4  # blue
    assert difference[4:44, 36:60].mean() < 4  # grey


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_shape_of_a_pixel_is_kept_or_said_to_be_lost(tmp_path: Path, suffix: str) -> None:
    info = SourceInfo("made", SIZE, TICK, average_rate=Fraction(25), sample_aspect_ratio=Fraction(4, 3))
    writer = write_pictures(tmp_path / f"out{suffix}", info=info)

    if suffix == ".webm":
        assert writer.notes == ["the shape of a pixel (4/3) is lost: VP9 cannot say it"]
    else:
        assert read(tmp_path / f"out{suffix}")[1].sample_aspect_ratio == Fraction(4, 3)


def test_mp4_can_be_played_before_it_is_all_there(tmp_path: Path) -> None:
    write_pictures(tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()

    assert data.index(b"moov") < data.index(b"mdat")


def test_times_that_fall_together_in_milliseconds_stay_apart(tmp_path: Path) -> None:
    info = SourceInfo("made", SIZE, Fraction(1, 90000), average_rate=Fraction(25))
    with VideoWriter(tmp_path / "out.mkv", info=info) as writer:
        for tick in (0, 1, 2, 3600):
            writer.write(picture(0), Fraction(tick, 90000))

    assert [frame.pts_seconds for frame in read(tmp_path / "out.mkv")[0]] == [
        0, Fraction(1, 1000), Fraction(2, 1000), Fraction(40, 1000),
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_error_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    target.write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        claimed(files=[str(target)], overwrite=True),
        VideoWriter(target, info=INFO) as writer,
    ):
        writer.write(picture(0), Fraction(0))
        raise KeyboardInterrupt

    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_text() == "old"


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"out\.mp4: no frame was written"),
        VideoWriter(tmp_path / "out.mp4", info=INFO),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ShapeError, match=r"expected a picture of \(48, 64, 3\), got \(10, 10, 3\)"),
        VideoWriter(tmp_path / "out.mp4", info=INFO) as writer,
    ):
        writer.write(picture(0, (10, 10)), Fraction(0))


def test_a_suffix_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"expected a video name ending in \.mp4 .*, got '\.txt'"):
        VideoWriter(tmp_path / "out.txt", info=INFO)


def test_a_missing_source_of_sound_is_noted(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", 3, sound="aac")
    with open_source(str(source)) as reader:
        source.unlink()

        assert reader.tracks() is None
        assert reader.notes.lines() == [f"sound and subtitles were not copied: {source}: no such file"]


@pytest.mark.parametrize(
    ("suffix", "limit"), [(".mp4", 400), (".mp4", 20_000), (".mp4", 200_000), (".mkv", 20_000), (".webm", 20_000)]
)
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path, suffix: str, limit: int) -> None:
    script = f"""
        import resource, signal, numpy as np
        from fractions import Fraction
        from dffcli.errors import OutputError
        from dffcli.video.writer import VideoWriter
        from dffcli.core.types import SourceInfo
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        noise = np.random.default_rng(0)
        info = SourceInfo("made", (120, 160), Fraction(1, 25), average_rate=Fraction(25))
        try:
            with VideoWriter("out{suffix}", info=info, crf=1, preset="ultrafast") as writer:
                for index in range(30):
                    writer.write(noise.integers(0, 255, (120, 160, 3), np.uint8), Fraction(index, 25))
        except OutputError as error:
            print(error)
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=True,
    )  # fmt: skip

    assert ran.stdout.startswith(f"out{suffix}: ")
    assert ran.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_every_row_of_every_frame_arrives(tmp_path: Path) -> None:
    h, w = 450, 800
    rows, columns = np.indices((h, w))
    pictures = [
        np.stack((rows * 200 // h + 4 * index, columns * 255 // w, np.full((h, w), 10 * index)), axis=2).astype(
            np.uint8
        )
        for index in range(12)
    ]
    path = tmp_path / "out.mp4"
    info = SourceInfo("x", (h, w), Fraction(1, 25), Fraction(25))
    with VideoWriter(path, info=info, crf=8) as writer:
        for index, picture in enumerate(pictures):
            writer.write(picture.copy(), Fraction(index, 25), Fraction(1, 25))
    with av.open(str(path)) as container:
        for frame, picture in zip(container.decode(video=0), pictures, strict=True):
            error = np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture)[:, 8:-8].mean((1, 2))  # a row
            assert error.max() < 4  # of a smooth picture; another buffer's bytes are above 10
