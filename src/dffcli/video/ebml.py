"""Walk over the elements of a Matroska file as far as libav, seen through PyAV, does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SEGMENT, CLUSTER, TRACKS, TRACK, VIDEO = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE0
CROP_BOTTOM, CROP_TOP, CROP_LEFT, CROP_RIGHT = 0x54AA, 0x54BB, 0x54CC, 0x54DD
MAX_HEAD = 4_000_000  # bytes before the first cluster that are looked through
MAX_SIDE = 65_536  # pixels


@dataclass(frozen=True, slots=True)
class Crop:
    """Rows and columns at the edges of a stored picture that are not to be shown."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def fits(self, size: tuple[int, int]) -> bool:
        """Something is cut off a picture of `(height, width)`, and something left."""
        h, w = size
        return any((self.top, self.bottom, self.left, self.right)) and (
            self.top + self.bottom < h and self.left + self.right < w
        )

    def within(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of a picture of `(height, width)` that stay."""
        h, w = size
        return slice(self.top, h - self.bottom), slice(self.left, w - self.right)


def element_head(head: bytes) -> tuple[int, int, int | None]:
    """The id of an element, the bytes of its head, the bytes of its content (None where it does not say).

    All are 0 where there is no whole head.
    """
    if not head or not head[0]:
        return 0, 0, 0
    id_length = 9 - head[0].bit_length()
    if len(head) <= id_length or not head[id_length]:
        return 0, 0, 0
    size_length = 9 - head[id_length].bit_length()
    if len(head) < id_length + size_length:
        return 0, 0, 0
    number = int.from_bytes(head[:id_length], "big")
    mask = (1 << 7 * size_length) - 1
    length = int.from_bytes(head[id_length : id_length + size_length], "big") & mask
    return number, id_length + size_length, None if length == mask else length


def crops(path: Path) -> list[Crop]:
    """What each track, in the order of the file, wants cut off its picture."""
    try:
        with path.open("rb") as file:
            return [_crop_of(track) for track in _tracks(file)]
    except OSError:
        return []


def _tracks(file: BinaryIO) -> Iterator[bytes]:
    place = 0
    while place < MAX_HEAD:
        file.seek(place)
        number, head, length = element_head(file.read(12))
        if number in (0, CLUSTER):
            return
        if number == TRACKS and length is not None:
            file.seek(place + head)
            yield from (content for kind, content in _elements(file.read(min(length, MAX_HEAD))) if kind == TRACK)
            return
        place += head + (0 if number == SEGMENT else length or 0)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(data):
        number, head, length = element_head(data[place : place + 12])
        if not number or length is None:
            return
        yield number, data[place + head : place + head + length]
        place += head + length


def _crop_of(track: bytes) -> Crop:
    video = next((content for number, content in _elements(track) if number == VIDEO), b"")
    sides = {number: min(int.from_bytes(content, "big"), MAX_SIDE) for number, content in _elements(video)}
    return Crop(*(sides.get(number, 0) for number in (CROP_TOP, CROP_BOTTOM, CROP_LEFT, CROP_RIGHT)))
