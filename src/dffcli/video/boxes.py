"""Walk over the boxes of an ISO media file (mp4, mov, HEIC) without reading what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

FIRST_BOXES = frozenset((b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx"))
MAX_DEPTH = 12  # of boxes in boxes; real files have eight
MAX_BOXES = 200_000  # in one file; an hour of fragments has some ten thousand


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Attributes:
        kind: its four characters.
        start: where its content begins in the file.
        end: where it says that it ends; may lie behind the end of the file.
        path: the kinds of the boxes it lies in, outermost first, and its own.
    """

    kind: bytes
    start: int
    end: int
    path: tuple[bytes, ...]


def is_iso(file: BinaryIO) -> bool:
    """The file begins like an ISO media file."""
    file.seek(0)
    return file.read(8)[4:] in FIRST_BOXES


def boxes(file: BinaryIO, *, inside: frozenset[bytes]) -> Iterator[Box]:
    """Every box, in order of the file; those of a kind in `inside` are entered after they are given.

    Args:
        file: open, and searchable.
        inside: kinds whose content is boxes.
    """
    size = file.seek(0, os.SEEK_END)
    count = 0
    open_boxes: list[tuple[int, int, tuple[bytes, ...]]] = [(0, size, ())]
    while open_boxes and count < MAX_BOXES:
        place, end, path = open_boxes.pop()
        if place + 8 > end:
            continue
        file.seek(place)
        head = file.read(16)
        length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], place + 8
        if length == 1:
            length, start = int.from_bytes(head[8:16], "big"), place + 16
        elif length == 0:
            length = end - place
        if length < start - place or len(head) < 8:
            continue  # no box at all
        count += 1
        box = Box(kind, start, place + length, (*path, kind))
        yield box
        open_boxes.append((place + length, end, path))
        if kind in inside and len(path) < MAX_DEPTH:
            open_boxes.append((start, min(place + length, size), box.path))
