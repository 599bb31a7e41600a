"""Files in the manner of public reports: each is made here, goes through reader and writer, and is judged by PyAV."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from dffcli.core.types import Frame, SourceInfo
from dffcli.errors import OutputError, VideoDecodeError, VideoOpenError
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter, common_clock
from tests.video.media import RATE, SIZE, make_video, packets_of, picture
from tests.video.test_writer import times_in

MS = Fraction(1, 1000)
DATA = Path(__file__).parent / "data"


def copied(source: Path, target: Path, *, audio: Any = "copy", **options: Any) -> tuple[list[Frame], list[str]]:
    """Read a file and write it again; returns its frames and everything that was said."""
    frames = []
    with (
        open_source(str(source), **options) as reader,
        VideoWriter(target, info=reader.info, tracks=reader.tracks(), audio=audio, preset="ultrafast") as writer,
    ):
        for frame in reader:
            frames.append(frame)
            writer.write(frame.image, frame.pts_seconds, frame.duration_seconds)
    return frames, [*reader.notes.lines(), *writer.notes]


def make_tracks(
    path: Path,
    *sounds: tuple[str, float],
    frames: int = 25,
    rate: int = RATE,
    time_base: Fraction = MS,
    codec: str = "libx264",
    first: Fraction = Fraction(0),
    lines: Sequence[tuple[str, float, float, str]] = (),
    labels: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    seconds: float = 1.0,
) -> Path:
    """A video with tracks.

    Args:
        path: where.
        *sounds: encoder, and the second at which its tone begins.
        frames: how many pictures.
        rate: of the picture.
        time_base: of the picture.
        codec: of the picture.
        first: when the first one is shown.
        lines: subtitles: codec, start, length, text.
        labels: of the file.
        options: of the muxer.
        seconds: of every tone.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(labels or {})
        video: Any = container.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.codec_context.time_base = video.time_base = time_base
        if codec == "libx264":
            video.codec_context.options = {"preset": "ultrafast", "crf": "8"}
        tones: list[Any] = [container.add_stream(name, rate=48000) for name, _ in sounds]
        texts: dict[str, Any] = {}
        for name, *_ in lines:
            if name not in texts:
                texts[name] = container.add_stream(name)
                texts[name].time_base = MS
                texts[name].codec_context.subtitle_header = b"[Script Info]\n[V4+ Styles]\n[Events]\n"
        packets: list[Any] = []
        container.start_encoding()
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = round((first + Fraction(index, rate)) / time_base), time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        for tone, (_, start) in zip(tones, sounds, strict=True):
            packets += sound_packets(tone, start=start, seconds=seconds)
        for name, start, length, text in lines:
            packet: Any = av.Packet(text.encode())
            packet.stream, packet.time_base = texts[name], MS
            packet.pts = packet.dts = round(start * 1000)
            packet.duration = round(length * 1000)
            packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def sound_packets(stream: Any, *, start: float, seconds: float = 1.0) -> list[Any]:
    """A tone, encoded."""
    context = stream.codec_context
    count, size = round(48000 * seconds), context.frame_size or 960
    tone = (np.sin(np.arange(count) / 20) * 8000).astype(np.int16)
    packets = []
    for place in range(0, count - size, size):
        chunk = np.repeat(tone[place : place + size], context.layout.nb_channels)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(chunk), "s16", context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = 48000, round(48000 * start) + place, Fraction(1, 48000)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def codecs_in(path: Path, kind: str) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.codec.canonical_name for stream in container.streams if stream.type == kind]


# --- sound


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("source_suffix", [".avi", ".mkv"])
def test_stereo_pcm_whose_channels_have_no_names_is_kept(tmp_path: Path, suffix: str, source_suffix: str) -> None:
    source = make_tracks(tmp_path / f"in{source_suffix}", ("pcm_s16le", 0), codec="mjpeg", time_base=Fraction(1, 25))
    _, notes = copied(source, tmp_path / f"out{suffix}")

    assert notes == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        written = b"".join(bytes(packet) for packet in container.demux(audio=0))
    assert written == b"".join(packets_of(source, "audio")[0])


