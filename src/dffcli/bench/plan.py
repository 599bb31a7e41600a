"""What is compared with what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dffcli.core.task import Task
from dffcli.errors import SettingError
from dffcli.flow import FLOWS
from dffcli.models.registry import Weights
from dffcli.option import check_settings, option
from dffcli.run.config import DEVICE, KEYS, RUNTIME, WEIGHTS, WHAT
from dffcli.run.read import intervals, names

if TYPE_CHECKING:
    from dffcli.run.plan import PlannedSchedule

INTERVALS = (1, 2, 5, 10, 20)  # frames
FRAMES = 100  # measured for each variant
SHORTEST_TURN = 10  # frames; shorter ones would measure how a run is halted and taken up


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of annotating a video.

    Attributes:
        model: name of the network.
        interval: frames between key frames; 1 is per-frame evaluation; None is the adaptive schedule.
        flow: name of the flow estimator; None where no frame needs one.
        two_sided: reached from the key frames on both sides.
    """

    model: str
    interval: int | None = 1
    flow: str | None = None
    two_sided: bool = True

    @property
    def is_baseline(self) -> bool:
        """Whether it is per-frame evaluation."""
        return self.interval == 1

    @property
    def curve(self) -> str:
        """What it shares with the variants that differ from it in the key interval alone."""
        sides = "two-sided" if self.two_sided else "causal"
        return f"{self.model}, {self.flow or 'no flow'}, {sides}"

    @property
    def keys(self) -> str:
        """How its key frames are chosen, in words."""
        if self.is_baseline:
            return "every frame"
        return "adaptive" if self.interval is None else f"every {self.interval}"

    @property
    def label(self) -> str:
        """Its name in tables."""
        if self.is_baseline:
            return "every frame"
        return f"{self.keys}, {self.flow}" + ("" if self.two_sided else ", causal")

    def schedule(self, task: Task) -> PlannedSchedule:
        """Who is a key frame, of a model for that task."""
        from dffcli.run.plan import PlannedSchedule

        return PlannedSchedule(self.interval)


def flows_help(_task: str | None) -> str:
    """The flow estimators."""
    return f"Flows to compare: {', '.join(FLOWS)}. (default: the model's own, or dis)"


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What a user asked to compare.

    Attributes:
        source: video file or folder of images.
        models: names; empty takes the task's own.
        task: refuse models for another task.
        intervals: frames between key frames; 1, the baseline, is always measured.
        adaptive: also the adaptive schedule.
        flows: names of flow estimators; empty takes each model's own, or DIS.
        causal: also the causal form, beside the two-sided one.
        weights: which weights to load.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        runtime: what runs the feature networks, per-frame evaluation's too; one of
            `dffcli.models.registry.RUNTIMES`.
        frames: how many are measured for each variant.
        ground_truth: masks or boxes to judge by.
        end_to_end: also measure the whole way from file to file.
        memory: also measure each variant's memory, in a process of its own.
    """

    source: str = option(
        "",
        help="A video or a folder of images; without it, a clip rendered on the spot.",
        metavar="[INPUT]",
        is_argument=True,
    )
    models: tuple[str, ...] = option(
        (), help="Networks to compare. (default: the task's own)", metavar="A,B", panel=WHAT, read=names
    )
    task: Task | None = option(None, help="Only models for this task.", panel=WHAT)
    intervals: tuple[int, ...] = option(
        INTERVALS,
        help="Key intervals; 1, every frame, is always measured.",
        metavar="N,N",
        panel=KEYS,
        read=intervals,
    )
    adaptive: bool = option(False, help="The adaptive schedule too.", panel=KEYS)
    flows: tuple[str, ...] = option((), help=flows_help, metavar="A,B", panel=KEYS, read=names)
    causal: bool = option(False, help="The causal form too, beside the two-sided one.", panel=KEYS)
    weights: Weights = option("default", WEIGHTS)
    device: str = option("auto", DEVICE)
    runtime: str = option("torch", RUNTIME)
    frames: int = option(FRAMES, help="Frames measured for each variant.", metavar="N", panel=WHAT, low=1)
    ground_truth: Path | None = option(
        None,
        help="Judge by it too: a folder of PNG masks of class ids, COCO or CocoVID JSON, or MOT's gt.txt.",
        metavar="PATH",
        panel=WHAT,
        exists=True,
    )
    end_to_end: bool = option(
        True,
        help="Leave out the runs from file to file.",
        flags=("--network-only",),
        panel=WHAT,
        is_off_switch=True,
    )
    memory: bool = option(
        True,
        help="Leave out memory (a process for each variant).",
        flags=("--no-memory",),
        panel=WHAT,
        is_off_switch=True,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if any(interval < 1 for interval in self.intervals):
            raise SettingError(f"key intervals: expected at least 1, got {min(self.intervals)}")

    def variants(self, default_flows: dict[str, str]) -> list[Variant]:
        """Every variant, each model's baseline first.

        Args:
            default_flows: for each model the flow that is taken if none is asked for.
        """
        chosen: list[int | None] = [*sorted({n for n in self.intervals if n > 1}), *([None] if self.adaptive else [])]
        sides = (True, False) if self.causal else (True,)
        found = []
        for model in dict.fromkeys(self.models):
            found.append(Variant(model))
            flows = dict.fromkeys(self.flows or (default_flows[model],))
            found += [Variant(model, n, flow, side) for flow in flows for side in sides for n in chosen]
        return found


def turn_length(intervals: tuple[int, ...], *, frames: int) -> int:
    """Frames of a turn: a whole number of every key interval, so that each turn holds its fair share of key frames.

    Where that takes more frames than there are, all of them are one turn.

    Args:
        intervals: between key frames.
        frames: measured in all.
    """
    common = math.lcm(*intervals) if intervals else 1
    return min(frames, common * -(-SHORTEST_TURN // common))
