"""From the names of a plan to the objects that run, and from them to an engine: the only place where they are wired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from dffcli.core.agreement import CONFIDENT, disagreement
from dffcli.core.engine import Engine
from dffcli.core.objects import WEAKEST
from dffcli.core.propagation import carries_objects, propagation_for
from dffcli.core.protocols import FlowEstimator, Schedule, SparesLowScores
from dffcli.core.timing import Stopwatch, TimedFlow, TimedModel, timed_propagation, timed_schedule
from dffcli.errors import ModelError
from dffcli.flow import build_flow
from dffcli.flow.measured import MeasuredFlow
from dffcli.models.registry import BuiltModel, build_model
from dffcli.run.plan import PlannedModel

DEFAULT_FLOW = "dis"


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of, but for the schedule, which is fresh for every video.

    Attributes:
        built: the network, and what is known of its weights.
        flow: the estimator.
        device: where the network runs.
        lowest_score: detections that score less are not needed.
    """

    built: BuiltModel
    flow: FlowEstimator
    device: str
    lowest_score: float = 0.0

    def engine(
        self, schedule: Schedule, *, two_sided: bool, watch: Stopwatch | None = None, confident: float = CONFIDENT
    ) -> Engine:
        """The engine that every command runs.

        Args:
            schedule: a fresh one.
            two_sided: frames between two key frames are reached from both.
            watch: clocks every part from outside.
            confident: score from which a box counts where the schedule compares.
        """
        compare = partial(disagreement, confident=confident)
        model, flow = self.built.model, self.flow
        if watch is None:
            propagation = propagation_for(model, lowest_score=self.lowest_score)
            return Engine(model, flow, schedule, two_sided, propagation, compare)
        timed = TimedModel(model, watch)
        propagation = timed_propagation(timed, watch, lowest_score=self.lowest_score)
        clocked = timed_schedule(schedule, watch)
        return Engine(timed, TimedFlow(flow, watch), clocked, two_sided, propagation, compare)


def build_parts(
    model: PlannedModel,
    *,
    flow: str | FlowEstimator | None,
    lowest_score: float = 0.0,
    build: Callable[..., BuiltModel] = build_model,
) -> Parts:
    """Load a network and its flow.

    Args:
        model: which network, on what.
        flow: name or file of the flow, or the flow itself; None takes the model's own, or DIS.
        lowest_score: detections that score less are not needed.
        build: makes a model from its name, as `dffcli.models.registry.build_model`.

    Raises:
        ModelError: the device is not here, or the model cannot run on it or on that runtime.
        WeightsError: weights are missing, broken or another network's.
    """
    device = resolve_device(model.device)
    names = {"class_names": model.class_names} if model.class_names else {}
    built = build(model.info.name, weights=model.weights, device=device, task=model.info.task, **names)
    network = built.model
    if model.runtime != "torch":
        from dffcli.models.weights.runtimes import on_runtime

        network = on_runtime(network, model.runtime, device=device)
    least = min(lowest_score, WEAKEST) if carries_objects(network) else lowest_score  # weak boxes live between keys
    if isinstance(network, SparesLowScores) and least > 0:
        network = network.with_lowest_score(least)
    return Parts(replace(built, model=network), choose_flow(flow, built, device=device), device, lowest_score)


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


def choose_flow(name: str | FlowEstimator | None, built: BuiltModel, *, device: str) -> FlowEstimator:
    """The flow that was asked for, by name or as it is; else the one the model was trained with; else DIS."""
    if name is not None and not isinstance(name, str):
        return MeasuredFlow(name)
    if name is None and built.flow is not None:
        return MeasuredFlow(built.flow)
    return named_flow(name or DEFAULT_FLOW, device=device)


def named_flow(name: str, *, device: str) -> FlowEstimator:
    """The flow estimator of that name, with its weights if it is a network."""
    if not name.startswith("raft"):
        return build_flow(name, device=device)
    from dffcli.models.torchvision.flows import load_raft

    return build_flow(name, device=device, load=load_raft)
