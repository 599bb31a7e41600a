"""Pictures and their times to a video file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
from av import VideoFrame
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from dffcli.core.types import SourceInfo, UInt8Array
from dffcli.errors import OutputError, ShapeError
from dffcli.files.atomic import atomic_path
from dffcli.video.clock import DEFAULT_RATE
from dffcli.video.container import error_reason
from dffcli.video.feed import TrackFeed
from dffcli.video.fit import CONTAINERS, open_output
from dffcli.video.labels import chapters_of, labels_of, lost_labels, needs_free_labels
from dffcli.video.recode import AudioMode
from dffcli.video.tracks import CopiedTracks

SMPTE170M = 6  # AVCOL_SPC_SMPTE170M, the BT.601 matrix, in which OpenCV converts
MIN_H264_SIDE = 16  # pixels, of libx264
SECONDS_BETWEEN_INTRAS = 2  # so that players can jump about in the result
MILLISECOND = Fraction(1, 1000)  # the clock of Matroska and WebM
MAX_DELAY = Fraction(1, 50)  # seconds by which frames closer than a millisecond may be moved in all
FRAGMENTS = "+frag_keyframe+empty_moov+delay_moov+default_base_moof"  # mp4 that can be written straight through
LARGE_PICTURE = 4096 * 2304  # pixels; above, the encoder is kept from collecting dozens of them
FEW_PICTURES = "rc-lookahead=0:sync-lookahead=0:bframes=0:ref=1:sliced-threads=1:mbtree=0"
GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER; all our containers want it
COARSEST_CLOCK = 1000  # ticks a second
MAX_TIMESCALE = 2**31 - 1  # ticks a second of mp4's common clock


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """How a suffix is written.

    Attributes:
        muxer: libav's name of the container.
        codec: libav's name of the encoder.
        has_fine_clock: times keep the source's own unit; otherwise they are rounded to milliseconds.
        needs_even_size: odd sizes are padded by one row or column.
        default_crf: quality where none is asked for; lower is better, and the scales of the codecs differ.
    """

    muxer: str
    codec: str
    has_fine_clock: bool
    needs_even_size: bool
    default_crf: int


VIDEO_FORMATS = {
    ".mp4": VideoFormat("mp4", "libx264", has_fine_clock=True, needs_even_size=True, default_crf=20),
    ".m4v": VideoFormat("mp4", "libx264", has_fine_clock=True, needs_even_size=True, default_crf=20),
    ".mov": VideoFormat("mov", "libx264", has_fine_clock=True, needs_even_size=True, default_crf=20),
    ".mkv": VideoFormat("matroska", "libx264", has_fine_clock=False, needs_even_size=True, default_crf=20),
    ".webm": VideoFormat("webm", "libvpx-vp9", has_fine_clock=False, needs_even_size=False, default_crf=30),
}


class VideoWriter:
    """A video file in the making: H.264 in mp4, mov and mkv, VP9 in webm.

    Every picture keeps its time: exactly in mp4 and mov, to the millisecond in mkv and webm. Sound, subtitles, chapters
    and labels of the source come with it. H.264 in 4:2:0 has even sizes only, so an odd picture gets its last row or
    column twice. The file has its final name only once it is complete, has been reopened and holds every frame.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        info: SourceInfo,
        crf: int | None = None,
        preset: str = "veryfast",
        tracks: TrackFeed | None = None,
        audio: AudioMode = "copy",
        threads: int = 0,
        stream: Callable[[], Any] | None = None,
    ) -> None:
        """Describe the file; it is begun on entering the context.

        Args:
            path: its final name, which decides its format.
            info: what the pictures come from.
            crf: quality, lower is better; None for the format's default.
            preset: effort of the H.264 encoder, from `ultrafast` to `veryslow`.
            tracks: the source's sound and subtitles; closed with the writer.
            audio: copy the sound, encode it anew, or leave it out.
            threads: of the encoder; 0 lets it choose.
            stream: opens what is written to instead of a file, where nothing can be gone back to; the path then only
                says the format.

        Raises:
            OutputError: no video format has that suffix, or the format's clock is too coarse for the source.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in VIDEO_FORMATS:
            raise OutputError(f"{path}: expected a video name ending in {' '.join(VIDEO_FORMATS)}, got {suffix!r}")
        self._path = path
        self._info = info
        self._format = VIDEO_FORMATS[suffix]
        if not self._format.has_fine_clock and info.average_rate is not None and info.average_rate > 1 / MILLISECOND:
            raise OutputError(
                f"{path}: {float(info.average_rate):g} frames a second, but the clock of {suffix} has milliseconds: "
                "write .mp4 or .mov"
            )
        self._crf = self._format.default_crf if crf is None else crf
        self._preset = preset
        self._feed = tracks
        self._audio = audio
        self._threads = threads
        self._stream_to = stream
        self._time_base = info.time_base if self._format.has_fine_clock else MILLISECOND
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._shift = Fraction(0)
        self._notes: list[str] = []
        self._tracks: CopiedTracks | None = None
        self._labels: dict[str, str] = {}
        self._container: OutputContainer | None = None
        self.frames = 0

    @property
    def notes(self) -> list[str]:
        """What was left out or changed, in sentences; complete after the context."""
        return self._notes + (self._tracks.notes if self._tracks else [])

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._stream_to is None:
                self._part = stack.enter_context(atomic_path(self._path))
            if self._feed is not None:
                self._labels, said = labels_of(self._feed.container, self._picture_stream(self._feed))
                self._notes += said
                is_streamed = self._stream_to is not None
                tracks = CopiedTracks(self._feed, muxer=self._format.muxer, audio=self._audio, is_streamed=is_streamed)
                self._tracks = stack.enter_context(tracks)
            self._open()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(Exception):
                self._close()
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            try:
                self._finish()
            except (av.FFmpegError, OSError) as failure:
                raise self._failed(failure) from failure
            finally:
                with suppress(Exception):
                    self._close()

    def write(self, image: UInt8Array, pts_seconds: Fraction, duration_seconds: Fraction | None = None) -> None:
        """Encode one picture.

        Args:
            image: RGB, uint8, `[H, W, 3]`, of the source's size.
            pts_seconds: its time on the source's clock.
            duration_seconds: how long it is to be seen, where known.

        Raises:
            OutputError: it cannot be written, the disk being full for one.
            ShapeError: the picture has another size.
        """
        if image.shape != (*self._info.size, 3):
            raise ShapeError(f"{self._path}: expected a picture of {(*self._info.size, 3)}, got {image.shape}")
        try:
            if self._last_pts is None:
                self._begin(pts_seconds)
            container = self._opened()
            if self._tracks is not None:
                self._tracks.copy_until(pts_seconds, container)
            picture = self._picture(image)
            wanted = picture.pts = round((pts_seconds - self._shift) / self._time_base)
            if self._last_pts is not None and picture.pts <= self._last_pts:
                picture.pts = self._last_pts + 1
            if (picture.pts - wanted) * self._time_base > MAX_DELAY:
                raise OutputError(
                    f"{self._path}: more than 1000 frames a second, but the clock of this format has milliseconds: "
                    "write .mp4 or .mov"
                )
            self._last_pts = picture.pts
            picture.time_base = self._time_base
            duration = duration_seconds or 1 / (self._info.average_rate or DEFAULT_RATE)
            self._durations[picture.pts] = max(1, round(duration / self._time_base))
            self._mux(self._stream.encode(picture))
            self.frames += 1
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _picture_stream(self, feed: TrackFeed) -> Stream:
        return feed.container.streams[feed.picture]

    def _open(self) -> None:
        try:
            free = "+use_metadata_tags" if needs_free_labels(self._labels) else ""
            options = {"avoid_negative_ts": "disabled"}  # sound that starts before zero must not move the picture
            if self._format.has_fine_clock:
                clocks = [self._time_base.denominator, *(self._tracks.clocks if self._tracks else [])]
                options = {"movflags": f"+faststart{free}", "movie_timescale": str(common_clock(clocks))}
            if self._stream_to is not None:
                options |= {"flush_packets": "1"}
                options |= {"movflags": FRAGMENTS + free} if self._format.has_fine_clock else {}
            self._container = open_output(
                str(self._part) if self._stream_to is None else self._stream_to(),
                self._format.muxer,
                is_wrapped=self._tracks is not None and self._tracks.is_wrapped,
                options=options,
            )
            self._stream = self._add_video(self._container)
            if self._tracks is not None:
                self._tracks.add_to(self._container)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _add_video(self, container: OutputContainer) -> VideoStream:
        h, w = self._info.size
        if self._format.needs_even_size:
            h, w = _even(h), _even(w)
        if (h, w) != self._info.size:
            self._notes.append(
                f"the video is {w} x {h} pixels: H.264 has even sizes from {MIN_H264_SIDE} on, so edges were repeated"
            )
        if self._info.sample_aspect_ratio != 1 and self._format.codec == "libvpx-vp9":
            self._notes.append(f"the shape of a pixel ({self._info.sample_aspect_ratio}) is lost: VP9 cannot say it")
        rate = self._info.average_rate or DEFAULT_RATE
        stream: VideoStream = container.add_stream(self._format.codec, rate=rate)  # type: ignore[assignment]
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = w, h, "yuv420p"
        context.time_base = stream.time_base = self._time_base
        context.sample_aspect_ratio = self._info.sample_aspect_ratio
        context.colorspace, context.color_range = SMPTE170M, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.gop_size = min(250, max(1, round(rate * SECONDS_BETWEEN_INTRAS)))
        context.thread_count = self._threads
        context.flags |= GLOBAL_HEADER  # PyAV asks the container, which a wrapped one does not know
        context.options = {"crf": str(self._crf)}
        if self._format.codec == "libx264":
            context.options |= {"preset": self._preset}
            if h * w > LARGE_PICTURE:
                context.options |= {"x264-params": FEW_PICTURES}
        else:
            context.options |= {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "b": "0"}
        return stream

    def _begin(self, first: Fraction) -> None:
        """Fix the clock of the output by the time of the first picture, and write the header."""
        info = self._info
        is_part = info.start_seconds is not None
        self._shift = first if is_part or info.is_live or first < info.clock_zero_seconds else info.clock_zero_seconds
        if first < self._shift:
            self._shift = first
        if self._feed is not None:
            self._label(self._feed)
        self._opened().start_encoding()
        if self._tracks is not None:
            self._tracks.write_covers(self._opened())
            self._tracks.begin(shift=self._shift, first=first if is_part else None, end=info.end_seconds)

    def _label(self, feed: TrackFeed) -> None:
        """Say in the output what the source says of itself."""
        if self._info.start_seconds is not None:
            self._labels.pop("timecode", None)  # it is of the first frame of the whole
        output, picture = self._opened(), self._picture_stream(feed)
        output.metadata.update(self._labels)
        chapters = chapters_of(feed.container, shift=self._shift, end=self._info.end_seconds)
        if chapters and (self._format.muxer == "webm" or (self._tracks is not None and self._tracks.is_wrapped)):
            self._notes.append(
                f"{len(chapters)} chapters were left out: this {CONTAINERS[self._format.muxer]} has none"
            )
        elif chapters:
            output.set_chapters(chapters)
        for name, value in picture.metadata.items():
            if name.lower() in ("title", "language") and value != "und":
                self._stream.metadata[name.lower()] = value
        if "timecode" in self._labels:
            self._stream.metadata["timecode"] = self._labels["timecode"]

    def _picture(self, image: UInt8Array) -> VideoFrame:
        h, w = image.shape[:2]
        below, right = self._stream.codec_context.height - h, self._stream.codec_context.width - w
        if below or right:
            image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        image = np.ascontiguousarray(image)
        if image.shape[0] % 2 or image.shape[1] % 2:
            return VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU601
            )
        planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)  # BT.601, limited range
        return VideoFrame.from_ndarray(planes, format="yuv420p")  # a copy: the encoder reads it after we let go

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts or 0, 0)
            self._opened().mux(packet)

    def _finish(self) -> None:
        if self._last_pts is None:
            raise OutputError(f"{self._path}: no frame was written")
        self._mux(self._stream.encode(None))
        if self._tracks is not None:
            self._tracks.finish(self._opened())
        self._close()
        if self._stream_to is not None:
            return
        with av.open(f"file:{self._part}", metadata_errors="replace") as written:
            lost = lost_labels(self._labels, written)
            pictures = [s for s in written.streams.video if not s.disposition & Disposition.attached_pic]
            found = sum(packet.size > 0 for packet in written.demux(pictures[:1]))
        if found != self.frames:
            raise OutputError(f"{self._path}: expected {self.frames} frames in the written file, found {found}")
        if lost:
            self._notes.append(
                f"labels that {CONTAINERS[self._format.muxer]} cannot hold were left out: {', '.join(lost)}"
            )

    def _close(self) -> None:
        if self._container is not None:
            container, self._container = self._container, None
            container.close()

    def _opened(self) -> OutputContainer:
        if self._container is None:
            raise OutputError(f"{self._path}: is not open")
        return self._container

    def _failed(self, error: Exception) -> OutputError:
        return OutputError(f"{self._path}: cannot be written: {error_reason(error)}")


def common_clock(rates: list[int]) -> int:
    """Ticks a second of a clock that all these divide, as far as 31 bits go; the first does always."""
    common = rates[0]
    for rate in rates[1:]:
        if lcm(common, rate) <= MAX_TIMESCALE:
            common = lcm(common, rate)
    while common < COARSEST_CLOCK:
        common *= 10
    return common


def _even(side: int) -> int:
    return max(MIN_H264_SIDE, side + side % 2)
