"""Who is a key frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dffcli.core.defaults import MAX_INTERVAL, TARGET
from dffcli.core.drift import GROWTH, Drift
from dffcli.core.types import Disagreement, FlowField, KeyReason, Stretch
from dffcli.errors import ModelError

MAX_WAITING = 30  # frames held for the key frame after them; of a longer stretch the first are reached from one side
FIRST_INTERVAL = 3  # frames: something is to be learned soon
FASTEST_GROWTH = 2  # times the interval before
MAKE_UP = 0.3  # of what was over or underspent, in the next stretch
LEAST, MOST = 0.5, 1.5  # times the target's error that a stretch is planned for, to make up for others
LEAK = 1 / 150  # of what was over or underspent, forgotten with every frame
BAD = 2.0  # times the target's error, from which a stretch is mended
PROBE = 4  # key frames from one comparison to the next where they cost more than they tell
CUT_ERROR = 20.0  # mean grey levels
CUT_JUMP = 2.5  # times the last frame's photometric error
SUDDEN, SUDDEN_ERROR = 2.0, 4.0  # times the error usual at that distance, and grey levels above it


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
    def memory(self) -> tuple[float, ...] | None:
        """Nothing."""
        return ()

    def recall(self, memory: tuple[float, ...]) -> None:
        """Nothing to go on from."""

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """Due or not; the flow is never asked for."""
        return KeyReason.INTERVAL if frames_since_key >= self.interval else None


@dataclass(frozen=True, slots=True)
class LearnsNothing:
    """What the engine tells the results to where the schedule does not go by them."""

    def begin(self, *, two_sided: bool) -> None:
        """It does not matter."""

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        """Nothing; the comparison is not made."""

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

    On a new key frame there are two answers: the fresh one and the one that would have been carried there. How much
    they differ tells the drift of this video, and the drift tells the longest interval that keeps the mean difference
    of a stretch within what the target leaves. What turns out to be over or underspent is made up for in the stretches
    that follow. Where no interval holds, every frame is a key frame, and only now and then two of them are compared;
    where nothing changes at the longest interval, likewise.

    Attributes:
        target: mean agreement with per-frame results, 0..1.
        max_interval: frames between key frames at most.
        max_cost: never more than a key frame every so many frames costs, taken over the video, whatever the agreement.
        two_sided: frames between key frames are reached from both; the engine says.
        drift: what propagation costs.
        overspent: difference beyond the target's so far, in frames.
    """

    target: float = TARGET
    max_interval: int = MAX_INTERVAL
    two_sided: bool = True
    max_cost: int = 1
    drift: Drift = field(default_factory=Drift)
    overspent: float = field(default=0.0, init=False)
    _before: int = field(default=0, init=False)  # the interval before; 0 on the first stretch
    _due: int = field(default=1, init=False)  # this interval, as planned
    _error: float = field(default=0.0, init=False)  # mean photometric error of the last frame
    _usual: float = field(default=0.0, init=False)  # the same at a distance of one frame
    _keys: int = field(default=0, init=False)
    _spared: int = field(default=0, init=False)  # frames, beyond those that `max_cost` asks between key frames
    _local: float | None = field(default=None, init=False)  # rate of the last stretch alone
    _comparisons: int = field(default=0, init=False)  # since the last stretch

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise ModelError(f"target agreement: expected above 0 and below 1, got {self.target:g}")
        if self.max_interval < 1:
            raise ModelError(f"longest key interval: expected at least 1, got {self.max_interval}")
        if not 1 <= self.max_cost <= self.max_interval:
            wanted = f"1 to the longest interval, {self.max_interval}"
            raise ModelError(f"cost of a key frame every N frames: expected {wanted}, got {self.max_cost}")

    @property
    def allowed(self) -> float:
        """Mean difference from per-frame results that the target leaves."""
        return 1 - self.target

    @property
    def interval(self) -> int:
        """Frames from one key frame to the next, as learned so far."""
        longest = min(max(FIRST_INTERVAL, self.drift.reach), FASTEST_GROWTH * self._before + 1, self.max_interval)
        longest = longest if self._before else min(FIRST_INTERVAL, self.max_interval)
        planned = (n for n in range(longest, 1, -1) if self._expected(n) <= self._affordable(n))
        return max(next(planned, 1), self._shortest)

    @property
    def _shortest(self) -> int:
        return max(1, self.max_cost - self._spared)

    def _expected(self, interval: int) -> float:
        waiting = min(interval - 1, MAX_WAITING) if self.two_sided else 0
        return self.drift.mean(interval, two_sided=waiting)

    def _affordable(self, interval: int) -> float:
        """Mean difference a stretch may have: the target's, and its part of what others left or took.

        A stretch of two frames may take all that is left: where intervals of 1 and 2 alternate, it has all the
        difference.
        """
        most = MOST if interval > 2 else float("inf")
        planned = self.allowed - MAKE_UP * self.overspent / interval
        return min(max(planned, LEAST * self.allowed), most * self.allowed)

    @property
    def memory(self) -> tuple[float, ...] | None:
        """All that was learned; None where the next comparison needs the key frame before this one."""
        if self.two_sided and self._keys % PROBE == 0:
            return None
        return (*self.drift.memory, self.overspent, self._before, self._usual, self._keys, self._spared)

    def recall(self, memory: tuple[float, ...]) -> None:
        """Go on from there."""
        if memory:
            *drift, self.overspent, before, self._usual, keys, spared = memory
            self.drift.recall(tuple(drift))
            self._before, self._keys, self._spared = int(before), int(keys), int(spared)

    def begin(self, *, two_sided: bool) -> None:
        """Count on one side, or on two."""
        self.two_sided = two_sided

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """The first reason that holds, a scene cut before all; the flow is not asked for where every frame is one."""
        if frames_since_key == 1:
            self._due, self._error, self._local = self.interval, 0.0, None
        if self._due == 1:
            return KeyReason.DRIFT
        before, self._error = self._error, mean_error(estimate())
        if self._error > CUT_ERROR and self._error > CUT_JUMP * before:
            return KeyReason.SCENE_CUT
        if frames_since_key >= self._due:
            return KeyReason.MAX_INTERVAL if frames_since_key >= self.max_interval else KeyReason.DRIFT
        usual = self._usual * frames_since_key**GROWTH
        is_sudden = self._error > SUDDEN * usual + SUDDEN_ERROR
        if is_sudden and self._before and frames_since_key >= self._shortest:
            return KeyReason.SUDDEN_CHANGE
        return None

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        """Bring the drift up to date, if the comparison is worth its cost."""
        is_cheap = len(distances) == 1 and distances[0] > 1 and not self._is_steady(distances[0])
        keys = self._keys if len(distances) == 2 else self._keys + 1  # the stretch behind that key frame is yet to end
        if not is_cheap and keys % PROBE:
            return
        found = compare()
        self._comparisons += 1
        self.drift.learn(distances, found)
        if len(distances) == 1:
            base = distances[0] ** GROWTH
            self._local = found.share / base if found.total else None
            self._usual = self._error / base

    def _is_steady(self, interval: int) -> bool:
        return interval >= self.max_interval and self._before >= self.max_interval and self.overspent < 0

    def needs_repair(self, interval: int, *, two_sided: int) -> bool:
        """Whether a stretch, as compared at its end, missed the target by far."""
        if self._local is None or interval < max(FIRST_INTERVAL, self._shortest + self.max_cost):
            return False
        return self.drift.mean(interval, two_sided=two_sided, rate=self._local) > BAD * self.allowed

    def needs_last(self, frames: int) -> bool:
        """Whether the rest, reached from one side, would miss the target."""
        return self.two_sided and frames >= self._shortest and self.drift.mean(frames, two_sided=0) > self.allowed

    def stretch(self, interval: int, *, two_sided: int) -> Stretch:
        """What the last one cost: the drift measured at its end, or that of those before where none was."""
        found = self.drift.mean(interval, two_sided=two_sided, rate=self._local)
        stretch = Stretch(interval, found, interval * self.drift.size, self._comparisons)
        kept = (1 - LEAK) ** interval
        self.overspent = kept * (self.overspent + interval * (found - self.allowed))
        self._before, self._comparisons = interval, 0
        self._keys += 1
        self._spared += interval - self.max_cost
        return stretch


def mean_error(field: FlowField) -> float:
    """Mean photometric error in grey levels; 0 where the estimator has no picture to compare."""
    return 0.0 if field.photometric_error is None else float(field.photometric_error.mean())
