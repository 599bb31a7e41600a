"""Time by stage, wrapped around the parts from outside, so that the engine measured is the engine shipped."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from time import perf_counter
from typing import TypeVar

from torch import Tensor

from dffcli.categories import Category
from dffcli.core.propagation import MapPropagation, propagation_for
from dffcli.core.protocols import FlowEstimator, LearningSchedule, Propagation, Schedule, VideoModel, Warp
from dffcli.core.types import (
    Disagreement,
    Features,
    FlowField,
    Frame,
    KeyFrame,
    KeyReason,
    Prediction,
    PreparedImage,
    Stretch,
    Task,
)

T = TypeVar("T")


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent each time a stage was entered, by stage."""

    samples: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    _busy: set[int] = field(default_factory=set)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Count what happens inside toward a stage; a stage within another of the same thread is part of that."""
        thread = get_ident()
        if thread in self._busy:
            yield
            return
        self._busy.add(thread)
        started = perf_counter()
        try:
            yield
        finally:
            self._busy.discard(thread)
            self.samples[stage].append(perf_counter() - started)

    def iterate(self, items: Iterable[T], stage: str) -> Iterator[T]:
        """The same items, with the time it took to get each counted toward a stage."""
        iterator = iter(items)
        while True:
            started = perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self.samples[stage].append(perf_counter() - started)
            yield item

    def seconds(self, stage: str) -> float:
        """All that was spent in a stage."""
        return sum(self.samples[stage]) if stage in self.samples else 0.0


@dataclass(frozen=True, slots=True)
class TimedModel:
    """A model that is timed; a GPU's queue is drained before the clock is read."""

    inner: VideoModel
    watch: Stopwatch

    @property
    def name(self) -> str:
        """The inner model's."""
        return self.inner.name

    @property
    def task(self) -> Task:
        """The inner model's."""
        return self.inner.task

    @property
    def categories(self) -> tuple[Category, ...]:
        """The inner model's."""
        return self.inner.categories

    def prepare(self, frame: Frame) -> PreparedImage:
        """The inner model's; it costs nothing until the input is asked for."""
        return self.inner.prepare(frame)

    def features(self, image: PreparedImage) -> Features:
        """The inner model's, timed apart from the making of its input."""
        with self.watch.time("prepare"):
            image.tensor  # noqa: B018  # made here, once
        with self.watch.time("features"):
            features = self.inner.features(image)
            _drain(features)
            return features

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Prediction:
        """The inner model's, timed apart on key frames and elsewhere."""
        with self.watch.time("head on key" if is_key else "head"):
            return self.inner.head(features, image, is_key=is_key)


@dataclass(frozen=True, slots=True)
class TimedFlow:
    """A flow estimator that is timed."""

    inner: FlowEstimator
    watch: Stopwatch

    @property
    def name(self) -> str:
        """The inner estimator's."""
        return self.inner.name

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The inner estimator's, timed."""
        with self.watch.time("flow"):
            field = self.inner.estimate(key, current, guess=guess)
            _drain((field.displacement,))
            return field


@dataclass(frozen=True, slots=True)
class TimedWarp:
    """A warp that is timed."""

    inner: Warp
    watch: Stopwatch

    def __call__(
        self, features: Features, field: FlowField, *, weight: Tensor | None = None, onto: Features | None = None
    ) -> Features:
        """The inner warp's, timed."""
        with self.watch.time("warp"):
            warped = self.inner(features, field, weight=weight, onto=onto)
            _drain(warped)
            return warped


@dataclass(frozen=True, slots=True)
class TimedCarry:
    """A propagation of objects that is timed."""

    inner: Propagation
    watch: Stopwatch

    def at_key(self, key: KeyFrame) -> Prediction:
        """The inner propagation's."""
        return self.inner.at_key(key)

    def from_one(self, key: KeyFrame, field: FlowField, image: PreparedImage) -> Prediction:
        """The inner propagation's, timed."""
        with self.watch.time("carry"):
            return self.inner.from_one(key, field, image)

    def from_both(
        self, before: KeyFrame, back: FlowField, image: PreparedImage, onward: FlowField, after: KeyFrame
    ) -> Prediction:
        """The inner propagation's, timed."""
        with self.watch.time("carry"):
            return self.inner.from_both(before, back, image, onward, after)


@dataclass(frozen=True, slots=True)
class TimedSchedule:
    """A schedule that learns from results, its comparisons timed."""

    inner: LearningSchedule
    watch: Stopwatch

    @property
    def max_interval(self) -> int:
        """The inner schedule's."""
        return self.inner.max_interval

    @property
    def memory(self) -> tuple[float, ...] | None:
        """The inner schedule's."""
        return self.inner.memory

    def recall(self, memory: tuple[float, ...]) -> None:
        """The inner schedule's."""
        self.inner.recall(memory)

    def begin(self, *, two_sided: bool) -> None:
        """The inner schedule's."""
        self.inner.begin(two_sided=two_sided)

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """The inner schedule's."""
        return self.inner.key_reason(frames_since_key, estimate)

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        """The inner schedule's; the comparison is timed, with all it is made of, if it is made."""

        def timed() -> Disagreement:
            with self.watch.time("compare"):
                return compare()

        self.inner.learn(distances, timed)

    def needs_repair(self, interval: int, *, two_sided: int) -> bool:
        """The inner schedule's."""
        return self.inner.needs_repair(interval, two_sided=two_sided)

    def needs_last(self, frames: int) -> bool:
        """The inner schedule's."""
        return self.inner.needs_last(frames)

    def stretch(self, interval: int, *, two_sided: int) -> Stretch | None:
        """The inner schedule's."""
        return self.inner.stretch(interval, two_sided=two_sided)


def timed_schedule(schedule: Schedule, watch: Stopwatch) -> Schedule:
    """The schedule, its comparisons timed if it makes any."""
    return TimedSchedule(schedule, watch) if isinstance(schedule, LearningSchedule) else schedule


def timed_propagation(model: TimedModel, watch: Stopwatch, *, lowest_score: float = 0.0) -> Propagation:
    """What the answers of a timed model travel by, every stage of it timed once."""
    inner = propagation_for(model.inner, lowest_score=lowest_score)
    return (
        MapPropagation(model, TimedWarp(inner.warp, watch))
        if isinstance(inner, MapPropagation)
        else TimedCarry(inner, watch)
    )


def _drain(values: Features) -> None:
    if values and values[0].is_cuda:
        import torch

        torch.cuda.synchronize(values[0].device)
