"""Does a run get the agreement it was asked for, and does it know? Truth against target and estimate, clip by clip.

Whole clips, both tasks, two-sided and causal, in the real engine on remembered features. Truth is the agreement of all
frames with per-frame evaluation: of pixels the share with the same class (at the feature map's size); of boxes F1 where
a confident box counts as wrong if the other answer lacks it even among its weak ones. Beside it stand fixed intervals
and the adaptive schedule of version 0.1, and the network's agreement with itself at another input size: how much its
answers waver without any propagation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from common import parser, save, table
from dffcli.core.agreement import disagreement
from dffcli.core.engine import Engine
from dffcli.core.estimate import Estimate
from dffcli.core.protocols import Schedule, VideoModel
from dffcli.core.schedule import FixedInterval, TargetAgreement
from dffcli.core.types import Prediction, Task
from dffcli.flow.dis import SETTINGS, DisFlow
from dffcli.models.registry import build_model
from dffcli.run.report import Tally
from dffcli.video.reader import open_source
from patience import Patience
from remembered import Clip, RememberingFlow, RememberingModel, RememberingPropagation

CLIPS = (
    *(f"clips/{name}.mp4" for name in ("01_dog", "05_default_juggle", "bikes", "car-detection", "carphone_pristine")),
    *(f"clips/{name}.mp4" for name in ("cockatoo", "coffee", "mmtracking_demo", "nuscenes_mini", "test_video", "walk")),
    "camvid/val",
    "pets09-s2l1/img1",
    *(f"davis/JPEGImages/480p/{name}" for name in ("car-roundabout", "car-shadow", "dog", "drift-straight")),
    *(f"davis/JPEGImages/480p/{name}" for name in ("horsejump-high", "libby", "parkour")),
)
MODELS = {Task.SEGMENT: "street-seg", Task.DETECT: "coco-det"}
TARGETS = (0.90, 0.94, 0.96, 0.98)
INTERVALS = (3, 5, 10)
PATIENCES = {Task.SEGMENT: (0.2, 0.5, 1.5), Task.DETECT: (0.5, 2.0, 6.0)}
OTHER_SIZE = 512 / 480  # of the input, for the network's agreement with itself
EVERY = 10  # frames, of those that are answered at the other size


@dataclass(frozen=True, slots=True)
class Got:
    """What one schedule got on one clip: agreement, as it was and as it was estimated, and the share of key frames."""

    clip: str
    frames: int
    truth: float
    keys: float
    estimate: Estimate | None


def run(clip: Clip, model: RememberingModel, parts: tuple, schedule: Schedule, *, two_sided: bool) -> Got:
    flow, propagation = parts
    engine = Engine(model, flow, schedule, two_sided, propagation)
    tally = Tally()
    wrong = total = 0.0
    for result in engine.run(clip.frames()):
        found = disagreement(result.prediction, model.fresh(result.frame.index))
        wrong, total = wrong + found.wrong, total + found.total
        tally.add(result)
    tally.end(schedule)
    truth = 1 - wrong / total if total else float("nan")
    return Got(clip.name, tally.frames, truth, tally.key_frames / tally.frames, Estimate.of(tally.stretches))


def schedules(task: Task) -> Iterator[tuple[str, Callable[[], Schedule]]]:
    for target in TARGETS:
        yield f"target {target:g}", partial(TargetAgreement, target)
    for interval in INTERVALS:
        yield f"fixed {interval}", partial(FixedInterval, interval)
    for patience in PATIENCES[task]:
        yield f"patience {patience:g}", partial(Patience, patience)


def with_itself(path: Path, model: VideoModel) -> float:
    """Agreement of a network with itself at a slightly other input size, on some frames."""
    wrong = total = 0.0
    with open_source(str(path)) as source, torch.inference_mode():
        for frame in islice(source, 0, None, EVERY):
            one, other = answer(model, frame), answer(model, frame, scale=OTHER_SIZE)
            found = disagreement(one, other)
            wrong, total = wrong + found.wrong, total + found.total
    return 1 - wrong / total if total else float("nan")


def answer(model: VideoModel, frame, *, scale: float = 1.0) -> Prediction:  # type: ignore[no-untyped-def]
    attribute = "input_size" if model.task is Task.DETECT else "_like"
    usual = getattr(model, attribute)
    try:
        other = round(usual * scale) if isinstance(usual, int) else tuple(round(side * scale) for side in usual)
        setattr(model, attribute, other)
        image = model.prepare(frame)
        return model.head(model.features(image), image, is_key=True)
    finally:
        setattr(model, attribute, usual)


def percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"


def calibration(rows: dict[str, list[Got]], target: float) -> list[str]:
    """How well a target was held, over clips."""
    got = [row for row in rows[f"target {target:g}"] if not np.isnan(row.truth)]
    truth = np.array([row.truth for row in got])
    estimated = [(row.estimate, row.truth) for row in got if row.estimate is not None]
    near = np.mean([abs(estimate.agreement - true) <= 0.02 for estimate, true in estimated])
    inside = np.mean([estimate.low <= true <= estimate.high for estimate, true in estimated])
    keys = np.mean([row.keys for row in got])
    short = int((truth < target - 0.03).sum())
    cells = [percent(target), percent(float(truth.mean())), percent(float(truth.min())), percent(float(truth.std()))]
    return [*cells, f"{short} of {len(got)}", f"{near:.0%}", f"{inside:.0%}", f"{keys:.0%}"]


def at_equal_share(rows: dict[str, list[Got]], kind: str, share: float) -> tuple[float, float]:
    """Mean and worst error of a kind of schedule at a share of key frames over all clips, between those measured."""
    curve = []
    for name, got in rows.items():
        if name.startswith(kind):
            errors = [1 - row.truth for row in got if not np.isnan(row.truth)]
            keys = sum(row.keys * row.frames for row in got) / sum(row.frames for row in got)
            curve.append((keys, float(np.mean(errors)), max(errors)))
    shares, means, worst = zip(*sorted(curve), strict=True)
    inside = shares[0] <= share <= shares[-1]
    nan = float("nan")
    return (float(np.interp(share, shares, means)), float(np.interp(share, shares, worst))) if inside else (nan, nan)


def plot(path: Path, every: dict[tuple[Task, bool], dict[str, list[Got]]]) -> None:
    """Truth against target, a dot a clip; and truth against estimate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    colors = {(Task.SEGMENT, True): "#0072b2", (Task.SEGMENT, False): "#56b4e9"}
    colors |= {(Task.DETECT, True): "#d55e00", (Task.DETECT, False): "#e69f00"}
    for place, (form, rows) in enumerate(every.items()):
        label = f"{form[0]}, {'two-sided' if form[1] else 'causal'}"
        for target in TARGETS:
            got = [row for row in rows[f"target {target:g}"] if not np.isnan(row.truth)]
            across = [100 * target + 0.25 * (place - 1.5)] * len(got)
            truth = [100 * row.truth for row in got]
            left.scatter(across, truth, s=10, color=colors[form], label=label if target == TARGETS[0] else None)
            pairs = [(100 * row.estimate.agreement, 100 * row.truth) for row in got if row.estimate is not None]
            right.scatter(*zip(*pairs, strict=True), s=10, color=colors[form])
    for axes, what in ((left, "asked for, %"), (right, "estimated by the run, %")):
        axes.plot([80, 100], [80, 100], color="#9a9a9a", lw=1)
        axes.set(xlabel=what, ylabel="agreement with per-frame results, %", ylim=(80, 100.5))
    left.set_xlim(88, 100)
    right.set_xlim(80, 100.5)
    left.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--keep", type=Path, help="a folder for features: the next run is quick")
    arguments.add_argument("--task", choices=[str(task) for task in MODELS], required=True)
    arguments.add_argument("--clips", nargs="+", default=CLIPS, help="paths in the data folder; all if not given")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    every: dict[tuple[Task, bool], dict[str, list[Got]]] = {}
    itself: dict[Task, list[float]] = {}
    tasks = [Task(options.task)]
    chosen = "" if options.clips == CLIPS else f" --clips {' '.join(options.clips)}"
    for task in tasks:
        built = build_model(MODELS[task]).model
        itself[task] = []
        for name in options.clips:
            flow = DisFlow("dis", SETTINGS["dis"])
            clip = Clip.of(options.data / name, built, flow, keep=options.keep)
            itself[task].append(with_itself(options.data / name, built))
            model = RememberingModel(built, clip)
            parts = RememberingFlow(flow), RememberingPropagation.of(model)
            for two_sided in (True, False):
                rows = every.setdefault((task, two_sided), {})
                for title, make in schedules(task):
                    got = run(clip, model, parts, make(), two_sided=two_sided)
                    rows.setdefault(title, []).append(got)
            now = every[task, True]["target 0.96"][-1]
            print(task, name, clip.name, percent(now.truth), percent(now.keys), file=sys.stderr)
            save(
                f"target_{options.task}",
                title="The agreement asked for, the agreement estimated and the agreement got",
                text=page(every, itself),
                command=f"python benchmarks/target.py --task {options.task}{chosen}",
            )
            plot(Path(__file__).parent / "results" / f"target_{options.task}.svg", every)


