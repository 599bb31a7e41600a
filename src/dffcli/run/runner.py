"""One run: from a `RunConfig`, through source, engine and sinks, to a `RunReport`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch

from dffcli.categories import Category
from dffcli.core.agreement import SURE_SCORE
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator, Schedule, SparesLowScores
from dffcli.core.schedule import MAX_INTERVAL, PATIENCE, Adaptive, FixedInterval
from dffcli.core.timing import Stopwatch, TimedFlow, TimedModel, TimedWarp
from dffcli.core.types import Frame, FrameResult, Prediction, SegmentationMap, SourceInfo, Task
from dffcli.errors import InputError, ModelError, VideoDecodeError
from dffcli.flow import build_flow
from dffcli.flow.measured import MeasuredFlow
from dffcli.formats.registry import output_formats
from dffcli.formats.sink import OutputOptions, RunFacts, Sink, check_outputs
from dffcli.models.registry import BuiltModel, Weights, build_model, find_entry
from dffcli.run.journal import Journal, journal_path
from dffcli.run.report import RunReport, Tally
from dffcli.run.resume import continued, record_of, run_identity
from dffcli.run.sinks import open_sink
from dffcli.video.prefetch import prefetch, queue_depth, write_behind
from dffcli.video.reader import open_source
from dffcli.video.source import MAX_PIXELS

DEFAULT_MODELS = {Task.DETECT: "street-det", Task.SEGMENT: "street-seg"}
DEFAULT_FLOW = "dis"
DEFAULT_INTERVAL = 10  # frames; the paper's for detection
UNLABELLED = 255  # category id of a pixel whose class was not asked for


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a user asked for.

    Attributes:
        source: video file, folder or glob of images, camera index, or address of a stream.
        outputs: files and folders to write; their kinds follow from their names.
        task: what to answer on every frame.
        model: as `dff models` lists it; the task's default if None.
        weights: which weights to load.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        runtime: what runs the feature network, one of `dffcli.models.weights.runtimes.RUNTIMES`.
        schedule: how key frames are chosen.
        key_interval: frames between key frames of the fixed schedule.
        max_interval: frames between key frames of the adaptive schedule at most.
        causal: never look ahead, even in a file.
        flow: as `dffcli.flow.FLOWS` lists it; the model's own, or "dis", if None.
        score_threshold: detections below it are dropped, 0..1.
        classes: names of the categories to keep; all if empty.
        start, end: part of the source to take, in seconds.
        max_pixels: refuse larger pictures.
        track: give each object one id through the video.
        resume: go on where an interrupted run with the same settings stopped.
        output: how to draw and encode.
    """

    source: str
    outputs: tuple[str, ...]
    task: Task
    model: str | None = None
    weights: Weights = "default"
    device: str = "auto"
    runtime: str = "torch"
    schedule: Literal["fixed", "adaptive"] = "adaptive"
    key_interval: int = DEFAULT_INTERVAL
    max_interval: int = MAX_INTERVAL
    causal: bool = False
    flow: str | None = None
    score_threshold: float = 0.5
    classes: tuple[str, ...] = ()
    start: Fraction | None = None
    end: Fraction | None = None
    max_pixels: int = MAX_PIXELS
    track: bool = False
    resume: bool = False
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    frames: int
    key_frames: int
    expected_frames: int | None


