"""Open a container with libav, allowed to touch nothing but what was named."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from dffcli.errors import VideoOpenError

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
ARBITRARY_CLOCK = 0x0200  # AVFMT_TS_DISCONT: the format's times start anywhere


def open_file(path: Path) -> InputContainer:
    """Open a local file, with the file protocol alone and no format that refers to other files.

    Raises:
        VideoOpenError: it is missing, empty, a folder, unreadable or in no format that can be read.
    """
    try:
        size = os.stat(path).st_size
        if path.is_file() and size == 0:
            raise VideoOpenError(f"{path}: the file is empty (0 bytes)")
        return av.open(
            "file:" + os.fspath(path),
            metadata_errors="replace",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(sorted(av.formats_available - REFERRING_FORMATS)),
            },
        )
    except (av.FFmpegError, OSError) as error:
        raise VideoOpenError(f"{path}: {error_reason(error)}") from error
    except ValueError as error:
        raise VideoOpenError(f"{path}: not a video that can be read ({error})") from error


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


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The first stream of moving pictures.

    Raises:
        VideoOpenError: there is none, or none that can be decoded.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        others = sorted({stream.type for stream in container.streams})
        found = "a cover picture" if container.streams.video else " and ".join(others)
        raise VideoOpenError(f"{name}: no video in it" + (f", only {found}" if found else ""))
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoOpenError(f"{name}: its video is in a format that cannot be decoded")
    return stream


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


def declared_duration(container: InputContainer, stream: Stream) -> Fraction | None:
    """How long the stream, or else the file, says it is, in seconds."""
    if stream.duration and stream.time_base:
        return stream.duration * Fraction(stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska's
    if tag is not None:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3])
    if container.duration:
        return Fraction(container.duration, av.time_base)
    return None


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
    text: str = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def is_cut_off(stream: VideoStream, place: Path | str) -> bool:
    """The file ends before the last piece its index names (libav reads on as if nothing were missing)."""
    if not isinstance(place, Path) or "mp4" not in stream.container.format.name:
        return False
    entries = stream.index_entries
    if not len(entries):
        return False
    last = entries[-1]
    return last.pos + last.size > place.stat().st_size
