"""Copy a source's sound and subtitles beside a new picture, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from dffcli.errors import VideoOpenError
from dffcli.video.container import open_file

COPIED_TYPES = ("audio", "subtitle")


@dataclass
class _Track:
    """One stream on its way."""

    source: Any
    target: Any
    last_dts: int | None = None
    copied: int = 0
    dropped: int = 0
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        self.kind = f"{self.source.type} track {self.source.index} ({self.source.codec_context.name})"


class CopiedTracks:
    """The sound and subtitles of a file, copied without decoding. What cannot be copied is left out and noted."""

    def __init__(self, path: str) -> None:
        """Open the source a second time, for its other streams.

        A source that does not open has none to copy: that is noted, not raised.
        """
        self.notes: list[str] = []
        self._tracks: dict[int, _Track] = {}
        self._shift = Fraction(0)
        self._first = self._end = None  # type: Fraction | None
        self._waiting: Packet[Any] | None = None
        self._container: InputContainer | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        try:
            self._container = open_file(Path(path))
        except VideoOpenError as error:
            self.notes.append(f"sound and subtitles were not copied: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._container is not None:
            self._container.close()

    def add_to(self, output: OutputContainer) -> None:
        """Make a stream in `output` for each of ours that its format can hold."""
        if self._container is None:
            return
        for stream in self._container.streams:
            if stream.type not in COPIED_TYPES:
                continue
            name = stream.codec_context.name if stream.codec_context else "unknown"
            try:
                if stream.codec_context is None:
                    raise ValueError("unknown codec")
                target = output.add_stream_from_template(stream, opaque=True)
            except (ValueError, av.FFmpegError):
                kind = f"{stream.type} track {stream.index} ({name})"
                self.notes.append(f"{kind} was left out: {output.format.name} cannot hold it")
                continue
            _copy_labels(stream, target)
            self._tracks[stream.index] = _Track(stream, target)

    def leave_out_all(self, reason: str) -> None:
        """Give up on every track."""
        self.notes += [f"{track.kind} was left out: {reason}" for track in self._tracks.values()]
        self._tracks = {}

    def begin(self, *, shift: Fraction, first: Fraction | None, end: Fraction | None) -> None:
        """Say what is wanted, once the first picture is known.

        Args:
            shift: taken from every time, in seconds.
            first: leave out what sounds before this time of the source.
            end: leave out what starts at or after this time of the source.
        """
        self._shift, self._first, self._end = shift, first, end
        if not self._tracks or self._container is None:
            return
        if first is not None:
            try:
                self._container.seek(int(first * av.time_base))
            except (av.FFmpegError, OSError):
                self.notes.append("sound and subtitles were read from the beginning: the file cannot be searched")
        self._packets = self._container.demux([track.source for track in self._tracks.values()])

    def copy_until(self, time: Fraction | None, output: OutputContainer) -> None:
        """Write the packets that start before `time` (on the source's clock), or all that are left."""
        while (packet := self._next()) is not None:
            start = _start(packet)
            if time is not None and start >= time:
                self._waiting = packet
                return
            if (self._first is not None and start < self._first) or (self._end is not None and start >= self._end):
                continue
            self._copy(packet, output)

    def finish(self, output: OutputContainer) -> None:
        """Write what is left and note what was lost."""
        self.copy_until(None, output)
        for track in self._tracks.values():
            if track.dropped:
                of = track.dropped + track.copied
                self.notes.append(f"{track.kind}: {track.dropped} of {of} packets were out of order and left out")

    def _next(self) -> Packet[Any] | None:
        """The next packet that has a time, or None at the end (a break in the source is an end, and noted)."""
        if self._waiting is not None:
            packet, self._waiting = self._waiting, None
            return packet
        try:
            for packet in self._packets:
                if packet.size and (packet.pts is not None or packet.dts is not None):
                    return packet
        except (av.FFmpegError, OSError) as error:
            self._packets = iter(())
            self.notes.append(f"sound and subtitles end where the file breaks off ({error.strerror})")
        return None

    def _copy(self, packet: Packet[Any], output: OutputContainer) -> None:
        track = self._tracks[packet.stream.index]
        ticks = round(self._shift / Fraction(packet.time_base))
        packet.pts = None if packet.pts is None else packet.pts - ticks
        packet.dts = packet.pts if packet.dts is None else packet.dts - ticks
        if track.last_dts is not None and packet.dts is not None and packet.dts <= track.last_dts:
            track.dropped += 1
            return
        last_dts = packet.dts  # muxing rescales the packet
        packet.stream = track.target
        output.mux(packet)
        track.last_dts = last_dts
        track.copied += 1


def _start(packet: Packet[Any]) -> Fraction:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return (ticks or 0) * Fraction(packet.time_base)


def _copy_labels(source: Stream, target: Stream) -> None:
    for label in ("language", "title", "handler_name"):
        if label in source.metadata:
            target.metadata[label] = source.metadata[label]
    target.disposition = source.disposition
