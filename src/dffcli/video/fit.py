"""Find out how a track can live in a container, by trying it on a scratch file."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import av
from av.container import OutputContainer
from av.packet import Packet

from dffcli.video.recode import ENCODERS, AudioMode, Recoder
from dffcli.video.subtitles import TEXT_CODECS, TextConverter

CONTAINERS = {"mp4": "mp4", "mov": "mov", "matroska": "mkv", "webm": "webm"}
"""What users call libav's muxers."""

TEXT_OF = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
ADTS_HEAD = 7  # bytes
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What so many channels are taken for where the file does not say."""

Convert: TypeAlias = "Callable[[Packet[Any] | None], Sequence[Packet[Any]]]"


@dataclass(frozen=True, slots=True)
class Way:
    """How a track comes into a container.

    Attributes:
        make: adds its stream to an output; returns it, and what turns its packets into others, if anything does.
        is_wrapped: the container is to be opened by way of libav's `tee`.
        is_strict: equal times are not allowed.
        remark: what the user should know of it.
    """

    make: Callable[[OutputContainer], tuple[Any, Convert | None]]
    is_wrapped: bool = False
    is_strict: bool = False
    remark: str = ""


def kind_of(stream: Any) -> str:
    """What a stream is called in messages."""
    if stream.type == "attachment":
        return f"attachment {stream.index} ({stream.metadata.get('filename', 'no name')})"
    codec = codec_name(stream) or stream.name or "unknown"
    return f"{stream.type} track {stream.index} ({codec})"


def codec_name(stream: Any) -> str | None:
    """What a stream's codec is called, whichever decoder is used for it."""
    return None if stream.codec_context is None else stream.codec_context.codec.canonical_name


def ways_into(
    muxer: str, stream: Any, sample: Packet[Any] | None, *, audio: AudioMode, is_streamed: bool = False
) -> Iterator[Way]:
    """The ways that work, best first.

    Args:
        muxer: libav's name of the container.
        stream: the track.
        sample: its first packet, where there is one.
        audio: what is to be done with sound.
        is_streamed: the container is written straight through: its header cannot be completed later.
    """
    is_strict = muxer in ("mp4", "mov") and stream.type == "audio"
    if stream.type == "audio" and audio in ENCODERS:
        way = Way(partial(_recoded, stream, audio), is_strict=is_strict)
        if _works(muxer, way, None):
            yield way
        return
    if is_streamed and codec_name(stream) == "aac" and not stream.codec_context.extradata:
        bare = None if sample is None else adts_config(bytes(sample))
        if bare is not None:
            yield Way(partial(_bare_aac, stream, bare), is_strict=is_strict)
            return
    copy = Way(partial(_copied, stream), is_strict=is_strict)
    if _works(muxer, copy, sample):
        yield copy
    if muxer == "matroska" and stream.type == "audio":
        wrapped = Way(partial(_copied, stream), is_wrapped=True)
        if _works(muxer, wrapped, sample):
            yield wrapped
    if stream.type == "subtitle" and codec_name(stream) in TEXT_CODECS:
        codec = TEXT_OF[muxer]
        text = Way(partial(_as_text, stream, codec), remark=f"was converted to {codec}: {CONTAINERS[muxer]} holds that")
        if _works(muxer, text, None):
            yield text


def left_out(stream: Any, sample: Packet[Any] | None, muxer: str) -> str:
    """Why a track for which there is no way is left out, and what would keep it."""
    kind, name = kind_of(stream), CONTAINERS[muxer]
    context = stream.codec_context
    if context is None and stream.type != "attachment":
        return f"{kind} was left out: its format is not known here"
    if stream.type == "audio" and not context.sample_rate:
        return f"{kind} was left out: the file does not say its sample rate, nor does its sound"
    others = [m for m in CONTAINERS if m != muxer and next(ways_into(m, stream, sample, audio="copy"), None)]
    offers = [f"write .{CONTAINERS[other]}" for other in others[:1]]
    if stream.type == "audio":
        offers += [
            f"add --audio {codec}"
            for codec in ENCODERS
            if next(ways_into(muxer, stream, None, audio=codec), None) is not None
        ][:1]
    helps = f"; to keep it, {' or '.join(offers)}" if offers else ""
    return f"{kind} was left out: {name} cannot hold it{helps}"


