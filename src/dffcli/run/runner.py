"""A plan carried out: from a source, through the engine and post-processing, into sinks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from time import perf_counter
from types import TracebackType
from typing import Self

from dffcli.core.protocols import FlowEstimator
from dffcli.core.timing import Stopwatch
from dffcli.core.types import Frame, FrameResult, SourceInfo
from dffcli.errors import InputError, VideoDecodeError
from dffcli.files.atomic import atomic_path, claimed, writing
from dffcli.files.claim import Claim
from dffcli.formats.sink import RunFacts, Sink
from dffcli.models.registry import BuiltModel, build_model
from dffcli.run.config import RunConfig
from dffcli.run.journal import Journal, journal_path
from dffcli.run.parts import Parts, build_parts
from dffcli.run.plan import Plan, plan
from dffcli.run.report import RunReport, Tally
from dffcli.run.resume import continued, record_of
from dffcli.run.sinks import open_sink
from dffcli.video.clock import DEFAULT_RATE
from dffcli.video.prefetch import aside, prefetch, queue_depth, write_behind
from dffcli.video.reader import may_stall, open_source
from dffcli.video.source import Source

PATIENCE_SECONDS = 0.5  # with a stream that is to end and gives nothing


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    frames: int
    key_frames: int
    expected_frames: int | None


class Run:
    """One run: to be entered, iterated for the results in frame order, and left; then there are outputs and a report.

    Decoding runs ahead and drawing and encoding run behind, on threads of their own. Left by an error, or before the
    last frame, nothing unfinished stays under a final name.

    Attributes:
        source: what is read.
        parts: what runs.
        watch: the time spent in every stage.
        tally: what was counted so far.
        is_over: the last frame has come.
    """

    def __init__(
        self, plan: Plan, source: Source, sinks: Sequence[Sink] = (), *, parts: Parts, claims: Sequence[Claim] = ()
    ) -> None:
        """Describe a run; it begins on entering the context.

        Args:
            plan: what to do.
            source: open.
            sinks: one for every output, not begun.
            parts: what the plan's names stand for.
            claims: on the outputs, which get their names when these are published; the journal waits for that.
        """
        self.source = source
        self.parts = parts
        self.watch = Stopwatch()
        self.tally = Tally()
        self._plan = plan
        self._sinks = tuple(sinks)
        self._claims = tuple(claims)
        self.is_over = False
        self._broke: VideoDecodeError | None = None
        self._report: RunReport | None = None

    def __enter__(self) -> Self:
        self._started = perf_counter()
        plan, source, info = self._plan, self.source, self.source.info
        with ExitStack() as stack:
            self._journal = stack.enter_context(open_journal(plan, info, self.parts))
            self._journal.waits_for_names = bool(self._claims)
            for claim in self._claims:
                claim.on_publish, claim.on_end = self._journal.announce, self._journal.end
            for sink in self._sinks:
                stack.enter_context(sink)
            depth = queue_depth(info.size)
            write = stack.enter_context(write_behind(self._draw_and_encode, depth=depth))
            note = stack.enter_context(write_behind(self._note_down, depth=depth))
            self._ahead = prefetch(self.watch.iterate(source, "decode"), depth=depth)
            stack.callback(self._stop_reading)
            self._results = self._iterate(self._ahead, write=write, note=note)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self.is_over:  # left early: what is there is not the whole
            with suppress(_LeftEarlyError):
                self._stack.__exit__(_LeftEarlyError, _LeftEarlyError(), None)
            return
        self._stack.__exit__(kind, error, trace)
        if kind is None:
            self._report = self._sum_up()

    def __iter__(self) -> Iterator[FrameResult]:
        """The results, as they are written."""
        return self._results

    def end(self) -> None:
        """End a live run as if its stream had ended: what was read is written and complete.

        May be called by a signal handler; a stream that gives nothing is not waited for.
        """
        self.source.stop()
        self._ahead.end()

    @property
    def is_reading(self) -> bool:
        """The source is in the middle of being read, and must not be closed."""
        return self._ahead.is_busy

    def _stop_reading(self) -> None:
        may_stall = self.source.info.may_stall
        if may_stall:
            self.source.stop()
        self._ahead.close(within_seconds=PATIENCE_SECONDS if may_stall else None)

    @property
    def known_notes(self) -> tuple[str, ...]:
        """What is known beforehand of what will be left out or changed, in lines for the user."""
        return (*self.source.notes.other, *(line for sink in self._sinks for line in sink.notes))

    @property
    def progress(self) -> Progress:
        """How far it is."""
        span = self._plan.span
        expected = expected_frames(self.source.info, start=span.start, end=span.end)
        return Progress(self.tally.frames, self.tally.key_frames, expected)

    @property
    def report(self) -> RunReport:
        """What the run cost and what was seen.

        Raises:
            RuntimeError: it has not come to its end.
        """
        if self._report is None:
            raise RuntimeError("the run has not come to its end")
        return self._report

    def _iterate(
        self, ahead: Iterable[Frame], *, write: Callable[[FrameResult], None], note: Callable[[FrameResult], None]
    ) -> Iterator[FrameResult]:
        two_sided = is_two_sided(self._plan, self.source.info)
        schedule = self._plan.schedule.make()
        schedule.recall(self._journal.resumed_memory)
        confident = self._plan.finishing.score_threshold
        engine = self.parts.engine(schedule, two_sided=two_sided, watch=self.watch, confident=confident)
        ending = _Ending(ahead)
        found = self._noted(continued(ending, engine.run, journal=self._journal), note=note)
        for finished in self._plan.finishing.over(found, self.parts.built.model.categories):
            write(finished)
            self.tally.add(finished)
            yield finished
        self.tally.end(schedule)
        self._broke = ending.error
        if self._broke is not None and self.tally.frames == 0:
            raise self._broke
        self.is_over = True

    def _noted(self, results: Iterable[FrameResult], *, note: Callable[[FrameResult], None]) -> Iterator[FrameResult]:
        for result in results:
            if result.frame.index >= self._journal.resumed_index:
                note(result)
            yield result

    def _draw_and_encode(self, result: FrameResult) -> None:
        with self.watch.time("draw and encode"):
            for sink in self._sinks:
                sink.write(result)

    def _note_down(self, result: FrameResult) -> None:
        self._journal.add(record_of(result, with_displacement=self._plan.finishing.track))

    def _sum_up(self) -> RunReport:
        facts = run_facts(self._plan, self.source.info, self.parts)
        notes = (line for sink in self._sinks for line in getattr(sink, "notes", ()))
        return RunReport.of(
            self.tally,
            self.watch,
            seconds=perf_counter() - self._started,
            notes=(*self.source.notes.lines(), *notes, *self._journal.notes),
            broke=None if self._broke is None else str(self._broke),
            settings={"model": facts.model, "weights": facts.weights, "random_weights": facts.is_random}
            | facts.settings,
            target=None if self._plan.schedule.key_interval else self._plan.schedule.target,
        )


class _LeftEarlyError(Exception):
    """Ends what a run has begun when nobody wants the rest of it."""


@contextmanager
def holding_outputs(plan: Plan) -> Iterator[tuple[Claim, ...]]:
    """Hold the names of everything a plan writes, so that nobody else writes it and nothing that appears is lost.

    Yields:
        The claims on the outputs and the report.

    Raises:
        OutputError: somebody else has one; or, at the end, a result had to go beside something that had appeared.
    """
    held = plan.named_outputs if plan.roll is None else ()  # the files of a row take free names as they begin
    files = [output.path for output in held if not output.is_folder]
    folders = [output.path for output in held if output.is_folder]
    reports = [] if plan.report is None else [plan.report]
    overwrite = plan.writing.overwrite
    with claimed(files=[*files, *reports], folders=folders, overwrite=overwrite, ours=plan.finished) as claims:
        yield claims


@dataclass(frozen=True, slots=True)
class Given:
    """Parts of a run that are there already, in place of what the plan names.

    Attributes:
        source: open.
        model: built.
        flow: an estimator.
        sinks: not begun, beside the plan's outputs.
    """

    source: Source | None = None
    model: BuiltModel | None = None
    flow: FlowEstimator | None = None
    sinks: tuple[Sink, ...] = ()


NOTHING = Given()


@contextmanager
def started(plan: Plan, given: Given = NOTHING) -> Iterator[Run]:
    """A run from the names of its plan: outputs held, networks built, source opened, everything entered.

    Args:
        plan: what to do.
        given: what need not be made from the plan's names.

    Raises:
        DFFError: anything the user can act on.
    """
    with holding_outputs(plan) as claims:
        with _started(plan, given, claims) as run:
            yield run
        if plan.report is not None and run.is_over:
            with atomic_path(plan.report) as part, writing(plan.report):
                part.write_text(json.dumps(run.report.to_json(), indent=2) + "\n", encoding="utf-8")


@contextmanager
def _started(plan: Plan, given: Given, claims: Sequence[Claim]) -> Iterator[Run]:
    build = build_model if given.model is None else as_it_is(given.model)
    flow = given.flow or plan.flow
    parts = build_parts(plan.model, flow=flow, lowest_score=plan.finishing.lowest_score, build=build)
    runs: list[Run] = []
    with ExitStack() as stack:
        source = given.source
        if source is None:
            source = opened = _open(plan)
            opened.__enter__()
            stack.callback(lambda: None if runs and runs[0].is_reading else opened.__exit__(None, None, None))
        facts = run_facts(plan, source.info, parts)
        sinks = [
            open_sink(
                output,
                info=source.info,
                categories=parts.built.model.categories,
                run=facts,
                task=plan.task,
                options=plan.writing,
                source=source,
                roll=plan.roll,
            )
            for output in plan.outputs
        ]
        with Run(plan, source, [*sinks, *given.sinks], parts=parts, claims=claims) as run:
            runs.append(run)
            yield run


def _open(plan: Plan) -> Source:
    span = plan.span
    opening = partial(
        open_source,
        plan.source,
        start=span.start,
        end=span.end,
        stream=plan.stream,
        max_pixels=plan.max_pixels,
        image_rate=plan.fps or DEFAULT_RATE,
    )
    return aside(opening) if may_stall(plan.source) else opening()


def as_it_is(model: BuiltModel) -> Callable[..., BuiltModel]:
    """A builder of what is built."""
    return lambda *_names, **_options: model


def annotate(
    config: RunConfig,
    *,
    on_start: Callable[[SourceInfo, BuiltModel], None] = lambda _info, _built: None,
    on_frame: Callable[[FrameResult, Progress], None] = lambda _result, _progress: None,
) -> RunReport:
    """Annotate one source to its end.

    Args:
        config: what to do.
        on_start: told of the source and the model before the first frame.
        on_frame: told of every frame as it is done.

    Raises:
        DFFError: anything the user can act on. If the source broke in the middle, what was decoded before is written,
            and the report says so.
    """
    with started(plan(config)) as run:
        on_start(run.source.info, run.parts.built)
        for result in run:
            on_frame(result, run.progress)
    return run.report


class _Ending:
    """The frames of a source up to where it breaks; the error is kept for later, so that nothing decoded is lost."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.error: VideoDecodeError | None = None

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self._frames
        except VideoDecodeError as error:
            self.error = error


