"""Packets of the sound and subtitles that lie beside a picture, in the order of the file."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.container import InputContainer
from av.packet import Packet

from dffcli.video.clock import FrameClock
from dffcli.video.container import error_reason, open_file

FIRST_PACKETS = 2_000  # packets read to find the first one of every track


class TrackFeed(Protocol):
    """What a writer copies beside its own picture.

    Attributes:
        container: the open source, for its streams, chapters and labels.
        picture: index of the stream whose frames are being written.
        clock: of those frames.
        notes: what went wrong, in sentences.
    """

    container: InputContainer
    picture: int
    clock: FrameClock | None
    notes: list[str]

    def sample(self, indices: set[int]) -> dict[int, Packet[Any]]:
        """The first packet of each of these streams, where it comes soon."""

    def begin(self, indices: set[int], *, first: Fraction | None) -> None:
        """Say which streams are wanted, and from what time on."""

    def read(self) -> Packet[Any] | None:
        """The next packet; None where there is none (any more, or yet)."""

    def close(self) -> None:
        """Nothing more is wanted."""


class FileFeed:
    """The tracks of a file, which is opened a second time: the picture's reader may be far ahead."""

    def __init__(self, path: Path, *, picture: int, clock: FrameClock | None) -> None:
        """Open the file.

        Raises:
            InputError: it cannot be opened.
        """
        self._path = path
        self.picture, self.clock = picture, clock
        self.notes: list[str] = []
        self.container = open_file(path)
        if any(_is_unknown(stream) for stream in self.container.streams):
            self.container.close()
            self.container = open_file(path, look_far=True)
        self._packets: Iterator[Packet[Any]] = iter(())

    def sample(self, indices: set[int]) -> dict[int, Packet[Any]]:
        """The first packet of each of these streams, from a reader of its own."""
        found: dict[int, Packet[Any]] = {}
        with suppress(av.FFmpegError, OSError), open_file(self._path) as container:
            streams = [stream for stream in container.streams if stream.index in indices]
            for number, packet in enumerate(container.demux(streams)):
                if packet.size:
                    found.setdefault(packet.stream.index, packet)
                if len(found) == len(streams) or number > FIRST_PACKETS:
                    break
        return found

    def begin(self, indices: set[int], *, first: Fraction | None) -> None:
        """Go to the first packet that is wanted."""
        if first is not None:
            try:
                self.container.seek(int(first * av.time_base))
            except (av.FFmpegError, OSError):
                self.notes.append("sound and subtitles were read from the beginning: the file cannot be searched")
        self._packets = self.container.demux([s for s in self.container.streams if s.index in indices])

    def read(self) -> Packet[Any] | None:
        """The next packet that has a time; a break in the file is an end, and noted."""
        try:
            return next((packet for packet in self._packets if has_time(packet)), None)
        except (av.FFmpegError, OSError) as error:
            self._packets = iter(())
            reason = error_reason(error, is_open=True)
            self.notes.append(f"sound and subtitles end where the file breaks off ({reason})")
        return None

    def close(self) -> None:
        """Close the file."""
        self.container.close()


class PassingFeed:
    """The tracks of something that cannot be read twice: the picture's reader hands them over as they pass."""

    def __init__(self, container: InputContainer, *, picture: int, clock: FrameClock | None) -> None:
        """Wait for packets.

        Args:
            container: being read by somebody else.
            picture: index of the stream that is decoded.
            clock: of its frames.
        """
        self.container, self.picture, self.clock = container, picture, clock
        self.notes: list[str] = []
        self._waiting: deque[Packet[Any]] = deque()
        self._lock = threading.Lock()
        self._is_closed = False

    def put(self, packet: Packet[Any]) -> None:
        """Hand over one packet, from any thread."""
        with self._lock:
            if has_time(packet) and not self._is_closed:
                self._waiting.append(packet)

    def sample(self, indices: set[int]) -> dict[int, Packet[Any]]:
        """What has come so far."""
        found: dict[int, Packet[Any]] = {}
        with self._lock:
            for packet in self._waiting:
                if packet.stream.index in indices:
                    found.setdefault(packet.stream.index, packet)
        return found

    def begin(self, indices: set[int], *, first: Fraction | None) -> None:
        """Drop what came of other streams."""
        with self._lock:
            self._waiting = deque(packet for packet in self._waiting if packet.stream.index in indices)

    def read(self) -> Packet[Any] | None:
        """The next packet that has come."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Keep nothing more."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()


def has_time(packet: Packet[Any]) -> bool:
    """The packet holds something, and says when."""
    return packet.size > 0 and (packet.pts is not None or packet.dts is not None)


def _is_unknown(stream: Any) -> bool:
    """A sound track whose shape is not known yet: it begins late."""
    return stream.type == "audio" and stream.codec_context is not None and not stream.codec_context.sample_rate
