"""Choose the few boxes of a track from which the others follow: files that people correct are made of these.

A corrected box then corrects the stretch up to its neighbours, instead of one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dffcli.formats.record import Box


def key_places(frames: Sequence[int], boxes: Sequence[Box], is_forced: Sequence[bool], *, tolerance: float) -> set[int]:
    """The places of the boxes that have to be kept.

    The first and the last are; those that are forced; and wherever drawing a line between two that are kept would be
    off by more than the tolerance, the worst box between them.

    Args:
        frames: of one stretch without gaps, in order.
        boxes: on these frames.
        is_forced: whether a box is kept in any case.
        tolerance: pixels that any side may be off.
    """
    last = len(frames) - 1
    kept = {0, last} | {place for place, forced in enumerate(is_forced) if forced}
    times = np.array(frames, np.float64)
    sides = np.array(boxes, np.float64).reshape(-1, 4)
    anchors = sorted(kept)
    waiting = list(pairwise(anchors))
    while waiting:
        start, end = waiting.pop()
        worst = _worst(times[start : end + 1], sides[start : end + 1], tolerance)
        if worst is not None:
            kept.add(start + worst)
            waiting += [(start, start + worst), (start + worst, end)]
    return kept


def _worst(times: NDArray[np.float64], sides: NDArray[np.float64], tolerance: float) -> int | None:
    """The place that is furthest from the line between the first and the last; None if all are near enough."""
    if len(times) < 3:
        return None
    share = ((times - times[0]) / (times[-1] - times[0]))[:, None]
    errors = np.abs(sides[0] + share * (sides[-1] - sides[0]) - sides).max(axis=1)
    place = int(errors.argmax())
    return place if errors[place] > tolerance else None


def stretches(frames: Sequence[int], following: dict[int, int]) -> list[tuple[int, int]]:
    """The stretches without gaps, as places `(first, after the last)`.

    Args:
        frames: on which a track is seen, in order.
        following: the frame after each frame of the video.
    """
    found, start = [], 0
    for place in range(1, len(frames) + 1):
        if place == len(frames) or frames[place] != following.get(frames[place - 1]):
            found.append((start, place))
            start = place
    return found
