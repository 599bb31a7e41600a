"""Who is a key frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from dffcli.core.types import FlowField, KeyReason, Task
from dffcli.errors import ModelError

MAX_INTERVAL = 30  # frames
PATIENCE = {Task.DETECT: 2.0, Task.SEGMENT: 0.5}  # frames; a box that flickers counts for more than a few pixels


@dataclass(frozen=True, slots=True)
class FixedInterval:
    """Every `interval`-th frame, the paper's schedule. Interval 1 is per-frame evaluation, the baseline."""

    interval: int

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ModelError(f"key interval: expected at least 1, got {self.interval}")

    @property
    def max_interval(self) -> int:
        """The interval itself."""
        return self.interval

    @property
    def memory(self) -> tuple[float, ...]:
        """Nothing."""
        return ()

    def recall(self, memory: tuple[float, ...]) -> None:
        """Nothing to go on from."""

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """Due or not; the flow is never asked for."""
        return KeyReason.INTERVAL if frames_since_key >= self.interval else None

    def learn(self, frames_since_key: int, disagreement: Callable[[], float]) -> None:
        """Nothing: the schedule is fixed, and the comparison is not made."""


@dataclass(slots=True)
class Adaptive:
    """Key frames as far apart as the results allow, learned from the results themselves.

    On a new key frame there are two answers: the fresh one and the one that would have been carried there. How much
    they differ, divided by the frames between, is the rate r at which propagation goes wrong on this video. With a mean
    error of about r L / 2 at interval L, and key frames costing 1 / L, the error that is spared by spending one more
    key frame is the same for every r when L = sqrt(patience / r): so intervals follow the square root of the rate, not
    the rate itself, which would spend too much on what is lost anyway. Scene cuts, and pictures that suddenly match
    much worse than usual, are not waited out. Chosen among other signals by benchmarks/adaptive.py.

    Attributes:
        patience: frames; larger means fewer key frames.
        min_interval: frames between key frames at least, but for scene cuts.
        max_interval: frames between key frames at most.
    """

    patience: float = 0.5
    min_interval: int = 2
    max_interval: int = MAX_INTERVAL
    _rate: float | None = field(default=None, init=False)
    _mismatch: float = field(default=0.0, init=False)
    _usual_mismatch: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.min_interval <= self.max_interval:
            raise ModelError(
                f"adaptive schedule: expected 1 <= shortest interval <= longest interval, "
                f"got {self.min_interval} and {self.max_interval}"
            )

    @property
    def interval(self) -> int:
        """Frames from one key frame to the next, as learned so far."""
        wanted = FIRST_INTERVAL if self._rate is None else math.sqrt(self.patience / max(self._rate, SMALLEST_RATE))
        return min(max(round(wanted), self.min_interval), self.max_interval)

    @property
    def memory(self) -> tuple[float, ...]:
        """The rate and the usual mismatch; nothing before the first comparison."""
        return () if self._rate is None else (self._rate, self._usual_mismatch)

    def recall(self, memory: tuple[float, ...]) -> None:
        """Go on with that rate and usual mismatch."""
        if memory:
            self._rate, self._usual_mismatch = memory

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """The first reason that holds, a scene cut before all."""
        last = 0.0 if frames_since_key == 1 else self._mismatch
        self._mismatch = mean_mismatch(estimate())
        if self._mismatch > CUT_MISMATCH and self._mismatch > CUT_JUMP * last:
            return KeyReason.SCENE_CUT
        if frames_since_key >= self.max_interval:
            return KeyReason.MAX_INTERVAL
        if frames_since_key >= self.interval:
            return KeyReason.DRIFT
        usual = self._usual_mismatch
        if self._rate is not None and frames_since_key >= self.min_interval and self._mismatch > 2 * usual + 4:
            return KeyReason.MISMATCH
        return None

    def learn(self, frames_since_key: int, disagreement: Callable[[], float]) -> None:
        """Bring the rate up to date."""
        rate = disagreement() / frames_since_key
        self._rate = rate if self._rate is None else (1 - NEWS) * self._rate + NEWS * rate
        self._usual_mismatch = self._mismatch


FIRST_INTERVAL = 6  # frames, before anything was learned
SMALLEST_RATE = 1e-6  # a frame
NEWS = 0.5  # weight of the latest key frame against all before
CUT_MISMATCH = 20.0  # mean grey levels
CUT_JUMP = 2.5  # times the last frame's mismatch


def mean_mismatch(field: FlowField) -> float:
    """Mean mismatch in grey levels; 0 where the estimator has no picture to compare."""
    return 0.0 if field.photometric_error is None else float(field.photometric_error.mean())
