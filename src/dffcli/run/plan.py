"""Everything a run will do, decided and checked before anything heavy is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dffcli.core.defaults import MAX_INTERVAL, TARGET
from dffcli.core.info import ModelInfo
from dffcli.core.protocols import Schedule
from dffcli.core.schedule import FixedInterval, TargetAgreement
from dffcli.core.task import Task
from dffcli.errors import ModelError, OutputError, SettingError
from dffcli.files.check import check_outputs
from dffcli.flow import check_flow
from dffcli.formats.registry import check_fit, check_options, is_folder, output_formats
from dffcli.formats.sink import OutputOptions
from dffcli.models.registry import DEFAULT_MODELS, RUNTIMES, Weights, find_entry
from dffcli.models.weights.recognise import recognise
from dffcli.option import option_of
from dffcli.run.config import DEFAULT_INTERVAL, RunConfig
from dffcli.run.identity import identity_of
from dffcli.run.journal import journal_path, outputs_written
from dffcli.run.postprocess import PostProcessing, TrackSettings
from dffcli.run.standard import LINES, STANDARD_OUTPUT, VIDEOS, standard_format
from dffcli.video.reader import files_read
from dffcli.video.source import Span

DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """The network of a run.

    Attributes:
        info: what is known of it.
        weights: which are loaded.
        class_names: of its classes, for weights of somebody's own.
        device: where it is asked to run; "auto" is decided once torch is there.
        runtime: what runs its feature network.
    """

    info: ModelInfo
    weights: Weights
    device: str
    runtime: str
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedSchedule:
    """Who will be a key frame.

    Attributes:
        key_interval: frames between key frames of the fixed one; None is the adaptive one.
        target: share of per-frame results that the adaptive one keeps.
        max_interval: frames between its key frames at most.
        max_cost: it never costs more than a key frame every so many frames.
        own: a schedule that was given as it is, instead of all these.
    """

    key_interval: int | None = None
    target: float = TARGET
    max_interval: int = MAX_INTERVAL
    max_cost: int = 1
    own: Schedule | None = None

    @property
    def words(self) -> str:
        """For people."""
        if self.own is not None:
            return repr(self.own)
        if self.key_interval is not None:
            return f"fixed, every {self.key_interval}"
        least = f"{self.max_cost} to " if self.max_cost > 1 else "at most "
        return f"agreement {self.target:g}, {least}{self.max_interval}"

    def make(self) -> Schedule:
        """A fresh one, as schedules remember; one that was given, as it is."""
        if self.own is not None:
            return self.own
        if self.key_interval is not None:
            return FixedInterval(self.key_interval)
        return TargetAgreement(self.target, self.max_interval, max_cost=self.max_cost)


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """One output: where, and in which format."""

    path: str
    format: str

    @property
    def is_folder(self) -> bool:
        """It is a folder, else a file."""
        if self.path == STANDARD_OUTPUT:
            return False
        return is_folder(self.path, self.format)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that can be carried out.

    Attributes:
        source: what is read.
        span: the part of it.
        stream: number of the video stream; None for the one that is meant.
        fps: frames per second of images without times; None for the usual.
        max_pixels: larger pictures are refused.
        model: the network.
        flow: name or file of the flow; None takes the model's own, or DIS.
        schedule: who is a key frame.
        causal: never look ahead.
        finishing: what is done to each result.
        outputs: what is written.
        finished: final places that the interrupted run has filled: they may be replaced.
        report: where what the run cost is written.
        writing: how.
        roll: seconds after which new files begin; None for one file.
        resume: go on where an interrupted run stopped.
        identity: what another run must agree in to go on with this one.
    """

    source: str
    span: Span
    stream: int | None
    fps: Fraction | None
    max_pixels: int
    model: PlannedModel
    flow: str | None
    schedule: PlannedSchedule
    causal: bool
    finishing: PostProcessing
    outputs: tuple[PlannedOutput, ...]
    finished: tuple[Path, ...]
    report: Path | None
    writing: OutputOptions
    roll: Fraction | None
    resume: bool
    identity: dict[str, Any]

    @property
    def task(self) -> Task:
        """What is answered on every frame."""
        return self.model.info.task

    @property
    def named_outputs(self) -> tuple[PlannedOutput, ...]:
        """The outputs that are files and folders."""
        return tuple(output for output in self.outputs if output.path != STANDARD_OUTPUT)

    def settings(self, *, flow: str, two_sided: bool) -> dict[str, Any]:
        """The options that shaped the results, as outputs and reports say them.

        Args:
            flow: name of the estimator.
            two_sided: frames were reached from both sides.
        """
        start, end = self.span.start, self.span.end
        settings: dict[str, Any] = {
            "task": str(self.task),
            "schedule": self.schedule.words,
            "propagation": "two-sided" if two_sided else "causal",
            "flow": flow,
            "runtime": self.model.runtime,
            "classes": list(self.finishing.classes),
            "start_seconds": None if start is None else str(start),
            "end_seconds": None if end is None else str(end),
        }
        settings |= {} if self.stream is None else {"stream": self.stream}
        settings |= {} if self.fps is None else {"frames_per_second_of_images": str(self.fps)}
        if self.task is Task.DETECT:
            settings["score_threshold"] = self.finishing.score_threshold
            settings["track"] = self.finishing.track
            settings |= self.finishing.tracks.words
        return settings