def annotate(
    config: RunConfig,
    *,
    on_start: Callable[[SourceInfo, BuiltModel], None] = lambda _info, _built: None,
    on_frame: Callable[[FrameResult, Progress], None] = lambda _result, _progress: None,
) -> RunReport:
    """Annotate one source.

    Args:
        config: what to do.
        on_start: told of the source and the model before the first frame.
        on_frame: told of every frame as it is done.

    Returns:
        What it cost and what was seen.

    Raises:
        DFFError: anything the user can act on. If the source broke in the middle, what was decoded before is written,
            and the error says so.
    """
    output_formats(config.outputs, format=config.output.format)
    goes_on = config.resume and journal_path(config.outputs[0]).is_file()  # what is there, this very run has written
    check_outputs(config.outputs, source=config.source, overwrite=config.output.overwrite or goes_on)
    entry = find_entry(config.model or DEFAULT_MODELS[config.task], task=config.task)
    device = resolve_device(config.device)
    built = build_model(entry.name, weights=config.weights, device=device)
    if config.runtime != "torch":
        from dffcli.models.weights.runtimes import use_runtime

        use_runtime(built.model, config.runtime, device=device)
    flow = choose_flow(config.flow, built, device=device)
    keep = finisher(config, built.model.categories)
    if isinstance(built.model, SparesLowScores) and not config.track:  # tracks are kept alive by low scores
        built.model.lowest_score = min(config.score_threshold, SURE_SCORE)  # what the schedule compares
    watch = Stopwatch()
    tally = Tally()
    broke: VideoDecodeError | None = None
    started = perf_counter()
    with ExitStack() as stack:
        source = stack.enter_context(
            open_source(config.source, start=config.start, end=config.end, max_pixels=config.max_pixels)
        )
        two_sided = not (config.causal or source.info.is_live)
        facts = run_facts(config, built, flow, two_sided=two_sided)
        journal = stack.enter_context(open_journal(config, source.info, facts, device=device))
        sinks: list[Sink] = [
            stack.enter_context(
                open_sink(
                    path,
                    info=source.info,
                    task=config.task,
                    categories=built.model.categories,
                    has_masks=entry.gives_masks,
                    run=facts,
                    options=config.output,
                )
            )
            for path in config.outputs
        ]

        def draw_and_encode(result: FrameResult) -> None:
            with watch.time("draw and encode"):
                for sink in sinks:
                    sink.write(result)

        depth = queue_depth(source.info.size)
        write = stack.enter_context(write_behind(draw_and_encode, depth=depth))

        def note_down(result: FrameResult) -> None:
            journal.add(record_of(result, with_displacement=config.track))

        note = stack.enter_context(write_behind(note_down, depth=depth))
        ahead = stack.enter_context(prefetch(watch.iterate(source, "decode"), depth=depth))
        on_start(source.info, built)
        schedule = make_schedule(config)
        schedule.recall(journal.resumed_memory)
        engine = Engine(TimedModel(built.model, watch), TimedFlow(flow, watch), schedule, two_sided, TimedWarp(watch))
        ending = _Ending(ahead)
        expected = expected_frames(source.info, start=config.start, end=config.end)
        for result in continued(ending, engine.run, journal=journal):
            if result.frame.index >= journal.resumed_index:
                note(result)
            kept = keep(result)
            write(kept)
            tally.add(kept)
            on_frame(kept, Progress(tally.frames, tally.key_frames, expected))
        broke = ending.error
        if broke is not None and tally.frames == 0:
            raise broke
    return RunReport.of(
        tally,
        watch,
        seconds=perf_counter() - started,
        notes=(*source.notes.lines(), *(line for sink in sinks for line in sink.notes), *journal.notes),
        broke=None if broke is None else str(broke),
        settings={"model": facts.model, "weights": facts.weights, "random_weights": facts.is_random, **facts.settings},
    )


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


