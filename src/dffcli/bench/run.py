"""One comparison: every variant over the same frames, in turns, judged against per-frame evaluation."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from dffcli.bench.lanes import NetworkLane, PipelineLane
from dffcli.bench.machine import describe_machine
from dffcli.bench.memory import measure_memory
from dffcli.bench.plan import BenchPlan, Variant, turn_length
from dffcli.bench.result import (
    FILE_STAGES,
    NETWORK_STAGES,
    PROPAGATED_STAGES,
    BenchResult,
    Latency,
    Speed,
    VariantResult,
)
from dffcli.bench.shelf import Shelf
from dffcli.bench.worst import Worst
from dffcli.core.agreement import disagreement
from dffcli.core.defaults import MAX_INTERVAL, TARGET
from dffcli.core.estimate import Estimate
from dffcli.core.info import ModelInfo
from dffcli.core.schedule import MAX_WAITING, FixedInterval
from dffcli.core.types import Frame, FrameResult, Stretch, Task
from dffcli.errors import DataError, InputError, ModelError
from dffcli.evaluation.judge import Judge, make_judge
from dffcli.evaluation.truth import Truth, read_truth
from dffcli.models.registry import BuiltModel, build_model, model_entries
from dffcli.run.config import RunConfig
from dffcli.run.parts import Parts, build_parts, choose_flow, resolve_device
from dffcli.run.plan import PlannedModel
from dffcli.run.plan import plan as plan_run
from dffcli.run.postprocess import PostProcessing
from dffcli.video.reader import open_source

WARM_UP = 3  # frames, the middle one propagated
MEMORY_BEGINS = 0.8  # of the whole: a process for each variant, which takes seconds to start


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is: what it does now, and how much of the work is done, 0..1."""

    doing: str
    done: float


def part_of(on_progress: Callable[[Progress], None], begin: float, end: float) -> Callable[[Progress], None]:
    """Progress of a part that lasts from `begin` to `end` of the whole."""
    return lambda progress: on_progress(replace(progress, done=begin + (end - begin) * progress.done))


@dataclass(slots=True)
class _Contender:
    """A variant with all that runs and judges it."""

    variant: Variant
    parts: Parts
    network: NetworkLane
    pipeline: PipelineLane | None
    agreement: Judge
    accuracy: Judge | None
    worst: Worst
    network_seconds: list[float] = field(default_factory=list)
    pipeline_seconds: list[float] = field(default_factory=list)
    key_frames: int = 0
    stretches: list[Stretch] = field(default_factory=list)
    wrong: float = 0.0  # against per-frame evaluation, and of how much
    total: float = 0.0

    @property
    def weight(self) -> float:
        """About how much work it is, for the progress."""
        return 1 / (self.variant.interval or 8) + 0.15


