"""The adaptive schedule of version 0.1, which promised nothing: kept to compare others with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from dffcli.core.schedule import CUT_ERROR, CUT_JUMP, mean_error
from dffcli.core.types import Disagreement, FlowField, KeyReason, Stretch

FIRST_INTERVAL = 6  # frames
SMALLEST_RATE = 1e-6  # a frame
NEWS = 0.5  # weight of the latest key frame against all before


@dataclass(slots=True)
class Patience:
    """Intervals follow the square root of the rate at which propagation goes wrong: sqrt(patience / rate)."""

    patience: float = 0.5
    min_interval: int = 2
    max_interval: int = 30
    _rate: float | None = field(default=None, init=False)
    _error: float = field(default=0.0, init=False)
    _usual: float = field(default=0.0, init=False)

    @property
    def interval(self) -> int:
        wanted = FIRST_INTERVAL if self._rate is None else math.sqrt(self.patience / max(self._rate, SMALLEST_RATE))
        return min(max(round(wanted), self.min_interval), self.max_interval)

    @property
    def memory(self) -> tuple[float, ...]:
        return () if self._rate is None else (self._rate, self._usual)

    def recall(self, memory: tuple[float, ...]) -> None:
        if memory:
            self._rate, self._usual = memory

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        last = 0.0 if frames_since_key == 1 else self._error
        self._error = mean_error(estimate())
        if self._error > CUT_ERROR and self._error > CUT_JUMP * last:
            return KeyReason.SCENE_CUT
        if frames_since_key >= self.max_interval:
            return KeyReason.MAX_INTERVAL
        if frames_since_key >= self.interval:
            return KeyReason.DRIFT
        if self._rate is not None and frames_since_key >= self.min_interval and self._error > 2 * self._usual + 4:
            return KeyReason.SUDDEN_CHANGE
        return None

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        if len(distances) > 1:
            return
        rate = compare().share / distances[0]
        self._rate = rate if self._rate is None else (1 - NEWS) * self._rate + NEWS * rate
        self._usual = self._error

    def begin(self, *, two_sided: bool) -> None:
        pass

    def needs_repair(self, interval: int, *, two_sided: int) -> bool:
        return False

    def needs_last(self, frames: int) -> bool:
        return False

    def stretch(self, interval: int, *, two_sided: int) -> Stretch | None:
        return None