def test_one_track_that_does_not_fit_leaves_the_others(tmp_path: Path) -> None:
    source = make_tracks(tmp_path / "in.avi", ("libmp3lame", 0), ("adpcm_ima_wav", 0), time_base=Fraction(1, 25))
    _, notes = copied(source, tmp_path / "out.mp4")

    assert codecs_in(tmp_path / "out.mp4", "audio") == ["mp3"]
    assert packets_of(tmp_path / "out.mp4", "audio")[0] == packets_of(source, "audio")[0]
    assert notes == [
        "audio track 2 (adpcm_ima_wav) was left out: mp4 cannot hold it; to keep it, write .mkv or add --audio aac"
    ]


def test_matroska_holds_what_it_can_hold(tmp_path: Path) -> None:
    source = make_tracks(tmp_path / "in.avi", ("adpcm_ima_wav", 0), time_base=Fraction(1, 25))
    _, notes = copied(source, tmp_path / "o'ut|[x]:y.mkv")

    assert notes == []
    assert packets_of(tmp_path / "o'ut|[x]:y.mkv", "audio") == packets_of(source, "audio")


@pytest.mark.parametrize(("suffix", "audio", "codec"), [(".mp4", "aac", "aac"), (".webm", "opus", "opus")])
def test_sound_can_be_encoded_anew_and_stays_in_time(tmp_path: Path, suffix: str, audio: str, codec: str) -> None:
    source = make_tracks(tmp_path / "in.avi", ("adpcm_ima_wav", 0), time_base=Fraction(1, 25))
    _, notes = copied(source, tmp_path / f"out{suffix}", audio=audio)

    assert notes == []
    assert codecs_in(tmp_path / f"out{suffix}", "audio") == [codec]
    before, after = loudness(source), loudness(tmp_path / f"out{suffix}")
    assert len(after) == pytest.approx(len(before), abs=3)  # hundredths of a second
    assert np.abs(after[5:90] - before[5:90]).max() < 0.1 * before.max()