def is_two_sided(plan: Plan, info: SourceInfo) -> bool:
    """Whether frames between two key frames are reached from both: a live source cannot be waited for."""
    return not (plan.causal or info.is_live)


def open_journal(plan: Plan, info: SourceInfo, parts: Parts) -> Journal:
    """The journal of a run; one without outputs, and a source that cannot be read again, have none.

    Raises:
        InputError: asked to resume a live source, or a run with other settings.
    """
    if info.is_live and plan.resume:
        raise InputError(f"{plan.source}: a live source cannot be resumed")
    if info.is_live or not plan.named_outputs or not plan.source or plan.roll is not None:
        return Journal(None, {}, resume=False, name=plan.source)
    loaded = {"weights loaded": parts.built.weights_description, "device": parts.device, "flow": parts.flow.name}
    output = plan.named_outputs[0].path
    return Journal(journal_path(output), plan.identity | loaded, resume=plan.resume, name=output)


def expected_frames(info: SourceInfo, *, start: Fraction | None, end: Fraction | None) -> int | None:
    """How many frames will come, as far as the source can be believed; None where it does not say."""
    if start is None and end is None:
        return info.frame_count
    if info.average_rate is None or (end is None and info.duration_seconds is None):
        return None
    last = min(value for value in (end, info.duration_seconds) if value is not None)
    return max(0, round((last - (start or 0)) * info.average_rate))


def run_facts(plan: Plan, info: SourceInfo, parts: Parts) -> RunFacts:
    """What every output says of the run that wrote it."""
    settings = plan.settings(flow=parts.flow.name, two_sided=is_two_sided(plan, info))
    built = parts.built
    return RunFacts(built.model.name, built.weights_description, built.is_random, settings)
