"""Who is a key frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dffcli.errors import ModelError
from dffcli.types import FlowField, KeyReason

MAX_INTERVAL = 30  # frames


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

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """Due or not; the flow is never asked for."""
        return KeyReason.INTERVAL if frames_since_key >= self.interval else None


@dataclass(slots=True)
class Adaptive:
    """A new key frame when the warped one can no longer be trusted.

    Two signals, both left over from the flow that is computed anyway: how badly the warped key picture matches the
    frame, and whether that jumped from one frame to the next (a scene cut). Thresholds: benchmarks/adaptive.py.

    Attributes:
        mismatch_limit: mean mismatch, in grey levels, above which a frame becomes a key frame.
        cut_limit: mean mismatch of a scene cut, in grey levels, if it also jumped `CUT_JUMP`-fold.
        min_interval: frames between key frames at least, but for scene cuts.
        max_interval: frames between key frames at most.
    """

    mismatch_limit: float = 4.5
    cut_limit: float = 20.0
    min_interval: int = 2
    max_interval: int = MAX_INTERVAL
    _last_mismatch: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.min_interval <= self.max_interval:
            raise ModelError(
                f"adaptive schedule: expected 1 <= shortest interval <= longest interval, "
                f"got {self.min_interval} and {self.max_interval}"
            )

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """The first reason that holds, a scene cut before all."""
        mismatch = mean_mismatch(estimate())
        last, self._last_mismatch = (0.0 if frames_since_key == 1 else self._last_mismatch), mismatch
        if mismatch > self.cut_limit and mismatch > CUT_JUMP * last:
            return KeyReason.SCENE_CUT
        if frames_since_key >= self.max_interval:
            return KeyReason.MAX_INTERVAL
        if frames_since_key >= self.min_interval and mismatch > self.mismatch_limit:
            return KeyReason.MISMATCH
        return None


CUT_JUMP = 2.5  # times the last frame's mismatch


def mean_mismatch(field: FlowField) -> float:
    """Mean mismatch in grey levels; 0 where the estimator has no picture to compare."""
    return 0.0 if field.mismatch is None else float(field.mismatch.mean())