def plan(config: RunConfig, *, info: ModelInfo | None = None) -> Plan:
    """Decide and check everything that can be before torch is loaded. Nothing is read but the files that are named.

    Args:
        config: what is asked for.
        info: of the model, where it is not one of the registry.

    Raises:
        SettingError: settings contradict each other.
        ModelError: an unknown model, flow, class, device or runtime, or a model for another task.
        OutputError: an output that cannot be written, or not from this model.
        InputError: the part that is asked for makes no sense.
    """
    _check_task(config)
    config = _decided(config)
    info = info or find_entry(config.model or "", task=config.task).info
    named, formats = planned_formats(config)
    if config.roll is not None and (config.resume or len(named) < len(config.outputs)):
        what = "a run in parts cannot be resumed" if config.resume else "standard output has no parts"
        raise SettingError(f"--roll: {what}")
    finished: list[Path] = []
    if config.resume and named:
        finished = outputs_written(journal_path(named[0]), name=named[0])
    written: list[Path | str] = [*named, *([] if config.report is None else [config.report])]
    inputs = [*files_read(config.source), config.weights, config.flow]
    check_outputs(written, inputs=inputs, overwrite=config.output.overwrite, ours=finished)
    outputs = tuple(PlannedOutput(*pair) for pair in zip(config.outputs, formats, strict=True))
    for output in outputs:
        if output.path == STANDARD_OUTPUT:
            continue
        check_fit(output.path, output.format, task=info.task, has_masks=info.gives_masks, model=info.name)
    check_options(((output.path, output.format) for output in outputs), config.output)
    if DEVICES.fullmatch(config.device) is None:
        raise ModelError(f"device {config.device!r}: expected auto, cpu, cuda, cuda:N or mps")
    if config.runtime not in RUNTIMES:
        raise ModelError(f"unknown runtime {config.runtime!r}: expected one of {', '.join(RUNTIMES)}")
    if config.runtime != "torch" and not info.takes_runtimes:
        raise ModelError(f"{info.name}: runs on torch only, not on {config.runtime}")
    if config.flow is not None:
        check_flow(config.flow)
    finishing = PostProcessing(
        config.score_threshold,
        config.classes,
        config.track,
        tracks=TrackSettings(config.min_track, config.fill_gaps, config.smooth),
    )
    if not isinstance(config.weights, Path):  # a trained network brings classes of its own
        finishing.check(info.categories)
    return Plan(
        source=config.source,
        span=Span(config.start, config.end),
        stream=config.stream,
        fps=config.fps,
        max_pixels=config.max_pixels,
        model=PlannedModel(info, config.weights, config.device, config.runtime, config.class_names),
        flow=config.flow,
        schedule=_schedule_of(config),
        causal=config.causal,
        finishing=finishing,
        outputs=outputs,
        finished=tuple(finished),
        report=config.report,
        writing=config.output,
        roll=config.roll,
        resume=config.resume,
        identity=identity_of(config) if named else {},
    )


