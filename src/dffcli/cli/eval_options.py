"""Options that every `dff eval` command takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dffcli.core.task import Task
from dffcli.models.registry import Weights
from dffcli.option import check_settings, option
from dffcli.run.config import CAUSAL, DEVICE, FLOW, KEYS, LOOK, MODEL, RUNTIME, WEIGHTS
from dffcli.run.read import intervals

if TYPE_CHECKING:
    from dffcli.run.parts import Parts
    from dffcli.run.plan import PlannedSchedule


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """What is measured, beside the data.

    Attributes:
        task: what the model answers.
        model: its name; the task's default if None.
        weights: which weights to load.
        device: where it runs.
        runtime: what runs the feature network.
        intervals: frames between key frames to measure; 1 is every frame.
        adaptive: measure the adaptive schedule as well.
        causal: never look ahead.
        flow: name or file of the flow; None takes the model's own, or DIS.
        json_file: where to write all numbers.
    """

    task: Task = option(help="What the model answers.", is_given=True)
    model: str | None = option(None, MODEL)
    weights: Weights = option("default", WEIGHTS)
    device: str = option("auto", DEVICE)
    runtime: str = option("torch", RUNTIME)
    intervals: tuple[int, ...] = option(
        (1,), help="Key intervals to measure; 1 is every frame.", metavar="N,N,...", panel=KEYS, read=intervals
    )
    adaptive: bool = option(False, help="Measure the adaptive schedule as well.", panel=KEYS)
    causal: bool = option(False, CAUSAL)
    flow: str | None = option(None, FLOW)
    json_file: Path | None = option(
        None, help="Write all numbers there.", flags=("--json",), metavar="FILE", panel=LOOK
    )

    def __post_init__(self) -> None:
        check_settings(self)


def parts_of(options: EvalOptions) -> Parts:
    """What is measured, ready to run."""
    from dffcli.models.registry import DEFAULT_MODELS, find_entry
    from dffcli.run.parts import build_parts
    from dffcli.run.plan import PlannedModel

    entry = find_entry(options.model or DEFAULT_MODELS[options.task], task=options.task)
    model = PlannedModel(entry.info, options.weights, options.device, options.runtime)
    return build_parts(model, flow=options.flow)


def schedules_of(options: EvalOptions) -> dict[str, PlannedSchedule]:
    """The schedules that are measured, by their names in tables."""
    from dffcli.run.plan import plan_schedule

    found = {
        "every frame" if n == 1 else f"every {n}": plan_schedule(options.task, key_interval=n)
        for n in options.intervals
    }
    return found | ({"adaptive": plan_schedule(options.task)} if options.adaptive else {})
