"""Options that every `dff eval` command takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        overwrite: replace that file if it exists.
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
        None, help="Write all numbers there.", flags=("--json",), metavar="FILE", panel=LOOK, is_written=True
    )
    overwrite: bool = option(False, help="Replace the file of --json if it exists.", panel=LOOK)

    def __post_init__(self) -> None:
        check_settings(self)


@contextmanager
def numbers_held(data: Any, options: EvalOptions) -> Iterator[None]:
    """Refuse a file of numbers that would cost something, before anything is measured; then hold its name.

    Raises:
        OutputError: it exists, is read, or somebody else is writing it.
    """
    from dffcli.files.atomic import claimed
    from dffcli.files.check import check_outputs

    files = [] if options.json_file is None else [options.json_file]
    inputs = [*places_named(data.source), options.weights, options.flow]
    check_outputs(files, inputs=inputs, overwrite=options.overwrite)
    with claimed(files=files, overwrite=options.overwrite):
        yield


def write_numbers(options: EvalOptions, content: dict[str, Any]) -> None:
    """Write what was measured, if that was asked for.

    Raises:
        OutputError: it cannot be written.
    """
    from dffcli.files.atomic import atomic_path, writing

    if options.json_file is not None:
        with atomic_path(options.json_file) as part, writing(options.json_file):
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def places_named(source: str) -> list[str]:
    """What a data source such as `folder:PICTURES:MASKS,names=FILE` may name on the disk."""
    return [source, *re.split("[:,=]", source)]


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
    from dffcli.run.plan import PlannedSchedule

    found = {"every frame" if n == 1 else f"every {n}": PlannedSchedule(n) for n in options.intervals}
    return found | ({"adaptive": PlannedSchedule()} if options.adaptive else {})