def bench(
    plan: BenchPlan,
    *,
    build: Callable[..., BuiltModel] = build_model,
    worst: int = 0,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> BenchResult:
    """Compare the variants of a plan.

    Args:
        plan: what to compare.
        build: makes a model from its name, as `dffcli.models.registry.build_model`.
        worst: how many of each variant's worst frames are kept as pictures.
        on_progress: told after every turn.

    Raises:
        DFFError: anything the user can act on.
    """
    if not plan.models:
        raise ModelError("expected at least one model to compare with itself")
    device = resolve_device(plan.device)
    whole = on_progress
    on_progress = part_of(whole, 0.0, MEMORY_BEGINS if plan.memory else 1.0)
    on_progress(Progress("building the networks", 0.0))
    parts = {name: _build(name, plan, build) for name in plan.models}
    built = {name: one.built for name, one in parts.items()}
    with ExitStack() as stack:
        source = stack.enter_context(open_source(plan.source))
        if source.info.is_live:
            raise InputError(f"{plan.source}: a live source cannot be read twice; record a clip and compare on that")
        plan, turn, shelf, notes = _fit(plan, iter(source), name=source.info.name)
        truth = None if plan.ground_truth is None else read_truth(plan.ground_truth, video=source.info.name)
        race = _Race(stack, plan, parts, shelf, truth, worst=worst)
        on_progress(Progress("warming up", 0.0))
        race.warm_up()
        turns = race.run(turn, on_progress)
        results = race.results(turn)
    if truth is not None and not any(result.accuracy for result in results):
        raise DataError(f"{truth.path}: labels none of the first {turns * turn + 1} frames of {source.info.name}")
    if plan.memory:
        results = _with_memory(plan, results, built, part_of(whole, MEMORY_BEGINS, 1.0))
    return BenchResult(
        source=source.info.name,
        size=source.info.size,
        frames=turns * turn,
        turns=turns,
        variants=tuple(results),
        machine=describe_machine(device, runtime=plan.runtime),
        weights={name: model.weights_description for name, model in built.items()},
        random_models=tuple(name for name, model in built.items() if model.is_random),
        notes=(*notes, *source.notes.lines()),
    )


def _build(name: str, plan: BenchPlan, build: Callable[..., BuiltModel]) -> Parts:
    """A model as it is shipped: detections that nobody sees are not worked on."""
    info = model_entries()[name].info if name in model_entries() else ModelInfo(name, plan.task or Task.SEGMENT, ())
    model = PlannedModel(info, plan.weights, plan.device, plan.runtime)
    return build_parts(model, flow=None, lowest_score=PostProcessing().lowest_score, build=build)


def _fit(plan: BenchPlan, frames: Iterator[Frame], *, name: str) -> tuple[BenchPlan, int, Shelf, list[str]]:
    """The plan cut down to what the source holds, the length of a turn, and the frames."""
    shelf = Shelf(frames, limit=1 + plan.frames + MAX_INTERVAL)
    turn = turn_length(plan.intervals, frames=plan.frames)
    measured = min(plan.frames, shelf.fill(1 + turn) - 1)
    if measured < 1:
        raise InputError(f"{name}: expected at least 2 frames to compare, got {measured + 1}")
    intervals = tuple(interval for interval in plan.intervals if interval <= measured)
    dropped = sorted(set(plan.intervals) - set(intervals))
    notes = []
    if dropped:
        longest = ", ".join(map(str, dropped))
        notes.append(f"{measured} frames are too few for a key interval of {longest}: left out")
    return replace(plan, intervals=intervals), turn_length(intervals, frames=measured), shelf, notes


class _Race:
    """All contenders over the frames of one source."""

    def __init__(
        self,
        stack: ExitStack,
        plan: BenchPlan,
        models: dict[str, Parts],
        shelf: Shelf,
        truth: Truth | None,
        *,
        worst: int,
    ) -> None:
        self._plan, self._shelf, self._truth = plan, shelf, truth
        first = next(iter(models.values()))
        flows = {name: choose_flow(name, first.built, device=first.device) for name in plan.flows}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) if plan.end_to_end else None
        self.contenders: list[_Contender] = []
        for number, variant in enumerate(plan.variants({name: parts.flow.name for name, parts in models.items()})):
            own = models[variant.model]
            parts = replace(own, flow=flows.get(variant.flow or "", own.flow))
            model = parts.built.model
            pipeline = None
            if folder is not None:
                config = _config(variant, plan, model.task, outputs=(str(folder / f"{number}.mp4"),))
                info = ModelInfo(model.name, model.task, model.categories)
                pipeline = stack.enter_context(PipelineLane(plan_run(config, info=info), parts))
            schedule = variant.schedule(model.task).make()
            is_judged = truth is not None and truth.task is model.task
            self.contenders.append(
                _Contender(
                    variant,
                    parts,
                    NetworkLane(parts, schedule, two_sided=variant.two_sided, frames=shelf.reader()),
                    pipeline,
                    make_judge(model.task, model.categories),
                    make_judge(model.task, model.categories) if is_judged else None,
                    Worst(model.categories, 0 if variant.is_baseline else worst),
                )
            )

    def warm_up(self) -> None:
        """Run each pair of model and flow once, then each contender's first frame; nothing of it is kept."""
        frames = self._shelf.first(WARM_UP)
        seen = set()
        for contender in self.contenders:
            pair = (contender.variant.model, contender.variant.flow)
            if not contender.variant.is_baseline and pair not in seen:
                seen.add(pair)
                for _ in contender.parts.engine(FixedInterval(WARM_UP - 1), two_sided=True).run(frames):
                    pass
            contender.network.turn(1)
            contender.network.forget()
            if contender.pipeline is not None:
                contender.pipeline.turn(1)
                contender.pipeline.forget()

    def run(self, turn: int, on_progress: Callable[[Progress], None]) -> int:
        """Let all contenders run their turns, each time another one first; gives how many turns there were."""
        wanted = max(1, self._plan.frames // turn)
        total = wanted * sum(contender.weight for contender in self.contenders)
        done, turns = 0.0, 0
        while turns < wanted and self._shelf.fill(1 + (turns + 1) * turn) >= 1 + (turns + 1) * turn:
            first = turns % len(self.contenders)
            order = self.contenders[first:] + self.contenders[:first]
            results = {}
            for contender in order:
                on_progress(Progress(f"{contender.variant.model}, {contender.variant.label}", done / total))
                results[contender.variant] = self._network_turn(contender, turn)
                if contender.pipeline is not None:
                    contender.pipeline_seconds.append(contender.pipeline.turn(turn))
                done += contender.weight
            for contender in order:
                self._judge(contender, results[contender.variant], results[Variant(contender.variant.model)])
            turns += 1
        on_progress(Progress("done", 1.0))
        return turns

    def _network_turn(self, contender: _Contender, turn: int) -> list[FrameResult]:
        done = contender.network.turn(turn)
        contender.network_seconds.append(done.seconds)
        contender.key_frames += sum(result.is_key for result in done.results)
        contender.stretches += [result.stretch for result in done.results if result.stretch is not None]
        return done.results

    def _judge(self, contender: _Contender, found: list[FrameResult], full: list[FrameResult]) -> None:
        for result, reference in zip(found, full, strict=True):
            contender.agreement.against(result, reference.prediction)
            differs = disagreement(result.prediction, reference.prediction)
            contender.wrong, contender.total = contender.wrong + differs.wrong, contender.total + differs.total
            contender.worst.see(result, reference.prediction)
            if contender.accuracy is not None and self._truth is not None:
                contender.accuracy.against_truth(result, self._truth)

    def results(self, turn: int) -> list[VariantResult]:
        """What came of it."""
        baselines = {c.variant.model: c for c in self.contenders if c.variant.is_baseline}
        return [_result(contender, baselines[contender.variant.model], turn) for contender in self.contenders]


def _result(contender: _Contender, baseline: _Contender, turn: int) -> VariantResult:
    watch, frames = contender.network.watch, turn * len(contender.network_seconds)
    stage_ms = {stage: 1000 * watch.seconds(stage) / frames for stage in NETWORK_STAGES}
    end_to_end = None
    if contender.pipeline is not None:
        stage_ms |= {stage: 1000 * contender.pipeline.watch.seconds(stage) / frames for stage in FILE_STAGES}
        end_to_end = Speed.of(contender.pipeline_seconds, baseline.pipeline_seconds, frames=turn)
    keys = len(watch.samples["head on key"])
    propagated = max(len(watch.samples[stage]) for stage in ("head", "carry"))
    return VariantResult(
        variant=contender.variant,
        frames=frames,
        key_frames=contender.key_frames,
        network=Speed.of(contender.network_seconds, baseline.network_seconds, frames=turn),
        end_to_end=end_to_end,
        latency=Latency.of(contender.network.latencies),
        stage_ms=stage_ms,
        key_ms=sum(1000 * watch.seconds(stage) / keys for stage in ("prepare", "features", "head on key")),
        propagated_parts_ms={
            s: 1000 * watch.seconds(s) / propagated for s in PROPAGATED_STAGES if watch.samples.get(s)
        },
        agreement=contender.agreement.scores(),
        accuracy={} if contender.accuracy is None else contender.accuracy.scores(),
        worst=contender.worst.frames(),
        kept=1 - contender.wrong / contender.total if contender.total else None,
        target=TARGET if contender.variant.interval is None else None,
        estimate=Estimate.of(contender.stretches),
    )


def _with_memory(
    plan: BenchPlan,
    results: list[VariantResult],
    built: dict[str, BuiltModel],
    on_progress: Callable[[Progress], None],
) -> list[VariantResult]:
    measured = []
    for number, result in enumerate(results):
        variant = result.variant
        on_progress(Progress(f"memory of {variant.model}, {variant.label}", number / len(results)))
        config = _config(variant, plan, built[variant.model].model.task)
        memory = measure_memory(config, frames=2 + (variant.interval or MAX_WAITING))
        measured.append(replace(result, peak_bytes=memory.resident, peak_gpu_bytes=memory.gpu))
    on_progress(Progress("done", 1.0))
    return measured


def _config(variant: Variant, plan: BenchPlan, task: Task, *, outputs: tuple[str, ...] = ()) -> RunConfig:
    """A variant as a run of its own."""
    return RunConfig(
        source=plan.source,
        outputs=outputs,
        task=task,
        model=variant.model,
        weights=plan.weights,
        device=plan.device,
        runtime=plan.runtime,
        key_interval=variant.interval,
        causal=not variant.two_sided,
        flow=variant.flow if variant.flow in plan.flows else None,
    )
