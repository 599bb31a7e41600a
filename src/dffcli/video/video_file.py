"""Frames of a video file or a live address, decoded with libav."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any, Self

import av
import numpy as np
from av import VideoFrame
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.motionvectors import MotionVectors
from numpy.typing import NDArray

from dffcli.core.types import Frame, SourceInfo
from dffcli.errors import InputError, VideoDecodeError, VideoOpenError
from dffcli.video.clock import DEFAULT_RATE, FrameClock
from dffcli.video.container import (
    clock_beginning,
    declared_duration,
    error_reason,
    has_arbitrary_clock,
    open_file,
    rational,
    video_stream,
)
from dffcli.video.ebml import Crop, crops
from dffcli.video.endings import is_cut_off
from dffcli.video.feed import FileFeed, PassingFeed, TrackFeed
from dffcli.video.hdr import is_hdr
from dffcli.video.live import GIVE_UP, STANDARD_INPUT, Opened, open_live, reached_again
from dffcli.video.picture import PictureConverter, letterbox, read_orientation, side_data_of
from dffcli.video.source import MAX_PIXELS, SourceNotes, Span, check_pixels
from dffcli.video.tracks import COPIED_TYPES

MAX_DECODER_THREADS = 8
REORDERING_CODECS = frozenset(("h264", "hevc"))  # for which libav does not guess times where there are none
MAX_REORDERED = 16  # frames that a codec may hold back to reorder them
MAX_UNMARKED = 10_000  # frames without a timestamp that are counted, at the beginning of a file


class VideoFile:
    """One video stream, from a file or an address, as frames.

    Pieces that cannot be decoded are skipped and the next frame is marked; the iteration still ends in an error then,
    once everything that could be decoded has been delivered.
    """

    def __init__(
        self,
        place: Path | str,
        *,
        span: Span | None = None,
        stream: int | None = None,
        motion_vectors: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Open a file (a `Path`) or an address (a `str`) and decode its first picture.

        Args:
            place: where it is.
            span: the part that is wanted.
            stream: the number of the video stream; the one that is meant if None.
            motion_vectors: let the decoder export its motion vectors, with threads that repeat them exactly.
            max_pixels: refuse larger pictures.

        Raises:
            VideoOpenError: it cannot be opened, or holds no picture.
            InputError: its pictures are too large.
        """
        self._place = place
        self._span = span or Span()
        self._number = stream
        self._is_file = isinstance(place, Path) and place.is_file()  # not a pipe
        self._left_aside: list[str] = []
        self._feeds: list[PassingFeed] = []
        self._passed: list[Packet[Any]] | None = None if self._is_file else []
        self._stopped = threading.Event()
        self._lost = 0
        self._missing_seconds = Fraction(0)
        self._arrived: float | None = None
        self._motion_vectors = motion_vectors
        self._max_pixels = max_pixels
        self._name = "standard input" if place == STANDARD_INPUT else str(place)
        self._converter = PictureConverter()
        self._frames = self._corrupt = self._failed = self._size_changes = self._interlaced = 0
        self._is_hdr = False
        self._break_error: Exception | None = None
        self._damage_pending = False
        self._live: Opened | None = None
        self._container = self._home = self._open()
        try:
            pictures = self._decode()
            first = self._first_picture(pictures)
            self._orientation = read_orientation(first)
            self._stored_size = (first.height, first.width)
            self._crop = self._crop_of(self._stored_size)
            self.info = self._describe(first)
            self._clock = FrameClock(
                time_base=self.info.time_base, rate=self.info.average_rate, first=self._time_of_unmarked(first)
            )
            self._counted = _counts_from(first) if self._is_counted() else None
            self._pictures = self._from_start(first, pictures)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._live is not None:
            self._live.close()
        self._container.close()
        self._home.close()

    @property
    def notes(self) -> SourceNotes:
        """What was noticed so far."""
        return SourceNotes(
            frames=self._frames,
            corrupt=self._corrupt,
            failed_packets=self._failed,
            size_changes=self._size_changes,
            times_made_up=self._clock.made_up,
            times_moved=self._clock.moved,
            interlaced=self._interlaced,
            is_mirrored=self._orientation.is_mirrored,
            is_hdr=self._is_hdr,
            is_time_reset=self._clock.is_reset,
            other=(*self._left_aside, *self._losses()),
        )

    def tracks(self) -> TrackFeed | None:
        """The sound, subtitles and labels: of a file read again, of anything else as they pass."""
        if self._is_file and isinstance(self._place, Path):
            try:
                return FileFeed(self._place, picture=self._stream.index, clock=self._clock)
            except VideoOpenError as error:
                self._left_aside.append(f"sound and subtitles were not copied: {error}")
                return None
        feed = PassingFeed(self._container, picture=self._stream.index, clock=self._clock)
        for packet in self._passed or []:
            feed.put(packet)
        self._feeds.append(feed)
        return feed

    def stop(self) -> None:
        """End with the next picture; where a stream is read here, also in the middle of waiting for it."""
        self._stopped.set()
        if self._live is not None:
            self._live.cancel()

    def _losses(self) -> list[str]:
        if not self._lost:
            return []
        times = "once" if self._lost == 1 else f"{self._lost} times"
        return [f"the stream was lost {times} and found again: {float(self._missing_seconds):.1f} seconds are missing"]

    def __iter__(self) -> Iterator[Frame]:
        start, end = self.info.start_seconds, self.info.end_seconds
        self._passed = None
        for picture in self._pictures:
            if self._stopped.is_set():
                return
            time = self._clock.place(self._ticks(picture))
            self._arrived = monotonic()
            if start is not None and time < start:
                continue
            if end is not None and time >= end:
                break
            yield self._frame(picture, time)
        if not self._stopped.is_set():
            self._raise_if_broken()

    def _open(self) -> InputContainer:
        if isinstance(self._place, Path):
            return self._set_up(open_file(self._place))
        self._live = open_live(self._place)
        return self._set_up(self._live.container)

    def _set_up(self, container: InputContainer) -> InputContainer:
        try:
            stream, self._left_aside = video_stream(container, self._name, number=self._number)
            context = stream.codec_context
            check_pixels(self._name, (context.height, context.width), max_pixels=self._max_pixels)
            options = {"max_pixels": str(self._max_pixels)}
            if self._motion_vectors:
                options["flags2"] = "+export_mvs"
            context.options = options
            stream.thread_type = "SLICE" if self._motion_vectors else "AUTO"
            stream.thread_count = min(_available_cpus(), MAX_DECODER_THREADS)
        except BaseException:
            container.close()
            raise
        self._stream = stream
        return container

    def _decode(self) -> Iterator[VideoFrame]:
        """Every picture that can be decoded; remembers what went wrong."""
        packets = self._container.demux([self._stream, *self._passing()])
        last: Packet[Any] | None = None
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                self._break_error = self._break_error or self._early_end(last)
                if self._is_lost(None):
                    yield from self._flush()
                    if self._come_back():
                        packets = self._container.demux([self._stream, *self._passing()])
                        continue
                return
            except (av.FFmpegError, OSError) as error:
                self._break_error = error
                yield from self._flush()
                if self._is_lost(error) and self._come_back():
                    packets = self._container.demux([self._stream, *self._passing()])
                    continue
                return
            if packet.stream.index != self._stream.index:
                self._pass_on(packet)
                continue
            last = packet if packet.size else last
            try:
                pictures: Any = packet.decode()
            except (av.FFmpegError, OSError) as error:
                self._failed += 1
                self._break_error = error
                self._damage_pending = True
                continue
            yield from pictures

    def _passing(self) -> list[Any]:
        """The streams that are to be handed over as they pass."""
        return [] if self._is_file else [s for s in self._container.streams if s.type in COPIED_TYPES[:2]]

    def _is_lost(self, error: Exception | None) -> bool:
        is_ours = self._live is not None and self._place != STANDARD_INPUT and not self._stopped.is_set()
        return is_ours and self._live is not None and self._live.is_lost(error)

    def _come_back(self) -> bool:
        """Reach a lost stream again; its clock then goes on after a gap."""
        if self._arrived is None:
            return False  # it never gave a picture
        lost, place = self._live, self._place
        found, said = reached_again(lambda: open_live(str(place)), stopped=self._stopped)
        if found is None:
            if said and not self._stopped.is_set():
                self._break_error = VideoOpenError(f"it was lost, and could not be reached again for {GIVE_UP:g} s")
            return False
        if lost is not None and lost.container is not self._home:
            lost.close()
        self._live = found
        try:
            self._container = self._set_up(found.container)
        except (InputError, av.FFmpegError):
            return False
        gap = Fraction(monotonic() - self._arrived).limit_denominator(1000)
        self._clock.resume(after=gap)
        self._lost, self._missing_seconds = self._lost + 1, self._missing_seconds + gap
        self._break_error = None
        return True

    def _early_end(self, last: Packet[Any] | None) -> Exception | None:
        """Why the end of the data is not the end of the video, if it is not."""
        if self._live is not None and self._live.loss is not None:
            return self._live.loss
        return EOFError("it is shorter than it says") if self._is_cut_off(last) else None

    def _pass_on(self, packet: Packet[Any]) -> None:
        if self._container is not self._home:  # after a loss: the writer knows the streams of the first connection
            home = self._home.streams
            index = packet.stream.index
            if index >= len(home) or home[index].type != packet.stream.type:
                return
            packet.stream = home[index]
        if self._passed is not None:
            self._passed.append(packet)
        for feed in self._feeds:
            feed.put(packet)

    def _is_cut_off(self, last: Packet[Any] | None) -> bool:
        """The end came too early, as the file itself or its last packet says."""
        if self._is_file and isinstance(self._place, Path) and is_cut_off(self._place, self._container.format.name):
            return True
        return last is not None and last.is_corrupt

    def _is_counted(self) -> bool:
        """The container has no times, and the codec shows frames in another order than it stores them."""
        return self._container.format.name == "avi" and self._stream.codec_context.name in REORDERING_CODECS

    def _ticks(self, picture: VideoFrame) -> int | Fraction | None:
        """The frame's timestamp."""
        if self._counted is None and picture.pts is not None and self._container is not self._home:
            return picture.pts * Fraction(self._stream.time_base or 1) / self.info.time_base
        if self._counted is None:
            return picture.pts
        return self._counted.place(picture.dts)

    def _crop_of(self, size: tuple[int, int]) -> Crop | None:
        """What a Matroska file wants cut off the stored picture."""
        if not self._is_file or not isinstance(self._place, Path) or "matroska" not in self._container.format.name:
            return None
        found = crops(self._place)
        crop = found[self._stream.index] if self._stream.index < len(found) else Crop()
        return crop if crop.fits(size) else None

    def _time_of_unmarked(self, first: VideoFrame) -> Fraction:
        """When a first frame without a timestamp is shown: as long before the first one that has one as it is away."""
        if first.pts is not None or not self._is_file or not isinstance(self._place, Path):
            return Fraction(0)
        unmarked, marked = 0, []
        with suppress(av.FFmpegError, OSError, VideoOpenError), open_file(self._place) as container:
            for packet in container.demux(container.streams[self._stream.index]):
                if packet.pts is not None:
                    marked.append(packet.pts)
                elif not marked and packet.size:
                    unmarked += 1
                if len(marked) > MAX_REORDERED or unmarked > MAX_UNMARKED:
                    break
        if not marked:
            return Fraction(0)
        return min(marked) * self.info.time_base - unmarked / (self.info.average_rate or DEFAULT_RATE)

    def _flush(self) -> list[VideoFrame]:
        try:
            return list(self._stream.codec_context.decode(None))
        except (av.FFmpegError, OSError):
            return []

    def _first_picture(self, pictures: Iterator[VideoFrame]) -> VideoFrame:
        first = next(pictures, None)
        if first is None:
            reason = f" ({error_reason(self._break_error, is_open=True)})" if self._break_error else ""
            raise VideoOpenError(f"{self._name}: not one frame of its video can be decoded{reason}")
        check_pixels(self._name, (first.height, first.width), max_pixels=self._max_pixels)
        return first

    def _from_start(self, first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The pictures from `first` on, or from shortly before the start that was asked for."""
        start = self.info.start_seconds
        if not self._is_file or start is None or first.pts is None or first.pts * self.info.time_base >= start:
            yield first
            yield from rest
            return
        rest = self._decode()
        try:
            self._container.seek(int(start / self.info.time_base), stream=self._stream)
            landed = next(rest, None)
        except (av.FFmpegError, OSError):
            landed = None
        if landed is None or landed.pts is None or landed.pts * self.info.time_base > start:
            self._container.close()
            self._container = self._home = self._open()
            self._failed, self._break_error = 0, None
            rest = self._decode()
        else:
            yield landed
        yield from rest

    def _describe(self, first: VideoFrame) -> SourceInfo:
        container, stream, span = self._container, self._stream, self._span
        is_live = self._live is not None and self._place != STANDARD_INPUT
        rate = rational(stream.average_rate) or rational(stream.guessed_rate) or rational(stream.base_rate)
        duration = declared_duration(container, stream)
        aspect = (
            rational(stream.sample_aspect_ratio) or rational(stream.codec_context.sample_aspect_ratio) or Fraction(1)
        )
        beginning = clock_beginning(container)
        start = None if span.start is None else beginning + span.start
        end = None if span.end is None else beginning + span.end
        count = stream.frames or (round(duration * rate) if duration and rate else None)
        if not span.is_whole:
            ends = [end for end in (span.end, duration) if end is not None]
            duration = max(min(ends) - (span.start or 0), Fraction(0)) if ends else None
            count = round(duration * rate) if duration and rate else None
        h, w = self._stored_size
        if self._crop is not None:
            rows, columns = self._crop.within(self._stored_size)
            h, w = rows.stop - rows.start, columns.stop - columns.start
        return SourceInfo(
            name=Path(self._name).name or self._name,
            size=(w, h) if self._orientation.transpose else (h, w),
            time_base=rational(stream.time_base) or Fraction(1, av.time_base),
            average_rate=rate,
            frame_count=None if is_live else count,
            duration_seconds=None if is_live else duration,
            sample_aspect_ratio=1 / aspect if self._orientation.transpose else aspect,
            is_live=is_live,
            rotation=self._orientation.rotation,
            path=self._name if self._is_file else None,
            may_stall=not self._is_file,
            clock_zero_seconds=beginning if is_live or has_arbitrary_clock(container) else Fraction(0),
            start_seconds=start,
            end_seconds=end,
        )

    def _frame(self, picture: VideoFrame, time: Fraction) -> Frame:
        image, luma = self._converter.rgb(picture), self._converter.luma(picture)
        if self._crop is not None and self._crop.fits(image.shape[:2]):
            part = self._crop.within(image.shape[:2])
            image = np.ascontiguousarray(image[part])
            luma = None if luma is None else np.ascontiguousarray(luma[part])
        if not self._orientation.is_identity:
            image = self._orientation.apply(image)
            luma = None if luma is None else self._orientation.apply(luma)
        is_as_stored = self._orientation.is_identity and self._crop is None
        size = (picture.height, picture.width)
        is_resized = size != self._stored_size
        if is_resized:
            self._stored_size = size
            self._size_changes += 1
        if image.shape[:2] != self.info.size:
            image = letterbox(image, self.info.size)
            luma = None if luma is None else letterbox(luma, self.info.size)
        is_corrupt = picture.is_corrupt or self._damage_pending
        self._damage_pending = False
        self._corrupt += is_corrupt
        self._interlaced += picture.interlaced_frame
        self._is_hdr |= is_hdr(picture)
        index = self._frames
        self._frames += 1
        return Frame(
            index=index,
            image=image,
            pts_seconds=time,
            duration_seconds=picture.duration * self.info.time_base if picture.duration else None,
            luma=luma,
            is_corrupt=is_corrupt,
            motion_vectors=_vectors(picture) if self._motion_vectors and is_as_stored else None,
            is_resized=is_resized,
        )

    def _raise_if_broken(self) -> None:
        if self._break_error is not None:
            reason = error_reason(self._break_error, is_open=True)
            what = f"{self._failed} of its packets could not be decoded" if self._failed else "the file breaks off"
            raise VideoDecodeError(
                f"{self._name}: {what} ({reason}); {self._frames} frames were read"
            ) from self._break_error
        if not self._frames:
            raise VideoDecodeError(f"{self._name}: no frame {self._span}")


@dataclass
class _Counted:
    """Timestamps by the place of a frame in the file, from the first one on; only places left empty are skipped."""

    latest: int
    dts: int | None = None
    frames: int = 0

    def place(self, dts: int | None) -> int:
        """The timestamp of the next frame, which came out with the packet at `dts`."""
        is_settled = self.frames > 1 and dts is not None and self.dts is not None  # the first comes before its time
        if self.frames:
            self.latest += max(1, dts - self.dts) if is_settled and dts is not None and self.dts is not None else 1
        self.dts, self.frames = dts, self.frames + 1
        return self.latest


def _counts_from(first: VideoFrame) -> _Counted | None:
    return None if first.pts is None else _Counted(first.pts)


def _vectors(picture: VideoFrame) -> NDArray[Any] | None:
    for data in side_data_of(picture) or []:
        if isinstance(data, MotionVectors):
            return np.asarray(data.to_ndarray())
    return None


def _available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