def page(every: dict[tuple[Task, bool], dict[str, list[Got]]], itself: dict[Task, list[float]]) -> str:
    """Everything, in Markdown."""
    parts = []
    header = ["target", "mean", "worst clip", "spread", "more than 3 points short"]
    header += ["estimate within 2 points", "truth within its interval", "key frames, mean over clips"]
    for (task, two_sided), rows in every.items():
        form = f"{MODELS[task]}, {'two-sided' if two_sided else 'causal'}"
        parts += [f"## {form}", "All in % of agreement, over clips; each counts the same."]
        parts += [table(header, [calibration(rows, target) for target in TARGETS])]
        equal = []
        for target in TARGETS:
            got = [row for row in rows[f"target {target:g}"] if not np.isnan(row.truth)]
            share = sum(row.keys * row.frames for row in got) / sum(row.frames for row in got)
            mine = float(np.mean([1 - row.truth for row in got])), max(1 - row.truth for row in got)
            cells = [
                f"{percent(mean)} / {percent(worst)}"
                for mean, worst in (mine, at_equal_share(rows, "patience", share), at_equal_share(rows, "fixed", share))
            ]
            equal.append([f"{share:.0%}", *cells])
        parts += ["Error (mean / worst clip, %) at an equal share of key frames over all clips together:"]
        parts += [table(["key frames", "target", "version 0.1", "fixed interval"], equal)]
    for task in itself:
        names = [row.clip for row in every[task, True]["target 0.9"]]
        cells = []
        for place, name in enumerate(names):
            row = [name, percent(itself[task][place])]
            for two_sided in (True, False):
                for target in (0.90, 0.96):
                    got = every[task, two_sided][f"target {target:g}"][place]
                    estimate = float("nan") if got.estimate is None else got.estimate.agreement
                    row.append(f"{percent(got.truth)} ({percent(estimate)}) {got.keys:.0%}")
            cells.append(row)
        titles = [f"{target}, {side}" for side in ("two-sided", "causal") for target in ("90", "96")]
        parts += [f"## {MODELS[task]}, clip by clip", "Truth (estimate) key frames, %, by target:"]
        parts += [table(["clip", "with itself at another size", *titles], cells)]
    parts += [f"![Truth against target and against the estimate, a dot a clip](target_{next(iter(itself))}.svg)"]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
