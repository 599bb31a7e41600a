"""Open a container with libav, allowed to touch nothing but what was named."""

from __future__ import annotations

import os
import re
import stat
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from dffcli.errors import VideoOpenError
from dffcli.video.claims import check_claims

REFERRING_FORMATS = frozenset(
    [
        "concat",
        "dash",
        "hls",
        "image2",
        "imf",
        "lavfi",
        "rtp",
        "rtp_mpegts",
        "rtsp",
        "sap",
        "sdp",
        "tedcaptions",
        "tty",
        "vobsub",
        "webm_dash_manifest",
    ]
)
"""Formats that name other files or addresses: a local file must not make us open those."""

NETWORK_PROTOCOLS = "http,https,httpproxy,tcp,tls,udp,rtp,rtsp,rtmp,rtmps,srt,crypto"
"""What a live address may use; not `file`: a playlist from elsewhere must not read the disk."""

NETWORK_TIMEOUT = 20.0  # seconds without an answer
STILL_CODECS = frozenset(("mjpeg", "png", "bmp", "gif", "tiff", "webp", "jpeg2000", "ppm"))
ARBITRARY_CLOCK = 0x0200  # AVFMT_TS_DISCONT: the format's times start anywhere


FILE_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(sorted(av.formats_available - REFERRING_FORMATS)),
}
FAR_SIGHT = {"probesize": "200000000", "analyzeduration": "3600000000"}  # bytes, microseconds


def open_file(path: Path, *, look_far: bool = False) -> InputContainer:
    """Open a local file, with the file protocol alone and no format that refers to other files.

    Args:
        path: the file, or a pipe or device that can be read like one.
        look_far: read on until every stream is known, also one that begins late.

    Raises:
        VideoOpenError: it is missing, empty, a folder, unreadable or in no format that can be read.
        InputError: it claims more than it can hold.
    """
    options = FILE_OPTIONS | (FAR_SIGHT if look_far else {})
    try:
        about = os.stat(path)
        if stat.S_ISREG(about.st_mode):
            if about.st_size == 0:
                raise VideoOpenError(f"{path}: the file is empty (0 bytes)")
            check_claims(path)
        return av.open("file:" + os.fspath(path), metadata_errors="replace", options=options)
    except (av.FFmpegError, OSError) as error:
        raise VideoOpenError(f"{path}: {error_reason(error)}{_hint(path)}") from error
    except ValueError as error:
        raise VideoOpenError(f"{path}: not a video that can be read ({error})") from error


def _hint(path: Path) -> str:
    """What the user probably meant by a name that cannot be opened."""
    if path.suffix.lower() in (".m3u8", ".m3u", ".mpd"):
        return (
            ": a playlist on this disk could make dff open other files, so it is not followed; give its address "
            "(http://...), or join its parts first: ffmpeg -i LIST -c copy joined.mp4"
        )
    return ""


def open_address(address: str) -> InputContainer:
    """Open a live address.

    Raises:
        VideoOpenError: nobody answers, or with nothing that can be read.
    """
    options = {"protocol_whitelist": NETWORK_PROTOCOLS}
    if address.lower().startswith(("rtsp:", "rtsps:")):
        options["rtsp_transport"] = "tcp"
    try:
        return av.open(address, metadata_errors="replace", options=options, timeout=(NETWORK_TIMEOUT, NETWORK_TIMEOUT))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoOpenError(f"{address}: cannot be opened: {error_reason(error)}") from error


