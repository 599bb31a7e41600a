"""Who is a key frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dffcli.core.drift import Drift
from dffcli.core.types import Disagreement, FlowField, KeyReason, Stretch
from dffcli.errors import ModelError

MAX_INTERVAL = 120  # frames
MAX_WAITING = 30  # frames that can be reached from both sides at most
TARGET = 0.96


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

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        """Nothing: the schedule is fixed, and the comparison is not made."""

    def needs_repair(self, interval: int, *, two_sided: int) -> bool:
        """Never."""
        return False

    def needs_last(self, frames: int) -> bool:
        """Never."""
        return False

    def stretch(self, interval: int, *, two_sided: int) -> Stretch | None:
        """Not measured."""
        return None


@dataclass(slots=True)
class TargetAgreement:
    """Key frames as far apart as an agreement with per-frame results allows, learned from the results themselves.

    Attributes:
        target: mean agreement wanted, 0..1.
        two_sided: frames between key frames are reached from both.
        max_interval: frames between key frames at most.
        drift: what propagation costs.
    """

    target: float = TARGET
    two_sided: bool = True
    max_interval: int = MAX_INTERVAL
    drift: Drift = field(default_factory=Drift)
    debt: float = 0.0
    horizon: float = 60.0
    low: float = 0.5
    high: float = 1.5
    bad: float = 2.0
    jump: float = 2.0
    _mismatch: float = 0.0
    _usual_mismatch: float = 0.0
    _since_probe: int = 0
    _previous: int = 3

    memory: tuple[float, ...] = ()

    def recall(self, memory: tuple[float, ...]) -> None:
        """Nothing to go on from."""

    @property
    def allowed(self) -> float:
        """Mean disagreement that the next stretch may have."""
        goal = 1 - self.target
        return min(max(goal - self.debt / self.horizon, self.low * goal), self.high * goal)

    @property
    def interval(self) -> int:
        """Frames from one key frame to the next, as learned so far."""
        longest = min(self.max_interval, int(self.jump * self._previous) + 1)
        goal = 1 - self.target
        best = 1
        for n in range(2, longest + 1):
            waiting = min(n - 1, MAX_WAITING) if self.two_sided else 0
            mean = self.drift.mean(n, two_sided=waiting)
            spend = -self.debt * self.g
            if spend > 0 and n > 2: spend = min(spend, (self.high - 1) * goal * n)
            if spend < 0: spend = max(spend, (self.low - 1) * goal * n)
            if n * (mean - goal) > spend:
                break
            best = n
        return best
    g: float = 0.3

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """The first reason that holds, a scene cut before all."""
        if frames_since_key == 1:
            self._wanted = self.interval
            if self._wanted == 1:
                return KeyReason.DRIFT
        last = 0.0 if frames_since_key == 1 else self._mismatch
        self._mismatch = mean_mismatch(estimate())
        if self._mismatch > CUT_MISMATCH and self._mismatch > CUT_JUMP * last:
            return KeyReason.SCENE_CUT
        if frames_since_key >= self.max_interval:
            return KeyReason.MAX_INTERVAL
        if frames_since_key >= self._wanted:
            return KeyReason.DRIFT
        if frames_since_key >= 2 and self._mismatch > 2 * self._usual_mismatch + 4:
            return KeyReason.SUDDEN_CHANGE
        return None

    _wanted: int = 3

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        """Bring the drift up to date."""
        if distances == (1,) :
            self._since_probe += 1
            if self._since_probe % 4: return
        if distances == (1,1) and self._since_probe % 4: return
        self.drift.learn(distances, compare())
        if len(distances) == 1:
            self._usual_mismatch = self._mismatch

    def needs_repair(self, interval: int, *, two_sided: int) -> bool:
        """Whether."""
        return self.local(interval, two_sided) > self.bad * self.allowed

    def local(self, interval: int, two_sided: int) -> float:
        return self.drift.mean(interval, two_sided=two_sided, rate=self.drift._latest)

    def needs_last(self, frames: int) -> bool:
        """Whether."""
        return self.drift.mean(frames, two_sided=0) > self.allowed

    def stretch(self, interval: int, *, two_sided: int) -> Stretch:
        """What."""
        found = 0.0 if interval == 1 else self.local(interval, two_sided)
        self.debt = (self.debt + interval * (found - (1 - self.target))) * (1 - 1 / self.horizon) ** interval
        self._previous = interval
        return Stretch(interval, found, interval, self.drift.comparisons)


CUT_MISMATCH = 20.0  # mean grey levels
CUT_JUMP = 2.5  # times the last frame's mismatch


def mean_mismatch(field: FlowField) -> float:
    """Mean mismatch in grey levels; 0 where the estimator has no picture to compare."""
    return 0.0 if field.photometric_error is None else float(field.photometric_error.mean())
