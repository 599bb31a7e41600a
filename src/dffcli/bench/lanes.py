"""A variant's run that can be halted between any two frames and taken up again, timed only while it runs."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from dffcli.core.protocols import Schedule
from dffcli.core.timing import Stopwatch
from dffcli.core.types import Frame, FrameResult, SourceInfo
from dffcli.formats.sink import Sink
from dffcli.render.overlay import Overlay
from dffcli.run.overlay_sink import OverlaySink
from dffcli.run.parts import Parts
from dffcli.run.plan import Plan
from dffcli.run.runner import Run
from dffcli.run.sinks import overlay_parts
from dffcli.video.reader import open_source
from dffcli.video.source import Source, SourceNotes
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
        parts: what runs.
        schedule: a fresh one.
        two_sided: frames between key frames are reached from both.
        frames: decoded frames; the time it takes to get them does not count.
    """

    def __init__(self, parts: Parts, schedule: Schedule, *, two_sided: bool, frames: Iterator[Frame]) -> None:
        self.watch = Stopwatch()
        self.latencies = array("d")
        self._clock = ActiveClock()
        self._frames = frames
        self._taken: dict[int, float] = {}
        self._results = parts.engine(schedule, two_sided=two_sided, watch=self.watch).run(self._taking())

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


@dataclass(frozen=True, slots=True)
class _GatedSource:
    """A source whose frames are fetched in the variant's turns alone, and timed."""

    inner: Source
    gate: Gate
    watch: Stopwatch

    @property
    def info(self) -> SourceInfo:
        return self.inner.info

    @property
    def notes(self) -> SourceNotes:
        return self.inner.notes

    def tracks(self) -> None:
        """A variant's output is without sound."""

    def stop(self) -> None:
        self.inner.stop()

    def __iter__(self) -> Iterator[Frame]:
        return self.gate.guard(self.watch.iterate(self.inner, "decode"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


@dataclass(frozen=True, slots=True)
class _GatedSink:
    """A sink that is written in the variant's turns alone."""

    inner: Sink
    gate: Gate

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inner.__exit__(kind, error, trace)

    def write(self, result: FrameResult) -> None:
        with self.gate.passing():
            self.inner.write(result)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.inner.notes


class _Timed:
    """An object one of whose methods is clocked; the others are its own."""

    def __init__(self, inner: Any, method: str, *, stage: str, watch: Stopwatch) -> None:
        self._inner, self._method, self._stage, self._watch = inner, method, stage, watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name != self._method:
            return found

        def timed(*arguments: Any, **options: Any) -> Any:
            with self._watch.time(self._stage):
                return found(*arguments, **options)

        return timed

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._inner.__exit__(*error)


class PipelineLane:
    """The whole way from a video file to an overlaid video file, as `dff detect` and `segment` go.

    Args:
        plan: with one video to write, which is removed in the end.
        parts: what runs.
    """

    def __init__(self, plan: Plan, parts: Parts) -> None:
        self.watch = Stopwatch()
        self._plan, self._parts = plan, parts
        self._gate = Gate()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        plan, parts, watch = self._plan, self._parts, self.watch
        with ExitStack() as stack:
            source = stack.enter_context(open_source(plan.source))
            overlay, writer = overlay_parts(
                plan.outputs[0].path,
                info=source.info,
                categories=parts.built.model.categories,
                options=plan.writing,
            )
            drawing = cast(Overlay, _Timed(overlay, "draw", stage="draw", watch=watch))
            encoding = cast(VideoWriter, _Timed(writer, "write", stage="encode", watch=watch))
            sink = _GatedSink(OverlaySink(drawing, encoding), self._gate)
            run = Run(plan, _GatedSource(source, self._gate, watch), [sink], parts=parts)
            stack.enter_context(run)
            stack.callback(self._gate.open)  # so that the threads can end
            self._results = iter(run)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def turn(self, count: int) -> float:
        """Run until `count` more frames are on their way to the file; gives the seconds it took."""
        started = perf_counter()
        self._gate.open()
        try:
            for _ in range(count):
                if next(self._results, None) is None:
                    break
        finally:
            self._gate.close()
        return perf_counter() - started

    def forget(self) -> None:
        """Drop what was measured so far: it was warm-up."""
        self.watch.samples.clear()