def _recognised(config: RunConfig) -> str | None:
    """The network that the weights are of, where no model is named."""
    return recognise(config.weights) if isinstance(config.weights, Path) else None


def planned_formats(config: RunConfig) -> tuple[list[str], list[str]]:
    """The outputs that have a name, and the format of every output.

    Raises:
        OutputError: an output asks for nothing known, or standard output is named twice.
    """
    named = tuple(path for path in config.outputs if path != STANDARD_OUTPUT)
    if len(config.outputs) - len(named) > 1:
        raise OutputError("standard output: named twice as an output")
    format = config.output.format
    is_for_standard = len(named) < len(config.outputs) and format in (LINES, *VIDEOS)
    found = dict(
        zip(named, output_formats(named, format=None if is_for_standard else format) if named else [], strict=True)
    )
    own = format if is_for_standard or not named else None
    formats = [standard_format(own) if path == STANDARD_OUTPUT else found[path] for path in config.outputs]
    return list(named), formats


def _schedule_of(config: RunConfig) -> PlannedSchedule:
    if config.key_interval is not None:
        return PlannedSchedule(config.key_interval)
    return PlannedSchedule(
        None, config.target_agreement or TARGET, config.max_interval or MAX_INTERVAL, config.max_cost or 1
    )


def _check_task(config: RunConfig) -> None:
    """Refuse options of another task.

    Raises:
        SettingError: there is one that differs from its default.
    """
    for field in fields(config):
        found = option_of(field)
        if found is not None and found.task not in (None, config.task) and getattr(config, field.name) != field.default:
            raise SettingError(f"{field.name.replace('_', ' ')}: is for {found.task}, not for {config.task}")


def _decided(config: RunConfig) -> RunConfig:
    """The same run with nothing left open that can be known now: two ways to ask for it are one and the same.

    Raises:
        SettingError: settings contradict each other.
    """
    interval, longest, target = config.key_interval, config.max_interval, config.target_agreement
    if config.schedule == "adaptive" and interval is not None:
        raise SettingError("--key-interval is for the fixed schedule; with adaptive use --target-agreement")
    fixed = config.schedule == "fixed" or interval is not None
    if fixed and target is not None:
        raise SettingError("--target-agreement is for the adaptive schedule; with fixed use --key-interval")
    if fixed and config.max_cost is not None:
        raise SettingError("--max-cost is for the adaptive schedule; with fixed use --key-interval")
    if config.max_cost is not None and config.max_cost > (longest or MAX_INTERVAL):
        raise SettingError(f"--max-cost: expected at most --max-interval, {longest or MAX_INTERVAL}")
    if fixed and longest is not None:
        raise SettingError("--max-interval is for the adaptive schedule; with fixed use --key-interval")
    if config.start is not None and config.end is not None and config.start >= config.end:
        found = f"{float(config.start):g} and {float(config.end):g} seconds"
        raise SettingError(f"expected --start before --end, got {found}")
    return replace(
        config,
        model=config.model or _recognised(config) or DEFAULT_MODELS[config.task],
        schedule="fixed" if fixed else "adaptive",
        key_interval=(interval or DEFAULT_INTERVAL) if fixed else None,
        target_agreement=None if fixed else (target or TARGET),
        max_interval=None if fixed else (longest or MAX_INTERVAL),
    )
