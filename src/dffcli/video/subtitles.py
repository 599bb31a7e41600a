"""Turn subtitles that are text from one container's kind into another's."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from av.container import OutputContainer
from av.packet import Packet

TEXT_CODECS = frozenset(("srt", "subrip", "ssa", "ass", "webvtt", "mov_text", "text"))
MILLISECOND = Fraction(1, 1000)
ASS_FIELDS = 8  # commas before the text of an ASS line in Matroska
HEADER = (
    b"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    b"MarginV, Encoding\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
"""libav's encoders of subtitles take their look from such a header."""


def plain_text(codec: str, data: bytes) -> str:
    """What one packet of subtitles says, lines parted by newlines.

    Args:
        codec: libav's name of its kind.
        data: the packet.
    """
    if codec == "mov_text":
        length = int.from_bytes(data[:2], "big")
        return data[2 : 2 + length].decode("utf-8", "replace")
    text = data.decode("utf-8", "replace").rstrip("\0\r\n")
    if codec in ("ass", "ssa"):
        text = text.split(",", ASS_FIELDS)[-1]
        text = re.sub(r"\{[^}]*\}", "", text)
        return text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    return text.replace("\r\n", "\n")


def encoded(codec: str, text: str) -> bytes:
    """One packet of subtitles.

    Args:
        codec: libav's name of its kind.
        text: lines parted by newlines, perhaps with SubRip's tags.
    """
    if codec == "mov_text":
        plain = re.sub(r"</?[a-zA-Z][^>]*>", "", text).encode()[:65_535]
        return struct.pack(">H", len(plain)) + plain
    if codec == "webvtt":
        text = re.sub(r"</?font[^>]*>", "", text)
    return text.encode()


class TextConverter:
    """Subtitles of one track, turned into another kind.

    mp4 shows one text at a time: lines that overlap are cut into pieces, in each of which all of them stand.
    """

    def __init__(self, source: Any, codec: str, output: OutputContainer) -> None:
        """Add the stream.

        Args:
            source: the track.
            codec: libav's name of what it is to become.
            output: gets the stream.
        """
        self._kind = source.codec_context.codec.canonical_name
        self._codec = codec
        self._shown: list[tuple[int, str]] = []  # end in milliseconds and text of the lines on screen
        self._place = 0  # milliseconds up to which everything is written
        self.target: Any = output.add_stream(codec)
        self.target.time_base = MILLISECOND
        context: Any = self.target.codec_context
        context.subtitle_header = HEADER

    def convert(self, packet: Packet[Any] | None) -> Sequence[Packet[Any]]:
        """The packets that are complete once this one is known; with None, the last."""
        if packet is None:
            return self._written_until(None)
        tick = Fraction(packet.time_base)
        start = round((packet.pts or 0) * tick / MILLISECOND)
        duration = round((packet.duration or 0) * tick / MILLISECOND)
        text = plain_text(self._kind, bytes(packet)).strip()
        if not text:
            return []
        if self._codec != "mov_text":
            return [self._made(start, duration, text)]
        complete = self._written_until(start)
        self._shown.append((start + duration, text))
        return complete

    def _written_until(self, time: int | None) -> list[Packet[Any]]:
        """What is on screen from where we are to `time`, or to the end."""
        packets = []
        while self._shown and (time is None or self._place < time):
            first_end = min(end for end, _ in self._shown)
            stop = first_end if time is None else min(first_end, time)
            if stop > self._place:
                lines = "\n".join(text for _, text in self._shown)
                packets.append(self._made(self._place, stop - self._place, lines))
            self._place = max(self._place, stop)
            self._shown = [(end, text) for end, text in self._shown if end > self._place]
        self._place = max(self._place, time or 0)
        return packets

    def _made(self, start: int, duration: int, text: str) -> Packet[Any]:
        packet: Packet[Any] = Packet(encoded(self._codec, text))
        packet.pts = packet.dts = start
        packet.duration, packet.time_base = duration, MILLISECOND
        packet.is_keyframe = True
        return packet
