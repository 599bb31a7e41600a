"""Find out whether a file was cut off, by what its own format says of its length.

libav reads a shortened file up to its last whole packet and reports an ordinary end. Each format here says somewhere
how long it, or its last piece, ought to be.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from dffcli.video.boxes import boxes
from dffcli.video.ebml import CLUSTER, SEGMENT, element_head

TS_SYNC = 0x47
TS_SIZES = (188, 192, 204)  # bytes of a packet: plain, with a time code (M2TS), with error correction
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
PROGRAM_END, PACK = 0xB9, 0xBA  # start codes of an MPEG program stream
MAX_STEPS = 5_000_000  # pieces that are walked over; an hour of an unfinished Matroska has some 400,000
OGG_TAIL = 131_072  # bytes; an Ogg page has 65,307 at most


def is_cut_off(path: Path, format_name: str) -> bool:
    """The file ends before it should.

    Args:
        path: of a regular file.
        format_name: libav's name of its format.
    """
    check = next((check for name, check in _CHECKS.items() if name in format_name.split(",")), None)
    if check is None:
        return False
    try:
        with path.open("rb") as file:
            return check(file, file.seek(0, os.SEEK_END))
    except OSError:
        return False


def _iso(file: BinaryIO, size: int) -> bool:
    return any(box.end > size for box in boxes(file, inside=frozenset()))


def _matroska(file: BinaryIO, size: int) -> bool:
    """The segment knows its length; one written without going back has to be walked, block by block."""
    place = 0
    for _ in range(MAX_STEPS):
        if place >= size:
            return False
        file.seek(place)
        head = file.read(12)
        number, content, length = element_head(head)
        if length == 0 and content == 0:
            return True  # not even a whole head
        if number in (SEGMENT, CLUSTER) and (length is None or number == CLUSTER):
            if length is not None and place + content + length > size:
                return True
            place += content + (0 if length is None else length)
            continue
        if length is None:
            return False  # unknown lengths elsewhere say nothing
        place += content + length
        if place > size:
            return True
    return False


def _riff(file: BinaryIO, size: int) -> bool:
    """Every RIFF chunk of an AVI (a long one has several) ends within the file; 0 is one written to a pipe."""
    place = 0
    while place + 12 <= size:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            return False
        place += 8 + length + length % 2
        if place > size + 1:
            return True
    return False


def _flv(file: BinaryIO, size: int) -> bool:
    file.seek(0)
    place = int.from_bytes(file.read(9)[5:9], "big") + 4
    for _ in range(MAX_STEPS):
        if place == size:
            return False
        file.seek(place)
        head = file.read(11)
        if len(head) < 11:
            return True
        place += 11 + int.from_bytes(head[1:4], "big") + 4
        if place > size:
            return True
    return False


def _transport(file: BinaryIO, size: int) -> bool:
    """The last whole packets end where the file does; what stands before them may begin anywhere."""
    file.seek(max(0, size - 5 * max(TS_SIZES)))
    tail = file.read()
    for length in TS_SIZES:
        lead = 4 if length == 192 else 0
        for spare in range(min(length, len(tail))):
            end = len(tail) - spare
            starts = [end - length * count + lead for count in (1, 2, 3, 4)]
            if starts[-1] >= 0 and all(tail[start] == TS_SYNC for start in starts):
                return spare > 0
    return False


def _ogg(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - OGG_TAIL))
    tail = file.read()
    place = tail.rfind(b"OggS")
    if place < 0:
        return size > OGG_TAIL
    segments = tail[place + 26] if place + 26 < len(tail) else 255
    table = tail[place + 27 : place + 27 + segments]
    return len(table) < segments or place + 27 + segments + sum(table) > len(tail)


def _asf(file: BinaryIO, size: int) -> bool:
    file.seek(0)
    head = file.read(65_536)
    place = head.find(ASF_FILE_PROPERTIES)
    if place < 0 or len(head) < place + 92:
        return False
    is_broadcast = head[place + 88] & 1
    return not is_broadcast and int.from_bytes(head[place + 40 : place + 48], "little") > size


def _mxf(file: BinaryIO, size: int) -> bool:
    place = 0
    for _ in range(MAX_STEPS):
        if place >= size:
            return False
        file.seek(place)
        head = file.read(25)
        if head[:4] != b"\x06\x0e\x2b\x34":
            return len(head) < 4
        if len(head) < 17:
            return True
        extra = head[16] & 0x7F if head[16] & 0x80 else 0
        length = int.from_bytes(head[17 : 17 + extra], "big") if extra else head[16]
        place += 17 + extra + length
        if place > size:
            return True
    return False


def _program(file: BinaryIO, size: int) -> bool:
    """The last packet of an MPEG program stream (DVD) says how long it is."""
    file.seek(max(0, size - 2 * 65_536))
    tail = file.read()
    place = len(tail)
    while (place := tail.rfind(b"\0\0\1", 0, place)) >= 0:
        kind = tail[place + 3] if place + 3 < len(tail) else 0
        if kind >= PROGRAM_END:
            if kind == PROGRAM_END:
                return False
            length = 8 if kind == PACK else int.from_bytes(tail[place + 4 : place + 6], "big")
            return place + 6 + length > len(tail)
    return False


def _gif(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - 64))
    return b"\x3b" not in file.read()


def _png(file: BinaryIO, size: int) -> bool:
    place = 8
    for _ in range(MAX_STEPS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return True
        place += 12 + int.from_bytes(head[:4], "big")
        if place > size:
            return True
        if head[4:] == b"IEND":
            return False
    return False


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mp4": _iso,
    "matroska": _matroska,
    "avi": _riff,
    "flv": _flv,
    "mpegts": _transport,
    "ogg": _ogg,
    "asf": _asf,
    "mxf": _mxf,
    "mpeg": _program,
    "gif": _gif,
    "apng": _png,
}