def open_output(place: Any, muxer: str, *, is_wrapped: bool, options: dict[str, str]) -> OutputContainer:
    """Begin a container.

    `tee` is libav's muxer that hands everything on to others; by way of it PyAV does not ask its own list of what a
    container holds, which for Matroska is shorter than what Matroska can.

    Args:
        place: a path as text, or a file object.
        muxer: libav's name of the container.
        is_wrapped: go by way of `tee`.
        options: of the muxer.
    """
    if not is_wrapped:
        return av.open(place if not isinstance(place, str) else f"file:{place}", "w", format=muxer, options=options)
    settings = "".join(f":{name}={value}" for name, value in options.items())
    if isinstance(place, str):
        escaped = re.sub(r"([\\'|\[\]:])", r"\\\1", place)
        return av.open(f"[f={muxer}{settings}]file\\:{escaped}", "w", format="tee")
    return av.open(f"[f={muxer}{settings}]scratch", "w", format="tee", io_open=lambda _url, _flags, _options: place)


def _works(muxer: str, way: Way, sample: Packet[Any] | None) -> bool:
    """The track can be written alone, from header to trailer."""
    try:
        output = open_output(io.BytesIO(), muxer, is_wrapped=way.is_wrapped, options={})
        try:
            target, convert = way.make(output)
            output.start_encoding()
            if sample is not None and convert is None:
                mux_unchanged(sample, target, output)
        finally:
            output.close()
    except (av.FFmpegError, OSError, ValueError, NotImplementedError, RuntimeError):
        return False
    return True


def mux_unchanged(packet: Packet[Any], target: Any, output: OutputContainer) -> None:
    """Write a packet at time 0 and leave it as it was: muxing changes it."""
    before = (packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream)
    packet.pts = packet.dts = 0
    packet.stream = target
    output.mux(packet)
    packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream = before


def cover_fits(muxer: str, stream: Any, sample: Packet[Any]) -> bool:
    """A container can hold a cover picture."""
    return muxer == "matroska" or (
        muxer in ("mp4", "mov") and _works(muxer, Way(partial(_cover_stream, stream)), sample)
    )


def add_cover(output: OutputContainer, stream: Any, sample: Packet[Any]) -> Any:
    """Add a cover picture: to Matroska as an attachment, to mp4 as a stream, which is returned."""
    if output.format.name in ("matroska", "tee"):
        suffix = {"mjpeg": "jpg"}.get(codec_name(stream) or "", codec_name(stream))
        output.add_attachment(f"cover.{suffix}", f"image/{'jpeg' if suffix == 'jpg' else suffix}", bytes(sample))
        return None
    return _cover_stream(stream, output)[0]


def _cover_stream(stream: Any, output: OutputContainer) -> tuple[Any, Convert | None]:
    target = output.add_stream_from_template(stream, opaque=True)
    target.disposition = stream.disposition
    return target, None


def _copied(stream: Any, output: OutputContainer) -> tuple[Any, Convert | None]:
    if stream.codec_context is None and stream.type != "attachment":
        raise ValueError("unknown codec")
    if stream.type == "audio" and not stream.codec_context.sample_rate:
        raise ValueError("no sample rate")
    target = output.add_stream_from_template(stream, opaque=True)
    if stream.type == "audio":
        nameless = re.fullmatch(r"(\d+) channels", stream.codec_context.layout.name)
        if nameless and int(nameless[1]) in LAYOUTS:
            target.codec_context.layout = LAYOUTS[int(nameless[1])]
    return target, None


def adts_config(packet: bytes) -> bytes | None:
    """What an mp4's header says of AAC, from the head of a packet that says it itself (ADTS, as in MPEG-TS)."""
    if len(packet) < ADTS_HEAD or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return None
    kind, rate, channels = packet[2] >> 6, packet[2] >> 2 & 15, (packet[2] & 1) << 2 | packet[3] >> 6
    if not channels:
        return None  # said in the sound itself
    return ((kind + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")


def without_adts(packet: Packet[Any] | None) -> Sequence[Packet[Any]]:
    """The packet without that head."""
    if packet is None:
        return []
    data = bytes(packet)
    if data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return [packet]
    bare: Packet[Any] = Packet(data[ADTS_HEAD if data[1] & 1 else ADTS_HEAD + 2 :])  # 2 more where there is a checksum
    bare.pts, bare.dts, bare.duration, bare.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    bare.is_keyframe = True
    return [bare]


def _bare_aac(stream: Any, config: bytes, output: OutputContainer) -> tuple[Any, Convert | None]:
    target = output.add_stream_from_template(stream, opaque=True)
    target.codec_context.extradata = config
    return target, without_adts


def _recoded(stream: Any, codec: AudioMode, output: OutputContainer) -> tuple[Any, Convert | None]:
    recoder = Recoder(stream, codec, output)
    return recoder.target, recoder.convert


def _as_text(stream: Any, codec: str, output: OutputContainer) -> tuple[Any, Convert | None]:
    converter = TextConverter(stream, codec, output)
    return converter.target, converter.convert
