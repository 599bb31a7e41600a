"""A variant's run that can be halted between any two frames and taken up again, timed only while it runs."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from dffcli.bench.plan import Variant
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator, VideoModel
from dffcli.core.timing import Stopwatch, TimedFlow, TimedModel, timed_propagation
from dffcli.core.types import Frame, FrameResult
from dffcli.render.overlay import Overlay
from dffcli.video.prefetch import prefetch, queue_depth, write_behind
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter

T = TypeVar("T")


@dataclass(slots=True)
class ActiveClock:
    """Seconds in which the variant ran; it stands still in the other variants' turns and while frames are fetched."""

    _passed: float = 0.0
    _since: float | None = None

    def now(self) -> float:
        """Seconds so far."""
        return self._passed + (0.0 if self._since is None else perf_counter() - self._since)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The clock runs inside."""
        self._since = perf_counter()
        try:
            yield
        finally:
            self._passed, self._since = self.now(), None

    @contextmanager
    def halted(self) -> Iterator[None]:
        """The clock stands still inside."""
        self._passed, self._since = self.now(), None
        try:
            yield
        finally:
            self._since = perf_counter()


def _engine(variant: Variant, model: VideoModel, flow: FlowEstimator, watch: Stopwatch) -> Engine:
    timed = TimedModel(model, watch)
    propagation = timed_propagation(timed, watch)
    return Engine(timed, TimedFlow(flow, watch), variant.schedule(), variant.two_sided, propagation)


@dataclass(slots=True)
class Turn:
    """What one turn gave.

    Attributes:
        seconds: of the clock.
        results: one for every frame of the turn.
    """

    seconds: float
    results: list[FrameResult]


class NetworkLane:
    """The networks alone: decoded frames in, predictions out, nothing beside them.

    Args:
        variant: what to run.
        frames: decoded frames; the time it takes to get them does not count.
    """

    def __init__(self, variant: Variant, model: VideoModel, flow: FlowEstimator, frames: Iterator[Frame]) -> None:
        self.variant = variant
        self.watch = Stopwatch()
        self.latencies = array("d")
        self._clock = ActiveClock()
        self._frames = frames
        self._taken: dict[int, float] = {}
        self._results = _engine(variant, model, flow, self.watch).run(self._taking())

    def _taking(self) -> Iterator[Frame]:
        while True:
            with self._clock.halted():
                frame = next(self._frames, None)
            if frame is None:
                return
            self._taken[frame.index] = self._clock.now()
            yield frame

    def turn(self, count: int) -> Turn:
        """Run until `count` more results are out; fewer at the end of the frames."""
        results = []
        started = self._clock.now()
        with self._clock.running():
            for _ in range(count):
                result = next(self._results, None)
                if result is None:
                    break
                self.latencies.append(self._clock.now() - self._taken.pop(result.frame.index))
                results.append(result)
        return Turn(self._clock.now() - started, results)

    def forget(self) -> None:
        """Drop what was measured so far: it was warm-up."""
        self.watch.samples.clear()
        self.latencies = array("d")


class Gate:
    """Lets background threads work in their variant's turns alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = False
        self._inside = 0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait until the gate is open; counted as inside until left."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_open)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def guard(self, items: Iterable[T]) -> Iterator[T]:
        """The same items, each fetched while the gate is open."""
        iterator = iter(items)
        while True:
            with self.passing():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def open(self) -> None:
        """Let everybody work."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more, and wait until those inside have finished what they do."""
        with self._changed:
            self._is_open = False
            self._changed.wait_for(lambda: not self._inside)


class _DiscardedError(Exception):
    """Leaves a writer's context so that its file is removed."""


class PipelineLane:
    """The whole way from a video file to an overlaid video file, with its threads, as `dff detect` and `segment` go.

    Args:
        variant: what to run.
        source: what to read.
        folder: where the video is written; it is removed in the end.
        keep: drops what would not be drawn.
    """

    def __init__(
        self,
        variant: Variant,
        model: VideoModel,
        flow: FlowEstimator,
        *,
        source: str,
        folder: Path,
        keep: Callable[[FrameResult], FrameResult],
    ) -> None:
        self.variant = variant
        self.watch = Stopwatch()
        self._model, self._flow = model, flow
        self._place, self._folder, self._keep = source, folder, keep
        self._gate = Gate()
        self._stack = ExitStack()

    def __enter__(self) -> PipelineLane:
        with ExitStack() as stack:
            source = stack.enter_context(open_source(self._place))
            writer = VideoWriter(self._folder / f"{id(self)}.mp4", info=source.info)
            stack.enter_context(writer)
            overlay = Overlay(self._model.categories, opacity=0.5)

            def draw_and_encode(result: FrameResult) -> None:
                with self._gate.passing():
                    with self.watch.time("draw"):
                        picture = overlay.draw(result.frame.image, result.prediction)
                    with self.watch.time("encode"):
                        writer.write(picture, result.frame.pts_seconds, result.frame.duration_seconds)

            depth = queue_depth(source.info.size)
            self._write = stack.enter_context(write_behind(draw_and_encode, depth=depth))
            ahead = stack.enter_context(prefetch(self._gate.guard(self.watch.iterate(source, "decode")), depth=depth))
            stack.callback(self._gate.open)  # so that the threads can end
            self._results = _engine(self.variant, self._model, self._flow, self.watch).run(ahead)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(_DiscardedError):
            self._stack.__exit__(_DiscardedError, _DiscardedError(), None)

    def turn(self, count: int) -> float:
        """Run until `count` more frames are on their way to the file; gives the seconds it took."""
        started = perf_counter()
        self._gate.open()
        try:
            for _ in range(count):
                result = next(self._results, None)
                if result is None:
                    break
                self._write(self._keep(result))
        finally:
            self._gate.close()
        return perf_counter() - started

    def forget(self) -> None:
        """Drop what was measured so far: it was warm-up."""
        self.watch.samples.clear()
