"""Refuse a file that claims more samples than it has bytes: libav takes memory for every one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from dffcli.errors import VideoOpenError
from dffcli.video.boxes import Box, boxes, is_iso

CONTAINERS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"))
PLENTY = 1_000_000  # samples that any file may claim: 24 MB of index
RUNS_READ = 1_000_000  # bytes of a table of runs that are looked at


def check_claims(path: Path) -> None:
    """Compare what an mp4 or mov says it holds with its size.

    Raises:
        VideoOpenError: it claims more samples than it has bytes.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if not is_iso(file):
            return
        size = file.seek(0, os.SEEK_END)
        total = 0
        for box in boxes(file, inside=CONTAINERS):
            total += _samples(file, box, size)
            if total > max(PLENTY, 4 * size):
                raise VideoOpenError(
                    f"{path}: it claims {total:,} samples or more in {size:,} bytes: its index is damaged or made up"
                )


def _samples(file: BinaryIO, box: Box, size: int) -> int:
    """How many samples a table claims, without reading more of it than a megabyte."""
    if box.kind in (b"stsz", b"stz2", b"trun"):
        file.seek(box.start)
        head = file.read(12)
        if box.kind == b"trun":
            return int.from_bytes(head[4:8], "big")
        fixed = int.from_bytes(head[4:8], "big") if box.kind == b"stsz" else 0
        count = int.from_bytes(head[8:12], "big")
        room = size // fixed if fixed else box.end - box.start  # one byte a sample of the table, at the very least
        return count if count > 2 * room else 0
    if box.kind in (b"stts", b"ctts"):
        file.seek(box.start + 8)
        table = file.read(min(max(0, box.end - box.start - 8), RUNS_READ))
        return sum(int.from_bytes(table[i : i + 4], "big") for i in range(0, len(table) - 7, 8))
    return 0
