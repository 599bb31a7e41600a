"""Numbers and words out of strangers' files, checked where they enter."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from dffcli.video.source import MAX_PIXELS

MAX_FRAMES = 2_000_000  # 18 hours at 30 a second; more is a broken number
MAX_SIDE = 1e6  # of a coordinate in pixels; more is a broken number
MAX_ID = 2**53  # beyond it JSON's readers no longer tell neighbours apart
MAX_NAME = 300  # characters of a name

_FRACTION = re.compile(r"-?\d{1,18}(?:/\d{1,18}|\.\d{1,12})?", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def whole(value: Any, *, what: str, least: int = 0, most: int = MAX_FRAMES) -> int:
    """An integer within bounds.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and len(value) > 30:
        raise ValueError(f"{what}: expected a whole number, got {value[:30]!r}...")
    try:
        number = int(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{what}: expected a whole number, got {str(value)[:40]!r}") from error
    if isinstance(value, float) and value != number:
        raise ValueError(f"{what}: expected a whole number, got {value}")
    if not least <= number <= most:
        raise ValueError(f"{what}: expected {least} to {most}, got {str(number)[:40]}")
    return number


def real(value: Any, *, what: str, most: float = MAX_SIDE) -> float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{what}: expected a number, got {str(value)[:40]!r}") from error
    if not math.isfinite(number) or abs(number) > most:
        raise ValueError(f"{what}: expected a number up to {most:g}, got {str(value)[:40]}")
    return number


def fraction(value: Any, *, what: str) -> Fraction:
    """An exact number like `30000/1001` or `29.97`; never an exponent, which can be as large as it likes.

    Raises:
        ValueError: it is none.
    """
    text = str(value).strip()
    if isinstance(value, float):
        text = f"{real(value, what=what, most=1e15):.12f}"
    if not _FRACTION.fullmatch(text):
        raise ValueError(f"{what}: expected a number like 25 or 30000/1001, got {text[:40]!r}")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(f"{what}: expected a number like 25 or 30000/1001, got {text!r}") from error


def rate(value: Any, *, what: str = "frame rate") -> Fraction:
    """Frames per second.

    Raises:
        ValueError: it is none.
    """
    number = fraction(value, what=what)
    if not 0 < number <= 100_000:
        raise ValueError(f"{what}: expected a rate above 0, got {str(value)[:40]}")
    return number.limit_denominator(1001) if number.denominator > 100_000 else number


def picture_size(height: Any, width: Any) -> tuple[int, int]:
    """`(height, width)`, checked.

    Raises:
        ValueError: no picture has it.
    """
    size = whole(height, what="height", least=1), whole(width, what="width", least=1)
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"expected at most {MAX_PIXELS} pixels, got {size[1]} x {size[0]}")
    return size


def printable(text: str) -> str:
    """The text without what would break lines, tables, terminals and files: control characters, lone surrogates."""
    return _UNPRINTABLE.sub(" ", text)[:MAX_NAME].strip()


def file_name(text: str) -> str:
    """A picture's name with the folders above it, as it may be used below a folder of ours.

    Parents (`..`), roots and drives are taken off, and what no file name can have becomes `_`.
    """
    text = _UNPRINTABLE.sub("_", text).replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".", "..")]
    parts = [re.sub(r'[:*?"<>|]', "_", part)[:200] for part in parts]
    return "/".join(parts[-20:])
