"""One call from Python: names or objects for every part of a run, results as they come."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from dffcli.core.info import ModelInfo
from dffcli.core.protocols import FlowEstimator, Schedule, VideoModel
from dffcli.core.show import brief
from dffcli.core.task import Task
from dffcli.core.types import Frame, FrameResult, UInt8Array
from dffcli.errors import ModelError, SettingError, VideoOpenError
from dffcli.formats.sink import OutputOptions, Sink
from dffcli.models.registry import BuiltModel, Weights, find_entry
from dffcli.run.config import RunConfig
from dffcli.run.plan import Plan, PlannedSchedule, plan
from dffcli.run.report import RunReport
from dffcli.run.runner import Given, Run, started
from dffcli.video.arrays import ArraySource
from dffcli.video.clock import DEFAULT_RATE
from dffcli.video.source import Source

MODEL_PARTS = ("name", "task", "categories", "prepare", "features", "head")
SOURCE_PARTS = ("info", "notes", "tracks", "stop", "__iter__")
TICKS = 90_000  # to a second, to which times and rates are taken


class Results:
    """The results of a run, one for every frame, as they are computed; to be iterated once.

    Outputs get their names when the last frame is done. Leaving the loop before, or `close()`, leaves none.
    """

    def __init__(self, planned: Plan, given: Given) -> None:
        self._run: Run | None = None
        self._results = self._iterate(planned, given)

    def __iter__(self) -> Iterator[FrameResult]:
        """The results."""
        return self._results

    def __next__(self) -> FrameResult:
        return next(self._results)

    def close(self) -> None:
        """Stop here."""
        self._results.close()

    @property
    def report(self) -> RunReport:
        """What the run cost and what was seen, at its end; whatever is left of it is run first."""
        for _ in self._results:
            pass
        if self._run is None:
            raise RuntimeError("the run never began")
        return self._run.report

    def _iterate(self, planned: Plan, given: Given) -> Generator[FrameResult, None, None]:
        with started(planned, given) as run:
            self._run = run
            yield from run


def run(
    source: str | Path | Source | Iterable[Frame | UInt8Array],
    *,
    model: str | VideoModel | BuiltModel,
    flow: str | FlowEstimator | None = None,
    schedule: int | str | Schedule = 10,
    outputs: str | Path | Sink | Sequence[str | Path | Sink] = (),
    weights: Weights | str = "default",
    device: str = "auto",
    runtime: str = "torch",
    score_threshold: float = 0.5,
    classes: Sequence[str] = (),
    track: bool = False,
    start: Fraction | float | None = None,
    end: Fraction | float | None = None,
    causal: bool = False,
    resume: bool = False,
    fps: Fraction | float | None = None,
    writing: OutputOptions | None = None,
) -> Results:
    """Annotate a source: a result for every frame, and outputs if any are named.

    Args:
        source: what the command line takes, an open source, or pictures: `Frame`s or RGB arrays `[H, W, 3]` uint8.
        model: a name as `dffcli.list_models()` gives them, or an object: a `dffcli.Model`, what
            `dffcli.build_model()` gives, anything with the methods of a `VideoModel`.
        flow: a name, or an object with `estimate`; None takes the model's own, or DIS.
        schedule: frames between key frames, "adaptive", or an object such as `dffcli.FixedInterval(10)`.
        outputs: where to write, as `-o` takes it; or sinks, objects that are entered, written to and left.
        weights: of a model that is named.
        device: where it runs.
        runtime: what runs its feature network.
        score_threshold: detections below it are dropped, 0..1.
        classes: names of the classes to keep; all if empty.
        track: give each object one id through the video.
        start: of the part of the source that is taken, in seconds.
        end: of that part.
        causal: never look ahead.
        resume: go on where an interrupted run with the same settings stopped.
        fps: frames per second of pictures without times of their own; 25 if None.
        writing: how outputs are written.

    Returns:
        The results, to be iterated; its `report` says at the end what the run cost.

    Raises:
        DFFError: anything that can be said before the first frame; the rest comes while iterating.
    """
    info, built = _model(model)
    named, sinks = _outputs(outputs)
    given = None if isinstance(source, str | Path) else _source(source, fps=_exact(fps) or DEFAULT_RATE)
    if given is not None and (start is not None or end is not None):
        raise SettingError("start and end are for sources that are named; take the part you want of the others")
    own = [part for part in (built, given, flow, schedule) if not isinstance(part, str | int | None)]
    if resume and own:
        raise SettingError(f"resume: expected names for every part, got {brief(own[0])}: it may not be what it was")
    config = RunConfig(
        source=str(source) if given is None else "",
        outputs=named,
        task=info.task,
        model=info.name,
        weights=weights if weights in ("default", "random") else Path(weights),
        device=device,
        runtime=runtime,
        score_threshold=score_threshold,
        classes=tuple(classes),
        track=track,
        start=_exact(start),
        end=_exact(end),
        fps=_exact(fps),
        key_interval=schedule if isinstance(schedule, int) else None,
        schedule=schedule if isinstance(schedule, str) else None,
        causal=causal,
        flow=flow if isinstance(flow, str) else None,
        output=writing or OutputOptions(),
        resume=resume,
    )
    planned = plan(config, info=info)
    if not isinstance(schedule, int | str):
        planned = replace(planned, schedule=PlannedSchedule(own=schedule))
    parts = Given(given, built, None if isinstance(flow, str) else flow, sinks)
    return Results(planned, parts)


def _model(model: Any) -> tuple[ModelInfo, BuiltModel | None]:
    """What is known of a model, and the model itself where it is given.

    Raises:
        ModelError: it is neither a known name nor a model.
    """
    if isinstance(model, str):
        return find_entry(model).info, None
    built = model if isinstance(model, BuiltModel) else BuiltModel(model, "its own")
    missing = [
        name for name in ("name", "task", "categories", "prepare", "features", "head") if not hasattr(built.model, name)
    ]
    if missing:
        raise ModelError(f"model: expected a name or a model, got {brief(model)} without {', '.join(missing)}")
    network: Any = built.model
    masks, runtimes = getattr(network, "gives_masks", False), hasattr(network, "feature_network")
    return ModelInfo(network.name, Task(network.task), tuple(network.categories), masks, runtimes), built


def _outputs(outputs: Any) -> tuple[tuple[str, ...], tuple[Sink, ...]]:
    """Names and sinks apart.

    Raises:
        SettingError: one is neither.
    """
    every = [outputs] if isinstance(outputs, str | Path) or hasattr(outputs, "write") else list(outputs)
    sinks = tuple(output for output in every if not isinstance(output, str | Path))
    for sink in sinks:
        if not all(hasattr(sink, name) for name in ("write", "__enter__", "__exit__")):
            raise SettingError(f"outputs: expected names, or sinks with write() and a context, got {brief(sink)}")
    return tuple(str(output) for output in every if isinstance(output, str | Path)), sinks


def _source(source: Any, *, fps: Fraction) -> Source:
    """An open source as it is; pictures as one.

    Raises:
        VideoOpenError: it is none, or the first picture is none.
    """
    if all(hasattr(source, name) for name in SOURCE_PARTS):
        return cast(Source, source)
    if not isinstance(source, Iterable):
        raise VideoOpenError(f"source: expected a name, a source or pictures, got {brief(source)}")
    return ArraySource(source, fps=fps)


def _exact(value: Fraction | float | None) -> Fraction | None:
    return None if value is None else Fraction(value).limit_denominator(TICKS)