def video_stream(container: InputContainer, name: str, *, number: int | None = None) -> tuple[VideoStream, list[str]]:
    """The stream of moving pictures that is meant.

    A stream that moves goes before a still one, the one the file marks as its default before others, a film's codec
    before a photo's, then the largest.

    Args:
        container: the open file.
        name: of the file, for messages.
        number: take this stream of the file, whatever it is.

    Returns:
        The stream, and a line about every other one that could have been taken.

    Raises:
        VideoOpenError: there is none, or none that can be decoded.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if number is not None:
        chosen = next((stream for stream in container.streams.video if stream.index == number), None)
        if chosen is None:
            found = ", ".join(f"{stream.index} ({_look(stream)})" for stream in container.streams.video) or "none"
            raise VideoOpenError(f"{name}: no video stream {number}; its video streams: {found}")
        if chosen.codec_context is None:
            raise VideoOpenError(f"{name}: its stream {number} is in a format that cannot be decoded")
        return chosen, []
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        found = "a cover picture" if container.streams.video else " and ".join(kinds)
        raise VideoOpenError(f"{name}: no video in it" + (f", only {found}" if found else ""))
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise VideoOpenError(f"{name}: its video is in a format that cannot be decoded")
    stream = max(decodable, key=_claim_to_be_meant)
    others = [other for other in decodable if other is not stream and not _is_still(other)]
    return stream, [
        f"video stream {other.index} ({_look(other)}) was left aside for stream {stream.index} ({_look(stream)}); "
        f"--stream {other.index} takes it"
        for other in others
    ]


def _claim_to_be_meant(stream: VideoStream) -> tuple[bool, bool, bool, int, int]:
    context = stream.codec_context
    return (
        not _is_still(stream),
        bool(stream.disposition & Disposition.default),
        context.name not in STILL_CODECS,
        context.width * context.height,
        -stream.index,
    )


def _is_still(stream: VideoStream) -> bool:
    """The stream says that it is one picture."""
    if stream.frames == 1 or stream.disposition & (Disposition.still_image | Disposition.timed_thumbnails):
        return True
    duration, rate = declared_duration(None, stream), rational(stream.average_rate)
    is_photo = stream.codec_context is not None and stream.codec_context.name in STILL_CODECS
    return is_photo and duration is not None and duration < Fraction(2) / (rate or 25)


def _look(stream: VideoStream) -> str:
    context = stream.codec_context
    return "unknown codec" if context is None else f"{context.width} x {context.height}, {context.codec.canonical_name}"


def clock_beginning(container: InputContainer) -> Fraction:
    """The earliest time any stream starts at, in seconds; 0 where none says."""
    return min(
        (
            stream.start_time * Fraction(stream.time_base)
            for stream in container.streams
            if stream.type in ("video", "audio") and stream.start_time is not None and stream.time_base
        ),
        default=Fraction(0),
    )


def has_arbitrary_clock(container: InputContainer) -> bool:
    """The number its clock starts at means nothing (MPEG-TS, MPEG-PS)."""
    return bool(int(container.format.flags) & ARBITRARY_CLOCK)


def rational(value: Any) -> Fraction | None:
    """PyAV's rationals, and its many ways to say that there is none, to a positive Fraction."""
    try:
        fraction = Fraction(value) if value else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return fraction if fraction is not None and fraction > 0 else None


def declared_duration(container: InputContainer | None, stream: Stream) -> Fraction | None:
    """How long the stream, or else the file, says it is, in seconds."""
    if stream.duration and stream.time_base:
        return stream.duration * Fraction(stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska's
    if tag is not None:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3])
    if container is not None and container.duration:
        return Fraction(container.duration, av.time_base)
    return None


REASONS: tuple[tuple[type[Exception], str], ...] = (
    (av.error.PatchWelcomeError, "it uses a part of its format that cannot be read"),
    (av.error.ExternalError, "a codec failed on it"),
    (av.error.BugError, "a codec failed on it"),
    (av.error.UnknownError, "a codec failed on it"),
    (av.error.ExperimentalError, "its format is not settled yet and cannot be read"),
    (av.error.BufferTooSmallError, "its data is damaged"),
    (av.error.DecoderNotFoundError, "there is no decoder for it"),
    (av.error.EncoderNotFoundError, "there is no encoder for it"),
    (av.error.DemuxerNotFoundError, "its format cannot be read"),
    (av.error.MuxerNotFoundError, "its format cannot be written"),
    (av.error.ProtocolNotFoundError, "that kind of address is not known, or not allowed here"),
    (av.error.OptionNotFoundError, "its settings are not understood"),
    (av.error.FilterNotFoundError, "its picture cannot be converted"),
    (av.error.ExitError, "no answer in time"),
    (av.error.HTTPBadRequestError, "the server says: bad request (400)"),
    (av.error.HTTPUnauthorizedError, "the server wants a login (401)"),
    (av.error.HTTPForbiddenError, "the server forbids it (403)"),
    (av.error.HTTPNotFoundError, "the server has no such thing (404)"),
    (av.error.HTTPOtherClientError, "the server refuses it"),
    (av.error.HTTPServerError, "the server failed"),
)
"""What libav's errors mean, where its own words are not for the user."""


def error_reason(error: Exception, *, is_open: bool = False) -> str:
    """What libav or the system says went wrong, in a few words.

    Args:
        error: what was raised.
        is_open: the file was recognised before.
    """
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, where a video file was expected"
    if isinstance(error, av.EOFError):
        return "it ends before any video begins"
    if isinstance(error, av.InvalidDataError) and is_open:
        return "its data is damaged"
    if isinstance(error, av.InvalidDataError):
        return "not a video, or in a format that cannot be read"
    for kind, reason in REASONS:
        if isinstance(error, kind):
            return reason
    text: str = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]
