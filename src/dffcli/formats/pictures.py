"""The size of a picture that lies beside its labels."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from dffcli.errors import DataError
from dffcli.formats.numbers import picture_size

ALLOWED = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "GIF", "MPO")
"""What PIL may open: others run programs of their own."""

_TRANSPOSED = (5, 6, 7, 8)  # values of the EXIF orientation that swap width and height
_ORIENTATION = 0x0112
_DAMAGE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)


def size_of_picture(path: Path) -> tuple[int, int]:
    """`(height, width)` of a picture as it is shown, from its head alone.

    Raises:
        DataError: it is no picture, or too large a one.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: expected a picture, found something else")
        with Image.open(path, formats=ALLOWED) as image:
            width, height = image.size
            is_turned = image.getexif().get(_ORIENTATION, 1) in _TRANSPOSED
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"{path}: not a picture that can be read") from error
    try:
        return picture_size(width, height) if is_turned else picture_size(height, width)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
