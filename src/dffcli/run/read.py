"""Settings from the text of a command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from dffcli.errors import SettingError, WeightsError
from dffcli.models.registry import Weights

LONGEST_SIDE = 1_000_000  # pixels; more is a slip of the finger
HIGHEST_RATE = 100_000  # frames per second


def seconds(text: str) -> Fraction:
    """Seconds from `12`, `12.5`, `1:02.5` or `1:00:02`.

    Raises:
        SettingError: it is no time.
    """
    try:
        total = Fraction(0)
        parts = text.split(":")
        if len(parts) > 3:
            raise ValueError
        for part in parts:
            total = total * 60 + Fraction(part)
    except (ValueError, ZeroDivisionError) as error:
        raise SettingError(f"expected seconds or h:m:s, got {text!r}") from error
    if total < 0:
        raise SettingError(f"expected a time of at least 0, got {text!r}")
    return total


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds


def period(text: str) -> Fraction:
    """A length of time from `90`, `90s`, `10m`, `1.5h` or `1d`.

    Raises:
        SettingError: it is none.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    found = seconds(number) * UNITS[unit]
    if not 1 <= found <= UNITS["d"] * 366:
        raise SettingError(f"expected a length of time from 1 s on, such as 90s, 10m or 1h, got {text!r}")
    return found


def rate(text: str) -> Fraction:
    """Frames per second from `25`, `29.97` or `30000/1001`.

    Raises:
        SettingError: it is no rate.
    """
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise SettingError(f"expected frames per second, got {text!r}") from error
    if not 0 < found <= HIGHEST_RATE:
        raise SettingError(f"expected a rate above 0, got {text!r}")
    return found


def size(text: str) -> tuple[int, int]:
    """`(height, width)` from `WIDTHxHEIGHT`, as in `1280x720`.

    Raises:
        SettingError: it is no size.
    """
    width, _, height = text.lower().partition("x")
    sides = [int(side) if side.isdecimal() else 0 for side in (height, width)]
    if not all(0 < side < LONGEST_SIDE for side in sides):
        raise SettingError(f"expected a size like 1280x720 (width x height), got {text!r}")
    return sides[0], sides[1]


def size_text(value: tuple[int, int]) -> str:
    """`WIDTHxHEIGHT` of `(height, width)`."""
    return f"{value[1]}x{value[0]}"


def weights(text: str) -> Weights:
    """`default`, `random`, or a path."""
    if text == "default":
        return "default"
    return "random" if text == "random" else Path(text)


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def class_names(text: str) -> tuple[str, ...]:
    """Names between commas, or those in a file.

    Raises:
        SettingError: the file holds none.
    """
    from dffcli.models.weights.class_names import names_in_file

    if not Path(text).is_file():
        return names(text)
    try:
        return names_in_file(Path(text))
    except WeightsError as error:
        raise SettingError(str(error)) from error


def intervals(text: str) -> tuple[int, ...]:
    """Key intervals from `1,5,10`.

    Raises:
        SettingError: they are not numbers of at least 1.
    """
    try:
        found = tuple(int(part) for part in names(text))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise SettingError(f"expected numbers of at least 1 such as 1,5,10, got {text!r}")
    return found
