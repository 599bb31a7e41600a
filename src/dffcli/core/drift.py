"""How far answers drift from fresh ones with the distance they are carried, learned from comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dffcli.core.types import Disagreement

GROWTH = 0.5  # the difference grows with the distance to the power of this (benchmarks/target.py)
FIRST_RATE = 0.04  # at a distance of one frame, before anything was compared
FIRST_WEIGHT = 100.0  # of that guess: boxes at a distance of one frame
MEMORY = 900.0  # the same; after so much, what was found before counts for half
FIRST_GAIN = 0.7  # what a second side leaves of the difference, before anything was compared
EMPTY = 2.0  # boxes, for as many of which it counts that both answers found nothing
GAIN_WEIGHT = 5.0  # of that guess: boxes that were to be expected wrong from one side
GAIN_MEMORY = 150.0  # the same; after so many, what was found before counts for half


@dataclass(slots=True)
class Drift:
    """What propagation costs on one video: rate x distance ** GROWTH from one key frame, less between two.

    Between key frames at two distances it is gain x rate x the harmonic mean of the distances ** GROWTH. Both numbers
    are ratios of sums, so that a frame with many boxes counts for many; what was found before is forgotten as fast as
    new evidence comes, quickly where a frame tells much and slowly where it holds a single box.
    """

    _wrong: float = FIRST_RATE * FIRST_WEIGHT  # found different, from one side
    _base: float = FIRST_WEIGHT  # what was compared there, times distance ** GROWTH
    _wrong_between: float = FIRST_GAIN * GAIN_WEIGHT  # found different from two, and to be expected from one
    _base_between: float = GAIN_WEIGHT
    _total: float = 0.0  # what was compared, and how often
    _times: float = 0.0
    _evidence: float = 0.0  # what was compared in all

    @property
    def rate(self) -> float:
        """Share that differs at a distance of one frame from one key frame."""
        return self._wrong / self._base

    @property
    def gain(self) -> float:
        """What a second key frame at the same distance leaves of the difference, 0..1."""
        return min(1.0, self._wrong_between / self._base_between)

    @property
    def size(self) -> float:
        """How much there is to compare on a frame: boxes of both answers, or the as many that a picture counts for."""
        return self._total / self._times if self._times else 1.0

    @property
    def reach(self) -> int:
        """Frames of the longest stretch that is to be planned on so little evidence: one for every box compared."""
        return int(self._evidence)

    @property
    def memory(self) -> tuple[float, ...]:
        """All that was learned."""
        one, between = (self._wrong, self._base), (self._wrong_between, self._base_between)
        return *one, *between, self._total, self._times, self._evidence

    def recall(self, memory: tuple[float, ...]) -> None:
        """Go on from there."""
        self._wrong, self._base, self._wrong_between, self._base_between, *sizes = memory
        self._total, self._times, self._evidence = sizes

    def learn(self, distances: tuple[int, ...], found: Disagreement) -> None:
        """Take in a comparison of a fresh answer with one from a key frame, or from key frames on both sides."""
        self._evidence = min(self._evidence + max(found.total, EMPTY), MEMORY)
        if len(distances) == 1:
            base = found.total * distances[0] ** GROWTH
            kept = MEMORY / (MEMORY + base)
            self._wrong, self._base = kept * self._wrong + found.wrong, kept * self._base + base
            self._total, self._times = kept * self._total + found.total, kept * self._times + 1
        else:
            base = found.total * self.rate * between(distances[0], distances[1])
            kept = GAIN_MEMORY / (GAIN_MEMORY + base)
            self._wrong_between = kept * self._wrong_between + found.wrong
            self._base_between = kept * self._base_between + base

    def mean(self, interval: int, *, two_sided: int, rate: float | None = None) -> float:
        """Mean share that differs on the frames of a stretch, the key frame at its end included.

        Args:
            interval: frames of the stretch.
            two_sided: how many before its key frame are reached from both sides; those before these, from one.
            rate: another than the running one.
        """
        one, both = _shape(interval, two_sided)
        return (self.rate if rate is None else rate) * (one + self.gain * both)


def between(before: int, after: int) -> float:
    """Harmonic mean of two distances ** GROWTH."""
    one, other = float(before**GROWTH), float(after**GROWTH)
    return 2 * one * other / (one + other)


@lru_cache(maxsize=4096)
def _shape(interval: int, two_sided: int) -> tuple[float, float]:
    """Mean over a stretch, in units of the rate: of the frames reached from one side, and of those from both."""
    first = interval - two_sided
    one = sum(float(distance**GROWTH) for distance in range(1, first))
    both = sum(between(distance, interval - distance) for distance in range(first, interval))
    return one / interval, both / interval
