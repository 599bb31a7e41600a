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
    """A new key frame when the error that propagation has run up since the last one is worth more than its cost.

    The signal is left over from the flow that is computed anyway: how badly the warped key picture matches the frame.
    It is summed over the frames since the key. If mismatch grows like r per frame, the mean error at interval L is
    about r L / 2 and a key frame costs 1 / L; the best L is then that at which the sum r L^2 / 2 reaches a fixed
    budget, whatever r is. A limit on the mismatch itself would give L like 1 / r: too many key frames to fast scenes.
    A share that every frame adds stands for what does not depend on motion. Budget: benchmarks/adaptive.py.

    Attributes:
        budget: sum over the frames since the key of mean mismatch + `FRAME_SHARE`, in grey levels.
        cut_limit: mean mismatch of a scene cut, in grey levels, if it also jumped `CUT_JUMP`-fold.
        min_interval: frames between key frames at least, but for scene cuts.
        max_interval: frames between key frames at most.
    """

    budget: float = 60.0
    cut_limit: float = 20.0
    min_interval: int = 2
    max_interval: int = MAX_INTERVAL
    _last_mismatch: float = field(default=0.0, init=False)
    _sum: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.min_interval <= self.max_interval:
            raise ModelError(
                f"adaptive schedule: expected 1 <= shortest interval <= longest interval, "
                f"got {self.min_interval} and {self.max_interval}"
            )

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """The first reason that holds, a scene cut before all."""
        mismatch = mean_mismatch(estimate())
        if frames_since_key == 1:
            self._last_mismatch = self._sum = 0.0
        last, self._last_mismatch = self._last_mismatch, mismatch
        self._sum += mismatch + FRAME_SHARE
        if mismatch > self.cut_limit and mismatch > CUT_JUMP * last:
            return KeyReason.SCENE_CUT
        if frames_since_key >= self.max_interval:
            return KeyReason.MAX_INTERVAL
        if frames_since_key >= self.min_interval and self._sum > self.budget:
            return KeyReason.MISMATCH
        return None


FRAME_SHARE = 4.0  # grey levels
CUT_JUMP = 2.5  # times the last frame's mismatch


def mean_mismatch(field: FlowField) -> float:
    """Mean mismatch in grey levels; 0 where the estimator has no picture to compare."""
    return 0.0 if field.mismatch is None else float(field.mismatch.mean())


def deformation(field: FlowField) -> float:
    """How unevenly places move against their neighbours: mean spatial slope of the displacement, pixels a pixel.

    A picture that moves as a whole carries its features well however far it goes; where neighbours part, something is
    covered, uncovered or changes its shape.
    """
    sampled = field.displacement[0, :, ::SLOPE_STEP, ::SLOPE_STEP]  # [2, h, w]
    across = (sampled[:, :, 1:] - sampled[:, :, :-1]).abs().sum(0)
    down = (sampled[:, 1:] - sampled[:, :-1]).abs().sum(0)
    return (float(across.mean()) + float(down.mean())) / SLOPE_STEP if across.numel() and down.numel() else 0.0


SLOPE_STEP = 4  # pixels of the field
