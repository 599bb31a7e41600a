"""Bring a source's sound and subtitles beside a new picture, packet by packet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition

from dffcli.video.clock import TrackClock
from dffcli.video.feed import TrackFeed
from dffcli.video.fit import (
    CONTAINERS,
    Way,
    add_cover,
    codec_name,
    cover_fits,
    kind_of,
    left_out,
    mux_unchanged,
    ways_into,
)
from dffcli.video.recode import AudioMode

COPIED_TYPES = ("audio", "subtitle", "attachment")
MAC_LANGUAGES = {
    "deu": "ger",
    "nld": "dut",
    "ell": "gre",
    "isl": "ice",
    "zho": "chi",
    "sqi": "alb",
    "hye": "arm",
    "kat": "geo",
    "swe": "sve",
    "fas": "iri",
    "ron": "rom",
}
"""Languages that QuickTime knows by another code."""

NEAR = Fraction(1, 5)  # seconds; a packet that goes back less is moved forward, not left out


@dataclass
class _Track:
    """One stream on its way."""

    source: Any
    way: Way
    clock: TrackClock
    target: Any = None
    convert: Callable[[Packet[Any] | None], Sequence[Packet[Any]]] | None = None
    last_dts: Fraction | None = None
    copied: int = 0
    dropped: int = 0
    notes: list[str] = field(default_factory=list)


class CopiedTracks:
    """The sound and subtitles of a source: copied without decoding where the container can hold them.

    Every track is first tried alone on a scratch file. What cannot be kept is left out and noted, with what would help.
    """

    def __init__(self, feed: TrackFeed, *, muxer: str, audio: AudioMode = "copy", is_streamed: bool = False) -> None:
        """Find a way for every track.

        Args:
            feed: the packets.
            muxer: libav's name of the container that is to be written.
            audio: copy sound, encode it anew, or leave it out.
            is_streamed: the container is written straight through.
        """
        self._feed = feed
        self._notes: list[str] = []
        self._shift = Fraction(0)
        self._first = self._end = None  # type: Fraction | None
        self._waiting: tuple[Packet[Any], Fraction | None] | None = None
        self._tracks: dict[int, _Track] = {}
        self.is_wrapped = False
        streams = [s for s in feed.container.streams if s.type in COPIED_TYPES]
        if audio == "none":
            streams = [s for s in streams if s.type != "audio"]
        covers = [s for s in feed.container.streams.video if s.disposition & Disposition.attached_pic]
        samples = feed.sample({s.index for s in (*streams, *covers) if s.type != "attachment"})
        self._covers: list[tuple[Any, Packet[Any]]] = []
        for cover in covers:
            sample = samples.get(cover.index)
            if sample is not None and cover_fits(muxer, cover, sample):
                self._covers.append((cover, sample))
            else:
                kind = codec_name(cover)
                self._notes.append(f"the cover picture ({kind}) was left out: {CONTAINERS[muxer]} has none")
        for stream in streams:
            ways = ways_into(muxer, stream, samples.get(stream.index), audio=audio, is_streamed=is_streamed)
            way = next(iter(ways), None)
            if way is None:
                self._notes.append(left_out(stream, samples.get(stream.index), muxer))
                continue
            if way.remark:
                self._notes.append(f"{kind_of(stream)} {way.remark}")
            self.is_wrapped |= way.is_wrapped
            self._tracks[stream.index] = _Track(stream, way, TrackClock(feed.clock))
        self._notes += [
            f"{kind_of(stream)} was left out: {CONTAINERS[muxer]} is not written with such data"
            for stream in feed.container.streams
            if stream.type in ("data", "unknown") and "timecode" not in stream.metadata and not _is_chapters(stream)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.close()

    @property
    def notes(self) -> list[str]:
        """What was left out or changed, in sentences."""
        return self._notes + self._feed.notes + [note for track in self._tracks.values() for note in track.notes]

    @property
    def clocks(self) -> list[int]:
        """Ticks a second of the tracks' own clocks."""
        rates = [track.source.codec_context.sample_rate for track in self._tracks.values() if _is_sound(track.source)]
        return [rate for rate in rates if rate]

    def add_to(self, output: OutputContainer) -> None:
        """Make a stream in `output` for each track."""
        for track in self._tracks.values():
            track.target, track.convert = track.way.make(output)
            for label, value in track.source.metadata.items():
                if label.lower() in ("language", "title", "handler_name", "filename", "mimetype"):
                    track.target.metadata[label] = value
            if output.format.name == "mov" and (language := track.source.language) in MAC_LANGUAGES:
                track.target.metadata["language"] = MAC_LANGUAGES[language]
            track.target.disposition = track.source.disposition

        self._cover_targets = [add_cover(output, stream, sample) for stream, sample in self._covers]

    def write_covers(self, output: OutputContainer) -> None:
        """Write the cover pictures, where they are streams."""
        for target, (_, packet) in zip(self._cover_targets, self._covers, strict=True):
            if target is not None:
                mux_unchanged(packet, target, output)

    def begin(self, *, shift: Fraction, first: Fraction | None, end: Fraction | None) -> None:
        """Say what is wanted, once the first picture is known.

        Args:
            shift: taken from every time, in seconds.
            first: leave out what sounds before this time of the source.
            end: leave out what starts at or after this time of the source.
        """
        self._shift, self._first, self._end = shift, first, end
        moving = {index for index, track in self._tracks.items() if track.source.type != "attachment"}
        self._feed.begin(moving, first=first)
        self._tracks = {index: track for index, track in self._tracks.items() if index in moving}

    def copy_until(self, time: Fraction | None, output: OutputContainer) -> None:
        """Write the packets that start before `time` (on the source's clock), or all that are left."""
        while (found := self._next(is_last_word=time is None)) is not None:
            packet, placed = found
            if placed is None or (time is not None and placed >= time):
                self._waiting = found
                return
            if (self._first is not None and placed < self._first) or (self._end is not None and placed >= self._end):
                continue
            self._copy(self._tracks[packet.stream.index], packet, placed - _start(packet) - self._shift, output)

    def finish(self, output: OutputContainer) -> None:
        """Write what is left and note what was lost."""
        self.copy_until(None, output)
        for track in self._tracks.values():
            if track.convert is not None:
                for packet in track.convert(None):
                    _mux(packet, track.target, output)
            if track.dropped:
                of = track.dropped + track.copied
                kind = kind_of(track.source)
                track.notes.append(f"{kind}: {track.dropped} of {of} packets were out of order and left out")

    def _next(self, *, is_last_word: bool) -> tuple[Packet[Any], Fraction | None] | None:
        """The next packet of our tracks and its time on the picture's clock, None while that is not known."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting[1] is not None:
            return waiting
        packet = waiting[0] if waiting is not None else self._feed.read()
        while packet is not None and packet.stream.index not in self._tracks:
            packet = self._feed.read()
        if packet is None:
            return None
        return packet, self._tracks[packet.stream.index].clock.place(_start(packet), is_last_word=is_last_word)

    def _copy(self, track: _Track, packet: Packet[Any], shift: Fraction, output: OutputContainer) -> None:
        """Write one packet, its times shifted by `shift` seconds; the packet itself stays as it was."""
        tick = Fraction(packet.time_base)
        before = (packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream)
        ticks = round(shift / tick)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = packet.pts if packet.dts is None else packet.dts + ticks
        dts = (packet.dts or 0) * tick
        if track.last_dts is not None and dts < track.last_dts - NEAR:
            track.dropped += 1
        else:
            lift = 0
            if track.last_dts is not None:
                lift = -((dts - track.last_dts) // tick) if dts < track.last_dts else 0
                if dts + lift * tick <= track.last_dts and track.way.is_strict:
                    lift += 1
            packet.dts = (packet.dts or 0) + lift
            packet.pts = None if packet.pts is None else max(packet.pts, packet.dts)
            track.last_dts = packet.dts * tick
            track.copied += 1
            for made in [packet] if track.convert is None else track.convert(packet):
                _mux(made, track.target, output)
        packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream = before


def _mux(packet: Packet[Any], target: Any, output: OutputContainer) -> None:
    packet.stream = target
    output.mux(packet)


def _start(packet: Packet[Any]) -> Fraction:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return (ticks or 0) * Fraction(packet.time_base)


def _is_chapters(stream: Any) -> bool:
    """The names of an mp4's chapters lie in a track of their own."""
    return stream.name == "bin_data" and bool(stream.container.chapters())


def _is_sound(stream: Any) -> bool:
    return stream.type == "audio" and stream.codec_context is not None
