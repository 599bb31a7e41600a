"""Frames of a video file or a live address, decoded with libav."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from av import VideoFrame
from av.container import InputContainer
from av.sidedata.motionvectors import MotionVectors
from numpy.typing import NDArray

from dffcli.core.types import Frame, SourceInfo
from dffcli.errors import VideoDecodeError, VideoOpenError
from dffcli.video.clock import FrameClock
from dffcli.video.container import (
    clock_beginning,
    declared_duration,
    error_reason,
    has_arbitrary_clock,
    is_cut_off,
    open_address,
    open_file,
    rational,
    video_stream,
)
from dffcli.video.hdr import is_hdr
from dffcli.video.picture import PictureConverter, letterbox, read_orientation
from dffcli.video.source import MAX_PIXELS, SourceNotes, Span, check_pixels

MAX_DECODER_THREADS = 8


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
        motion_vectors: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Open a file (a `Path`) or an address (a `str`) and decode its first picture.

        Args:
            place: where it is.
            span: the part that is wanted.
            motion_vectors: let the decoder export its motion vectors, with threads that repeat them exactly.
            max_pixels: refuse larger pictures.

        Raises:
            VideoOpenError: it cannot be opened, or holds no picture.
            InputError: its pictures are too large.
        """
        self._place = place
        self._span = span or Span()
        self._motion_vectors = motion_vectors
        self._max_pixels = max_pixels
        self._name = str(place)
        self._converter = PictureConverter()
        self._frames = self._corrupt = self._failed = self._size_changes = self._interlaced = 0
        self._is_hdr = False
        self._break_error: Exception | None = None
        self._damage_pending = False
        self._container = self._open()
        try:
            pictures = self._decode()
            first = self._first_picture(pictures)
            self._orientation = read_orientation(first)
            self._stored_size = (first.height, first.width)
            self.info = self._describe(first)
            self._clock = FrameClock(time_base=self.info.time_base, rate=self.info.average_rate)
            self._pictures = self._from_start(first, pictures)
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

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
        )

    def __iter__(self) -> Iterator[Frame]:
        start, end = self.info.start_seconds, self.info.end_seconds
        for picture in self._pictures:
            time = self._clock.place(picture.pts)
            if start is not None and time < start:
                continue
            if end is not None and time >= end:
                break
            yield self._frame(picture, time)
        self._raise_if_broken()

    def _open(self) -> InputContainer:
        container = open_file(self._place) if isinstance(self._place, Path) else open_address(self._place)
        try:
            stream = video_stream(container, self._name)
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
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                if is_cut_off(self._stream, self._place):
                    self._break_error = EOFError("it is shorter than its index says")
                return
            except (av.FFmpegError, OSError) as error:
                self._break_error = error
                yield from self._flush()
                return
            try:
                pictures = packet.decode()
            except (av.FFmpegError, OSError) as error:
                self._failed += 1
                self._break_error = error
                self._damage_pending = True
                continue
            yield from pictures

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
        if start is None or first.pts is None or first.pts * self.info.time_base >= start:
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
            self._container = self._open()
            self._failed, self._break_error = 0, None
            rest = self._decode()
        else:
            yield landed
        yield from rest

    def _describe(self, first: VideoFrame) -> SourceInfo:
        container, stream, span = self._container, self._stream, self._span
        is_live = isinstance(self._place, str)
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
            path=None if is_live else self._name,
            clock_zero_seconds=beginning if is_live or has_arbitrary_clock(container) else Fraction(0),
            start_seconds=start,
            end_seconds=end,
        )

    def _frame(self, picture: VideoFrame, time: Fraction) -> Frame:
        image, luma = self._converter.rgb(picture), self._converter.luma(picture)
        if not self._orientation.is_identity:
            image = self._orientation.apply(image)
            luma = None if luma is None else self._orientation.apply(luma)
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
            motion_vectors=_vectors(picture) if self._motion_vectors and self._orientation.is_identity else None,
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


def _vectors(picture: VideoFrame) -> NDArray[Any] | None:
    side_data: Any = picture.side_data  # typed as a mapping of strings, but it iterates over its values
    for data in side_data:
        if isinstance(data, MotionVectors):
            return np.asarray(data.to_ndarray())
    return None


def _available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