def resolve_device(name: str) -> str:
    """The device to run on: "auto" takes a GPU if there is one.

    Raises:
        ModelError: the device is not here.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next((kind for kind in ("cuda", "mps") if available[kind]), "cpu")
    kind, _, number = name.partition(":")
    if kind not in available or (number and not number.isdigit()):
        raise ModelError(f"device {name!r}: expected auto, cpu, cuda, cuda:N or mps")
    if not available[kind] or (kind == "cuda" and int(number or 0) >= torch.cuda.device_count()):
        here = ", ".join(kind for kind, is_here in available.items() if is_here)
        raise ModelError(f"device {name!r} is not here: this machine has {here}")
    return name


def choose_flow(name: str | None, built: BuiltModel, *, device: str) -> FlowEstimator:
    """The flow that was asked for; else the one the model was trained with; else DIS."""
    if name is None and built.flow is not None:
        return MeasuredFlow(built.flow)
    return named_flow(name or DEFAULT_FLOW, device=device)


def named_flow(name: str, *, device: str) -> FlowEstimator:
    """The flow estimator of that name, with its weights if it is a network."""
    if not name.startswith("raft"):
        return build_flow(name, device=device)
    from dffcli.models.torchvision.flows import load_raft

    return build_flow(name, device=device, load=load_raft)


def make_schedule(config: RunConfig) -> Schedule:
    """A fresh schedule, as configured."""
    if config.schedule == "fixed":
        return FixedInterval(config.key_interval)
    shortest = min(2, config.max_interval)
    return Adaptive(PATIENCE[config.task], max_interval=config.max_interval, min_interval=shortest)


def finisher(config: RunConfig, categories: tuple[Category, ...]) -> Callable[[FrameResult], FrameResult]:
    """What is done to each result, in frame order, before it is written: tracks, wanted classes and scores.

    Raises:
        ModelError: as `keeper`.
    """
    keep = keeper(categories, classes=config.classes, score_threshold=config.score_threshold)
    if not config.track:
        return keep
    from dffcli.run.tracking import Tracker  # its library takes half a second to import

    tracker = Tracker(score_threshold=config.score_threshold)  # drops low scores itself, but for tracks' sake
    keep_classes = keeper(categories, classes=config.classes, score_threshold=0.0)
    return lambda result: tracker.update(keep_classes(result))


def keeper(
    categories: tuple[Category, ...], *, classes: tuple[str, ...], score_threshold: float
) -> Callable[[FrameResult], FrameResult]:
    """What drops the results that were not asked for.

    Raises:
        ModelError: a class is not among the model's, or the threshold is not a score.
    """
    if not 0 <= score_threshold <= 1:
        raise ModelError(f"score threshold: expected 0 to 1, got {score_threshold:g}")
    ids = {category.name: category.id for category in categories}
    for name in classes:
        if name not in ids:
            near = get_close_matches(name, ids, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(ids)}"
            raise ModelError(f"class {name!r} is not one the model knows: {hint}")
    wanted = np.array(sorted(ids[name] for name in classes), dtype=np.int64)
    table = np.full(256, UNLABELLED, np.uint8)
    table[wanted] = wanted

    def keep(prediction: Prediction) -> Prediction:
        if isinstance(prediction, SegmentationMap):
            return SegmentationMap(table[prediction.category_ids]) if classes else prediction
        rows = prediction.scores >= score_threshold
        if classes:
            rows &= np.isin(prediction.category_ids, wanted)
        return prediction if rows.all() else prediction.select(rows)

    return lambda result: replace(result, prediction=keep(result.prediction))


def open_journal(config: RunConfig, info: SourceInfo, facts: RunFacts, *, device: str) -> Journal:
    """The journal of this run; a live source, which cannot be read again, has none.

    Raises:
        InputError: asked to resume a live source, or a run with other settings.
    """
    if info.is_live:
        if config.resume:
            raise InputError(f"{config.source}: a live source cannot be resumed")
        return Journal(None, {}, resume=False, name=config.source)
    settings = {"model": facts.model, "weights": facts.weights, "device": device, **facts.settings}
    files = [Path(config.source)] if Path(config.source).exists() else []
    if isinstance(config.weights, Path):
        files.append(config.weights)
    identity = run_identity(info, settings, files=files)
    output = config.outputs[0]
    return Journal(journal_path(output), identity, resume=config.resume, name=output)


def expected_frames(info: SourceInfo, *, start: Fraction | None, end: Fraction | None) -> int | None:
    """How many frames will come, as far as the source can be believed; None where it does not say."""
    if start is None and end is None:
        return info.frame_count
    if info.average_rate is None or (end is None and info.duration_seconds is None):
        return None
    last = min(value for value in (end, info.duration_seconds) if value is not None)
    return max(0, round((last - (start or 0)) * info.average_rate))


def run_facts(config: RunConfig, built: BuiltModel, flow: FlowEstimator, *, two_sided: bool) -> RunFacts:
    """What every output says of the run that wrote it."""
    fixed = config.schedule == "fixed"
    settings: dict[str, Any] = {
        "task": str(config.task),
        "schedule": f"fixed, every {config.key_interval}" if fixed else f"adaptive, at most {config.max_interval}",
        "propagation": "two-sided" if two_sided else "causal",
        "flow": flow.name,
        "runtime": config.runtime,
        "classes": list(config.classes),
        "start_seconds": None if config.start is None else str(config.start),
        "end_seconds": None if config.end is None else str(config.end),
    }
    if config.task is Task.DETECT:
        settings["score_threshold"] = config.score_threshold
        settings["track"] = config.track
    return RunFacts(
        model=built.model.name, weights=built.weights_description, is_random=built.is_random, settings=settings
    )
