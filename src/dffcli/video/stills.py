"""Open one image file: its size, its pages, its upright pictures."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from dffcli.core.types import UInt8Array
from dffcli.errors import VideoDecodeError, VideoOpenError

IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "jpg jpeg png bmp tif tiff webp ppm pgm jp2 avif heic heif hif gif".split()  # noqa: SIM905
)
ALLOWED = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "GIF", "AVIF", "HEIF")
"""What PIL may take a file for; not EPS, which it would hand to another program, nor what refers to other files."""

HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
SHORTEST = Fraction(1, 100)  # seconds; pages that claim less are shown for `USUAL`, as browsers do
USUAL = Fraction(1, 10)  # seconds
_TRANSPOSED = frozenset((5, 6, 7, 8))  # values of the EXIF orientation that swap width and height
_ORIENTATION_TAG = 0x0112
_DAMAGE = (OSError, ValueError, SyntaxError, RuntimeError, struct.error, EOFError)  # what PIL raises for damaged files
_PIL_MODES_OF_16_BITS = "I"


@dataclass(frozen=True, slots=True)
class About:
    """What the header of an image says.

    Attributes:
        format: PIL's name of it.
        size: `(height, width)` of the upright first page.
        pages: how many there are.
    """

    format: str
    size: tuple[int, int]
    pages: int

    @property
    def is_animated(self) -> bool:
        """Its pages are shown one after the other."""
        return self.pages > 1 and self.format in ("WEBP", "PNG", "GIF", "AVIF")


def about(path: Path) -> About:
    """Read the header of an image.

    Raises:
        VideoOpenError: it is no image that can be read.
    """
    with _opened(path, VideoOpenError) as image:
        try:
            pages = int(getattr(image, "n_frames", 1))
        except _DAMAGE as error:
            raise VideoOpenError(f"{path}: this image is damaged ({error})") from error
        return About(image.format or "", _upright_size(image), 1 if image.format == "MPO" else pages)


def page_sizes(path: Path) -> list[tuple[int, int]]:
    """The upright `(height, width)` of every page.

    Raises:
        VideoOpenError: it is no image that can be read.
    """
    with _opened(path, VideoOpenError) as image:
        try:
            return [_upright_size(page) for page in ImageSequence.Iterator(image)]
        except _DAMAGE as error:
            raise VideoOpenError(f"{path}: this image is damaged ({error})") from error


def pages(path: Path, *, only_first: bool = False) -> Iterator[tuple[UInt8Array, Fraction]]:
    """The upright pages of an image in RGB, each with the seconds it is shown.

    Raises:
        VideoDecodeError: one cannot be decoded.
    """
    with _opened(path, VideoDecodeError) as image:
        for number in range(1 if only_first else int(getattr(image, "n_frames", 1))):
            try:
                if number:
                    image.seek(number)
                picture = _upright(image)
                shown = Fraction(image.info.get("duration") or 0) / 1000
            except _DAMAGE as error:
                where = f" at page {number + 1}" if number else ""
                raise VideoDecodeError(f"{path}: this image is damaged{where} ({error})") from error
            yield picture, shown.limit_denominator(100_000) if shown >= SHORTEST else USUAL


def _upright(image: Image.Image) -> UInt8Array:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(_PIL_MODES_OF_16_BITS):  # which PIL would clip
        grey = (np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(upright.convert("RGB"))


def _upright_size(image: Image.Image) -> tuple[int, int]:
    w, h = image.size
    return (w, h) if _orientation(image) in _TRANSPOSED else (h, w)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, without decoding the picture (`getexif` would, for PNG)."""
    if image.format == "TIFF":
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")
    return int(exif.get(_ORIENTATION_TAG, 1))


@contextmanager
def _opened(path: Path, error_type: type[VideoOpenError | VideoDecodeError]) -> Iterator[Image.Image]:
    Image.MAX_IMAGE_PIXELS = None  # the limit is --max-pixels
    try:
        if not path.is_file() and path.exists():
            raise error_type(f"{path}: not a file (a pipe, a device or a folder)")
        with path.open("rb") as file:
            if _is_heif(file):
                _learn_heif()
        Image.init()
        image = Image.open(path, formats=[name for name in ALLOWED if name in Image.OPEN])
    except UnidentifiedImageError as error:
        raise error_type(f"{path}: not an image, or in a format that cannot be read") from error
    except _DAMAGE as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise error_type(f"{path}: {reason.lower()}") from error
    with image:
        yield image


def _is_heif(file: BinaryIO) -> bool:
    head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def _learn_heif() -> None:
    """Let PIL read the photos of phones."""
    import pi_heif

    pi_heif.register_heif_opener()
