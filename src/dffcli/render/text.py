"""Words on coloured grounds, rendered once and pasted often."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dffcli.core.types import UInt8Array

Color = tuple[int, int, int]
"""RGB 0..255."""

_BRIGHT = 150  # luminance of a ground (0..255) from which on words are black
_MAX_CHIPS = 4096  # kept rendered; labels with scores come in some hundreds of kinds a class


@lru_cache(maxsize=_MAX_CHIPS)
def chip(text: str, *, color: Color, height: int) -> UInt8Array:
    """A label: words on a ground of a colour, black or white, whichever reads better; not to be written to.

    Args:
        text: the words.
        color: of the ground.
        height: of the label in pixels.

    Returns:
        RGB `[height, w, 3]`.
    """
    padding = max(2, height // 4)
    font = _font(height)
    width = round(font.getlength(text)) + 2 * padding
    image = Image.new("RGB", (width, height), color)
    words = "black" if luminance(color) >= _BRIGHT else "white"
    ImageDraw.Draw(image).text((padding, height / 2), text, fill=words, font=font, anchor="lm")
    return np.asarray(image)


def luminance(color: Color) -> float:
    """How bright a colour looks, 0..255."""
    red, green, blue = color
    return 0.299 * red + 0.587 * green + 0.114 * blue


@lru_cache(maxsize=8)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=round(height * 0.68))