def loudness(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of every hundredth of a second, by the decoder's clock."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
    samples = np.zeros(48000 * 3)
    end = 0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            start = round(float(frame.pts * frame.time_base) * 48000)
            for part in resampler.resample(frame):
                values = part.to_ndarray().ravel()
                place = max(start, 0)
                samples[place : place + len(values)] = values[: len(samples) - place]
                start += len(values)
                end = max(end, start)
    count = end // 480
    return np.sqrt((samples[: count * 480].reshape(count, 480) ** 2).mean(1))


def test_no_sound_where_none_is_wanted(tmp_path: Path) -> None:
    source = make_tracks(tmp_path / "in.mkv", ("aac", 0))
    _, notes = copied(source, tmp_path / "out.mp4", audio="none")

    assert codecs_in(tmp_path / "out.mp4", "audio") == []
    assert notes == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_second_sound_that_begins_late_takes_nothing_with_it(tmp_path: Path, suffix: str) -> None:
    source = make_tracks(
        tmp_path / "in.ts", ("aac", 0), ("aac", 9), frames=60, rate=5, time_base=Fraction(1, 90000), seconds=2
    )
    _, notes = copied(source, tmp_path / f"out{suffix}")

    assert notes == []
    assert [len(track) for track in packets_of(tmp_path / f"out{suffix}", "audio")] == [
        len(track) for track in packets_of(source, "audio")
    ]


@pytest.mark.parametrize("rate", [1, 5])
def test_a_late_sound_keeps_its_start_beside_a_slow_picture(tmp_path: Path, rate: int) -> None:
    source = make_tracks(tmp_path / "in.mkv", ("flac", 0.367), frames=2 * rate, rate=rate)
    frames, _ = copied(source, tmp_path / "out.mp4")
    info = SourceInfo("x", SIZE, Fraction(1, rate), Fraction(rate))
    with (
        open_source(str(source)) as reader,
        VideoWriter(tmp_path / "coarse.mp4", info=info, tracks=reader.tracks()) as writer,
    ):
        for frame in frames:
            writer.write(frame.image, frame.pts_seconds)

    for name in ("out.mp4", "coarse.mp4"):
        assert times_in(tmp_path / name, "audio")[0] == pytest.approx(0.367, abs=0.0006)
        assert times_in(tmp_path / name, "video")[0] == 0


@pytest.mark.parametrize(
    ("rates", "wanted"),
    [
        ([5], 5000),
        ([5, 48000], 48000),
        ([12800, 44100], 5644800),
        ([90000, 44100, 48000], 35280000),
        ([2**31 - 1, 48000], 2**31 - 1),
        ([1], 1000),
    ],
)
def test_all_tracks_divide_the_common_clock(rates: list[int], wanted: int) -> None:
    assert common_clock(rates) == wanted


# --- subtitles


ASS_LINES = [
    ("ass", 0.1, 0.6, "0,0,Default,,0,0,0,,first"),
    ("ass", 0.1, 0.6, "1,1,Default,,0,0,0,,sign at the same time"),
    ("ass", 0.1, 1.1, "2,2,Default,,0,0,0,,third"),
    ("ass", 0.8, 0.7, "3,0,Default,,0,0,0,,{\\i1}last{\\i0}\\Nof all"),
]


def test_lines_that_begin_together_are_all_kept(tmp_path: Path) -> None:
    source = make_tracks(tmp_path / "in.mkv", lines=ASS_LINES)
    _, notes = copied(source, tmp_path / "out.mkv")

    assert packets_of(tmp_path / "out.mkv", "subtitle") == packets_of(source, "subtitle")
    assert len(packets_of(source, "subtitle")[0]) == 4
    assert notes == []


def test_sound_with_equal_times_is_all_kept(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv", 25, sound="flac", sound_ticks=[480 * (i // 2) for i in range(500)], time_base=MS,
        ticks=[40 * i for i in range(25)],
    )  # fmt: skip
    assert len(set(times_in(source, "audio"))) < len(times_in(source, "audio"))
    for suffix in (".mkv", ".mp4"):
        _, notes = copied(source, tmp_path / f"out{suffix}")
        assert packets_of(tmp_path / f"out{suffix}", "audio") == packets_of(source, "audio")
        assert notes == []


@pytest.mark.parametrize(
    ("suffix", "codec", "texts"),
    [
        (
            ".mp4",
            "mov_text",
            [
                (0.1, "first\nsign at the same time\nthird"),
                (0.7, "third"),
                (0.8, "third\nlast\nof all"),
                (1.2, "last\nof all"),
            ],
        ),
        (".webm", "webvtt", [(0.1, "first"), (0.1, "sign at the same time"), (0.1, "third"), (0.8, "last\nof all")]),
    ],
)
def test_subtitles_become_what_the_file_can_hold(
    tmp_path: Path, suffix: str, codec: str, texts: list[tuple[float, str]]
) -> None:
    source = make_tracks(tmp_path / "in.mkv", lines=ASS_LINES)
    _, notes = copied(source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        found = [
            (packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(subtitles=0) if packet.size
        ]
    strip = 2 if codec == "mov_text" else 0
    said = [(float(time), data[strip:].decode()) for time, data in found if len(data) > strip]

    assert notes == [f"subtitle track 1 (ass) was converted to {codec}: {suffix[1:]} holds that"]
    assert [text for _, text in said] == [text for _, text in texts]
    assert [time for time, _ in said] == pytest.approx([time for time, _ in texts], abs=0.003)


# --- which picture


def test_the_default_stream_is_taken_then_the_largest_and_the_other_is_named(tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for size in ((32, 32), SIZE):
            stream: Any = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
            streams.append(stream)
        streams[0].disposition, streams[1].disposition = 0, 1
        container.start_encoding()
        for stream in streams:
            for index in range(5):
                image = picture(index, (stream.height, stream.width))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    with open_source(str(path)) as source:
        assert source.info.size == SIZE
        assert source.notes.lines() == [
            "video stream 0 (32 x 32, h264) was left aside for stream 1 (64 x 48, h264); --stream 0 takes it"
        ]
    with open_source(str(path), stream=0) as source:
        assert source.info.size == (32, 32)
        assert len(list(source)) == 5
    with pytest.raises(VideoOpenError, match=r"no video stream 7; its video streams: 0 \(32 x 32, h264\), 1"):
        open_source(str(path), stream=7)


def test_exif_in_a_motion_jpeg_does_not_stop_a_run(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    with av.open(str(tmp_path / "in.avi"), "w") as container:
        stream: Any = container.add_mux_stream("mjpeg", rate=10, width=SIZE[1], height=SIZE[0])
        stream.time_base = Fraction(1, 10)
        for index in range(6):
            buffer = io.BytesIO()
            Image.fromarray(picture(index)).save(buffer, "JPEG", exif=exif.tobytes())
            packet: Any = av.Packet(buffer.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 10)
            packet.is_keyframe = True
            container.mux(packet)
    frames, notes = copied(tmp_path / "in.avi", tmp_path / "out.mp4")

    assert len(frames) == 6
    assert frames[0].image.shape[:2] in (SIZE, SIZE[::-1])
    assert notes == []


# --- times


def test_frames_before_zero_keep_their_distance_to_the_sound(tmp_path: Path) -> None:
    source = make_tracks(
        tmp_path / "in.mkv", ("aac", -1.0), frames=40, first=Fraction(-1), options={"avoid_negative_ts": "disabled"},
        seconds=1.6,
    )  # fmt: skip
    frames, _ = copied(source, tmp_path / "out.mp4")

    assert frames[0].pts_seconds == -1
    assert [frame.pts_seconds for frame in frames] == [Fraction(i, 25) - 1 for i in range(40)]
    sound, shown = times_in(tmp_path / "out.mp4", "audio"), times_in(tmp_path / "out.mp4", "video")
    assert sound[0] - shown[0] == pytest.approx(-1024 / 48000, abs=0.002)  # what the encoder needs before its first


def test_reordered_frames_of_an_avi_follow_evenly(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.avi", 30, time_base=Fraction(1, 25), ticks=list(range(30)),
        options={"x264-params": "bframes=2:b-adapt=0"},
    )  # fmt: skip
    frames, notes = copied(source, tmp_path / "out.mp4")
    first = frames[0].pts_seconds

    assert [frame.pts_seconds for frame in frames] == [first + Fraction(i, 25) for i in range(30)]
    assert notes == []


def test_faster_than_the_containers_clock_is_refused_not_slowed(tmp_path: Path) -> None:
    ticks = [4 * i for i in range(40)]
    source = make_video(tmp_path / "in.mp4", time_base=Fraction(1, 16000), ticks=ticks)
    for rate, message in ((None, "more than 1000 frames"), (Fraction(4000), "4000 frames")):
        info = SourceInfo("x", SIZE, Fraction(1, 16000), rate)
        with (
            pytest.raises(OutputError, match=f"{message} a second, but the clock of .* has milliseconds"),
            VideoWriter(tmp_path / "out.mkv", info=info) as writer,
        ):
            for tick in ticks:
                writer.write(picture(0), Fraction(tick, 16000))
    frames, _ = copied(source, tmp_path / "out.mp4")

    assert times_in(tmp_path / "out.mp4", "video") == pytest.approx([float(f.pts_seconds) for f in frames])


def test_a_burst_that_the_clock_cannot_tell_apart_is_refused_not_slowed(tmp_path: Path) -> None:
    info = SourceInfo("x", SIZE, Fraction(1, 90000))
    with (
        pytest.raises(OutputError, match="more than 1000 frames a second"),
        VideoWriter(tmp_path / "out.mkv", info=info) as writer,
    ):
        for index in range(200):
            writer.write(picture(0), Fraction(index, 90000))


# --- what a file says of itself


LABELS = {"title": "A title", "comment": "words", "creation_time": "2024-05-06T07:08:09.000000Z"}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_labels_and_chapters_come_along(tmp_path: Path, suffix: str) -> None:
    source = make_tracks(tmp_path / "plain.mkv", ("aac", 0), labels=LABELS | {"my_own_label": "kept"})
    with av.open(str(source)) as given, av.open(str(tmp_path / "in.mkv"), "w") as container:
        targets = {stream.index: container.add_stream_from_template(stream, opaque=True) for stream in given.streams}
        container.metadata.update(given.metadata)
        targets[0].metadata["title"] = "the picture"
        targets[1].metadata["language"] = "deu"
        times = [(0, 400, "one"), (400, 1000, "two")]
        container.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": MS, "metadata": {"title": name}}
                for i, (a, b, name) in enumerate(times)
            ]
        )
        container.add_attachment("font.ttf", "font/ttf", b"not a font")
        for packet in given.demux():
            if packet.size:
                packet.stream = targets[packet.stream.index]
                container.mux(packet)
    _, notes = copied(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as written:
        found = {name.lower(): value for name, value in written.metadata.items()}
        chapters = [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"]["title"])
            for c in written.chapters()
        ]
        languages = [stream.language for stream in written.streams if stream.type == "audio"]
        attachments = [stream.name for stream in written.streams if stream.type == "attachment"]

    assert found | LABELS | {"my_own_label": "kept"} == found
    assert chapters == [(0, 0.4, "one"), (0.4, 1.0, "two")]
    assert languages == ["ger" if suffix == ".mov" else "deu"]  # QuickTime's code for it
    if suffix == ".mkv":
        assert attachments == ["font.ttf"]
        assert notes == []
    else:
        assert notes == [f"attachment 2 (font.ttf) was left out: {suffix[1:]} cannot hold it; to keep it, write .mkv"]


def test_a_part_has_the_chapters_of_the_part(tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        spans = [(0, 400), (400, 800), (800, 1000)]
        container.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": MS, "metadata": {"title": str(i)}}
                for i, (a, b) in enumerate(spans)
            ]
        )
        for index in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    copied(path, tmp_path / "out.mkv", start=Fraction(2, 5), end=Fraction(3, 5))
    with av.open(str(tmp_path / "out.mkv")) as written:
        assert [(c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in written.chapters()] == [
            (0, Fraction(1, 5))
        ]


def test_a_time_code_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "in.mov"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.metadata["timecode"] = "01:02:03:04"
        for index in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    for suffix in (".mov", ".mp4", ".mkv"):
        _, notes = copied(path, tmp_path / f"out{suffix}")
        with av.open(str(tmp_path / f"out{suffix}")) as written:
            found = [written.metadata, *(stream.metadata for stream in written.streams)]
        assert "01:02:03:04" in [
            value for labels in found for name, value in labels.items() if name.lower() == "timecode"
        ]
        assert notes == []


# --- files that are cut off, or lie


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mkv", None), (".webm", None), (".avi", None), (".ts", None), (".flv", None), (".ogg", None),
        (".mp4", {"movflags": "frag_keyframe+empty_moov"}), (".mp4", {"movflags": "faststart"}), (".mpg", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("share", [0.47, 0.9])
def test_a_file_that_is_cut_off_says_so(
    tmp_path: Path, suffix: str, options: dict[str, str] | None, share: float
) -> None:
    noise = np.random.default_rng(0)
    codecs = {".webm": "libvpx", ".mpg": "mpeg2video", ".flv": "flv", ".ogg": "libvpx", ".avi": "mpeg4"}
    codec = codecs.get(suffix, "libx264")
    path = tmp_path / f"in{suffix}"
    make_video(
        path, 40, codec=codec, container_options=options, time_base=Fraction(1, 25), ticks=list(range(40)),
        images=[noise.integers(0, 255, (*SIZE, 3), np.uint8) for _ in range(40)],
        options={"g": "10", "deadline": "realtime"} if codec == "libvpx" else {"g": "10"},
    )  # fmt: skip
    with open_source(str(path)) as source:
        assert len(list(source)) == 40
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share) | 1])  # an odd number: no packet of a few formats ends there
    frames = []
    with open_source(str(path)) as source, pytest.raises(VideoDecodeError, match=r"frames were read"):
        frames.extend(source)


def test_a_file_that_claims_more_samples_than_it_has_bytes_takes_no_memory(tmp_path: Path) -> None:
    path = make_video(tmp_path / "in.mp4", 5)
    data = bytearray(path.read_bytes())
    place = data.index(b"stsz")
    data[place + 8 : place + 16] = struct.pack(">II", 1, 80_000_000)
    path.write_bytes(data)
    with pytest.raises(VideoOpenError, match=r"it claims 80,0\d\d,\d\d\d samples or more in [\d,]+ bytes"):
        open_source(str(path))


# --- images


def test_a_tiled_photo_of_a_phone_comes_whole_and_upright() -> None:
    with open_source(str(DATA / "tiles.heic")) as source:
        (frame,) = list(source)

    assert frame.image.shape == (200, 136, 3)
    corners = [frame.image[y, x].tolist() for y, x in ((10, 10), (10, 120), (190, 10), (190, 120))]
    wanted = [(30, 30, 200), (200, 30, 30), (200, 200, 40), (30, 160, 30)]  # turned to the right
    assert np.abs(np.array(corners) - wanted).max() < 12


def stills(count: int = 5) -> list[Image.Image]:
    return [Image.fromarray(picture(3 * index)) for index in range(count)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.webp", {"duration": [100, 40, 300, 100, 100], "lossless": True}),
        ("a.png", {"duration": [100, 40, 300, 100, 100]}),
        ("a.gif", {"duration": [100, 40, 300, 100, 100]}),
        ("a.avif", {"duration": [100, 40, 300, 100, 100], "quality": 95}),
    ],
)
def test_a_picture_in_motion_is_a_video_with_its_own_times(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    first, *rest = stills()
    first.save(tmp_path / name, save_all=True, append_images=rest, **options)
    frames, _ = copied(tmp_path / name, tmp_path / "out.mp4")

    assert [frame.pts_seconds for frame in frames] == [0, 100 * MS, 140 * MS, 440 * MS, 540 * MS]
    assert times_in(tmp_path / "out.mp4", "video") == pytest.approx([0, 0.1, 0.14, 0.44, 0.54], abs=0.0006)
    for index, frame in enumerate(frames):
        assert np.abs(frame.image.astype(int) - picture(3 * index)).mean() < 6


def test_a_still_of_such_a_format_is_one_frame(tmp_path: Path) -> None:
    for name in ("a.webp", "a.png", "a.avif", "a.tif"):
        stills()[0].save(tmp_path / name)
        with open_source(str(tmp_path / name)) as source:
            assert len(list(source)) == 1


def test_the_pages_of_a_tiff_are_frames_at_a_rate(tmp_path: Path) -> None:
    first, *rest = stills()
    preview = first.resize((8, 8))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[*rest, preview])
    with open_source(str(tmp_path / "a.tif"), image_rate=Fraction(10)) as source:
        frames = list(source)

    assert [frame.pts_seconds for frame in frames] == [Fraction(i, 10) for i in range(5)]
    assert source.info.frame_count == 5
    assert source.notes.lines() == ["1 pages of another size were left aside"]


def test_a_folder_gives_every_page_of_its_images(tmp_path: Path) -> None:
    first, *rest = stills()
    folder = tmp_path / "in"
    folder.mkdir()
    first.save(folder / "1.png")
    first.save(folder / "2.webp", save_all=True, append_images=rest[:2], lossless=True)
    first.save(folder / "3.avif", quality=95)
    with open_source(str(folder)) as source:
        frames = list(source)

    assert [frame.name for frame in frames] == ["1.png", "2-000001.webp", "2-000002.webp", "2-000003.webp", "3.avif"]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert source.info.frame_count == 5
    with open_source(str(folder), start=Fraction(2, 25), end=Fraction(4, 25)) as source:
        assert [frame.name for frame in source] == ["2-000002.webp", "2-000003.webp"]


def test_pipes_devices_and_dead_links_among_pictures_are_left_aside(tmp_path: Path) -> None:
    stills()[0].save(tmp_path / "1.png")
    os.mkfifo(tmp_path / "2.png")
    (tmp_path / "3.png").symlink_to("3.png")
    (tmp_path / "4.png").symlink_to("/dev/zero")
    (tmp_path / "5.png").mkdir()
    with open_source(str(tmp_path)) as source:
        assert [frame.name for frame in source] == ["1.png"]
        assert source.notes.lines() == ["4 entries named like images are no files: left aside"]
    with pytest.raises(VideoOpenError, match=r"2\.png: not a file"):
        open_source(str(tmp_path / "2.png"))


def test_postscript_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(VideoOpenError, match=r"a\.png: not an image"):
        open_source(str(tmp_path / "a.png"))


# --- hints


def test_what_was_probably_meant_is_said(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoOpenError, match="a playlist on this disk could make dff open other files"):
        open_source(str(tmp_path / "list.m3u8"))
    with pytest.raises(VideoOpenError, match=r"for numbered images write a pattern in quotes: '.*frame_\*\.png'"):
        open_source(str(tmp_path / "frame_%04d.png"))


# --- written straight through


class Through:
    """What can be written to and nothing else."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
@pytest.mark.parametrize("source_suffix", [".ts", ".mp4"])
def test_a_video_can_be_written_straight_through(tmp_path: Path, kind: str, source_suffix: str) -> None:
    source = make_video(tmp_path / f"in{source_suffix}", 30, sound="aac")
    through = Through()
    with (
        open_source(str(source)) as reader,
        VideoWriter(f"x.{kind}", info=reader.info, tracks=reader.tracks(), stream=lambda: through) as writer,
    ):
        for frame in reader:
            writer.write(frame.image, frame.pts_seconds, frame.duration_seconds)
    (tmp_path / f"out.{kind}").write_bytes(through.data)

    assert writer.notes == []
    assert not Path(f"x.{kind}").exists()
    assert len(times_in(tmp_path / f"out.{kind}", "video")) == 30
    assert len(packets_of(tmp_path / f"out.{kind}", "audio")[0]) == len(packets_of(source, "audio")[0])
    with av.open(str(tmp_path / f"out.{kind}")) as written:
        decoded = sum(frame.samples for frame in written.decode(audio=0))
    assert decoded > 45_000
    offset = times_in(tmp_path / f"out.{kind}", "audio")[0] - times_in(tmp_path / f"out.{kind}", "video")[0]
    assert offset == pytest.approx(times_in(source, "audio")[0] - times_in(source, "video")[0], abs=0.002)


def test_what_a_matroska_file_wants_cut_off_is_cut_off(tmp_path: Path) -> None:
    path = make_video(tmp_path / "in.mkv", 3, time_base=MS, ticks=[0, 40, 80])
    data = path.read_bytes()
    place = data.index(b"\x55\xb0")  # the colours: an element of the picture that is longer than three crops
    length = 3 + (data[place + 2] & 0x7F)
    crops = b"".join(struct.pack(">HBB", number, 0x81, pixels) for number, pixels in CROPS)
    void = b"\xec" + bytes([0x80 | (length - len(crops) - 2)]) + bytes(length - len(crops) - 2)
    path.write_bytes(data[:place] + crops + void + data[place + length :])
    with open_source(str(path)) as source:
        frames = list(source)

    assert source.info.size == (SIZE[0] - 6, SIZE[1] - 10 - 4)
    assert np.abs(frames[2].image.astype(int) - picture(2)[6:, 10:-4]).mean() < 8
    assert frames[2].luma is not None
    assert frames[2].luma.shape == source.info.size


CROPS = ((0x54BB, 6), (0x54CC, 10), (0x54DD, 4))  # top, left, right


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_cover_picture_comes_along(tmp_path: Path, suffix: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture(9)).save(buffer, "JPEG")
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        cover: Any = container.add_mux_stream("mjpeg", width=SIZE[1], height=SIZE[0])
        cover.disposition = 1024
        container.start_encoding()
        packet: Any = av.Packet(buffer.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, MS
        container.mux(packet)
        for index in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    frames, notes = copied(path, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as written:
        if suffix == ".mp4":
            (found,) = [s for s in written.streams.video if s.disposition & 1024]
            data = next(bytes(packet) for packet in written.demux(found))
        elif suffix == ".mkv":
            (attached,) = [s for s in written.streams if s.disposition & 1024 or s.type == "attachment"]
            data = (
                next(bytes(packet) for packet in written.demux(attached)) if attached.type == "video" else attached.data
            )

    assert len(frames) == 5
    if suffix == ".webm":
        assert notes == ["the cover picture (mjpeg) was left out: webm has none"]
    else:
        assert notes == []
        assert data == buffer.getvalue()
