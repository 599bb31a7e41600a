"""Which frame a picture is, by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from dffcli.formats.numbers import MAX_FRAMES
from dffcli.video.images import natural_key

_NUMBERED = re.compile(r"(.*?)(\d{1,12})", re.ASCII | re.DOTALL)
SPARSE = 50  # times more numbers than pictures: they number something else than the frames of a video


def frame_numbers(names: Sequence[str]) -> list[int] | None:
    """The frame of every picture, where the names are one word with the number of the frame behind it.

    `frame_000010.png` is frame 10. Names that differ in more than a number, and numbers with far more gaps than
    pictures, say nothing.
    """
    stems = [str(PurePosixPath(name).with_suffix("")) for name in names]
    found = [_NUMBERED.fullmatch(stem) for stem in stems]
    prefixes = {match[1] for match in found if match is not None}
    if not names or len(prefixes) != 1 or any(match is None for match in found):
        return None
    numbers = [int(match[2]) for match in found if match is not None]
    if len(set(numbers)) != len(numbers) or max(numbers) >= MAX_FRAMES:
        return None
    says_frame = bool(re.search(r"frame[_ -]?$", next(iter(prefixes)), re.IGNORECASE))
    if not says_frame and (len(numbers) == 1 or max(numbers) - min(numbers) > SPARSE * len(numbers)):
        return None
    return numbers


def in_order(names: Sequence[str]) -> list[int]:
    """The place of every picture once they are in the natural order of their names."""
    order = sorted(range(len(names)), key=lambda place: natural_key(names[place]))
    places = [0] * len(names)
    for place, row in enumerate(order):
        places[row] = place
    return places
