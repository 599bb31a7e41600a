"""How far answers drift from fresh ones with the distance they are carried, learned from comparisons."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from dffcli.core.types import Disagreement

GROWTH = 0.5  # answers differ by about the distance to the power of this, over all clips of benchmarks/target.py
FIRST_RATE = 0.02  # at a distance of one frame, before anything was compared
FIRST_GAIN = 0.7  # of a second side at the same distance


@dataclass(slots=True)
class Drift:
    """What propagation costs on this video: rate x distance ** GROWTH from one key frame, less between two.

    Between key frames at distances d1 and d2 it is gain x rate x the harmonic mean of d1 ** GROWTH and d2 ** GROWTH.

    Attributes:
        keep: weight of all comparisons before against the latest, 0..1.
        comparisons: how many there were.
    """

    keep: float = 0.5
    comparisons: int = 0
    _one: tuple[float, float] = (0.0, 0.0)
    _two: tuple[float, float] = (0.0, 0.0)
    _latest: float | None = field(default=None)

    @property
    def rate(self) -> float:
        """Share that differs at a distance of one frame from one key frame."""
        wrong, base = self._one
        return wrong / base if base else FIRST_RATE

    @property
    def gain(self) -> float:
        """Of a second key frame at the same distance: what is left of the difference, 0..1."""
        wrong, base = self._two
        return min(1.0, wrong / base) if base else FIRST_GAIN

    def learn(self, distances: tuple[int, ...], found: Disagreement) -> None:
        """Take in a comparison of a fresh answer with one from a key frame, or from key frames on both sides."""
        self.comparisons += 1
        if len(distances) == 1:
            base = found.total * distances[0] ** GROWTH
            self._latest = found.wrong / base if base else None
            self._one = self.keep * self._one[0] + found.wrong, self.keep * self._one[1] + base
        else:
            base = found.total * self.rate * between(*distances)
            self._two = 0.9 * self._two[0] + found.wrong, 0.9 * self._two[1] + base

    def mean(self, interval: int, *, two_sided: int, rate: float | None = None) -> float:
        """Mean share that differs on a stretch of frames, the key frame at its end included.

        Args:
            interval: frames of the stretch.
            two_sided: the last so many before its key frame are reached from both sides.
            rate: another than the running one.
        """
        one, both = _shape(interval, two_sided)
        return (self.rate if rate is None else rate) * (one + self.gain * both)


def between(before: int, after: int) -> float:
    """Harmonic mean of two distances to the power of GROWTH."""
    one, other = before**GROWTH, after**GROWTH
    return 2 * one * other / (one + other)


@lru_cache(maxsize=4096)
def _shape(interval: int, two_sided: int) -> tuple[float, float]:
    """Mean over a stretch in units of the rate: of frames reached from one side, and from both."""
    first = interval - two_sided
    one = sum(d**GROWTH for d in range(1, first))
    both = sum(between(d, interval - d) for d in range(first, interval))
    return one / interval, both / interval
