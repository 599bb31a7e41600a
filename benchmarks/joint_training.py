"""The paper's ablation in small: what training features, flow and task together through the warp is worth.

The paper's networks in small (`dff-deeplab-small`, `dff-rfcn-small`: a ResNet of 26 layers and a quarter of its width,
a quarter of FlowNet-S, the scale field) on rendered streets whose labels and motion are exact
(benchmarks/rendered_clips.py), train and val apart. As in the paper's table, rows differ in what is trained through the
warp; every row starts from the same two networks (features learned from stills, flow learned from exact flow) and gets
the same number of steps more:

* separate: features on stills, the flow network as it was;
* features frozen: the separate features, the flow network trained through the warp on the task's loss;
* flow frozen: features trained through the warp of the flow network as it was;
* joint: everything trained through the warp;
* held, and DIS: the separate features, carried by nothing and by a flow that is not trained.

Run it again to go on where it stopped: what is done is in the run's folder and is not done again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from common import parser, save, table
from dffcli.categories import CAMVID, Category
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator, VideoModel
from dffcli.core.schedule import FixedInterval
from dffcli.evaluation.detection_data import DetectionData
from dffcli.evaluation.detection_eval import evaluate, translated
from dffcli.evaluation.detection_readers import read_detection_data
from dffcli.evaluation.segment_data import LabelledPicture, read_image
from dffcli.evaluation.segment_metrics import confusion, mean_iou
from dffcli.flow import build_flow
from dffcli.models.folding import fold_batch_norms
from dffcli.models.paper.build import build_network, initialise
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.flownet import FLOW_UNIT, FeatureFlow
from dffcli.models.paper.models import DeeplabModel, FeatureFlowEstimator, RfcnModel
from dffcli.models.paper.prepare import MSRA_MEAN, InputRule
from dffcli.models.paper.resnet import STRIDE
from dffcli.training.fit import CHECKPOINT, FitSettings, fit
from dffcli.training.objective import Batch, Objective
from dffcli.training.paper_detect import PaperDetectObjective, PaperDetectSettings
from dffcli.training.paper_segment import PaperSegmentObjective, PaperSegmentSettings
from rendered_clips import PICTURES, mask_path, picture_path, scene_of, write_split

MAX_OFFSET = 9  # frames between key and labelled frame at most, for intervals up to 10
INTERVALS = (5, 10)
OBJECTS = (Category(1, "person", (230, 60, 60)), Category(3, "car", (70, 150, 240)))
PAPER = {
    "per frame": "73.9", "separate": "67.4", "features frozen": "72.3", "flow frozen": "68.8", "joint": "73.1",
}  # fmt: skip
"""mAP on ImageNet VID at an interval of 10, ResNet-101 and FlowNet-S, quoted in this project's requirements."""


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        task: `segment` or `detect`.
        folder: of all runs.
        clips: of train; a quarter as many of val.
        frames: a clip.
        size: `(height, width)` of the pictures.
        steps: of the common start, and again of every row.
        pairs: a step.
        learning_rate: of the start; the rows have a third of it.
    """

    task: str
    folder: Path
    clips: int
    frames: int
    size: tuple[int, int]
    steps: int
    pairs: int
    learning_rate: float

    @property
    def val_clips(self) -> int:
        return max(1, self.clips // 4)

    @property
    def rule(self) -> InputRule:
        return InputRule(self.size[0], self.size[1], MSRA_MEAN)

    @property
    def root(self) -> Path:
        return self.folder / "clips"


class FlowObjective:
    """The flow network on exact flow, as a flow network is trained on synthetic pairs before it meets the task."""

    def __init__(self, flow: FeatureFlow, plan: Plan) -> None:
        flow.requires_grad_(True)
        flow.scale.requires_grad_(False)
        self._module = flow
        self._plan = plan

    @property
    def module(self) -> nn.Module:
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        rng = np.random.default_rng([seed, step, 7])
        plan = self._plan
        items = []
        for _ in range(plan.pairs):
            clip = int(rng.integers(plan.clips))
            current = int(rng.integers(plan.frames))
            key = max(0, current - int(rng.integers(1, MAX_OFFSET + 1)))
            scene = scene_of("train", clip, size=plan.size, frames=plan.frames)
            displacement, seen = scene.flow(key, current)
            pictures = [
                torch.from_numpy(read_image(picture_path(plan.root, "train", clip, index))) for index in (current, key)
            ]
            values = [p.permute(2, 0, 1).float() - torch.tensor(MSRA_MEAN).view(3, 1, 1) for p in pictures]
            known = torch.from_numpy(seen.astype(np.float32))[None]
            items.append((*values, torch.from_numpy(displacement), known))
        names = ("current", "key", "displacement", "seen")
        return {name: torch.stack(values) for name, values in zip(names, zip(*items, strict=True), strict=True)}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        found, _ = self._module(batch["current"], batch["key"])
        seen = nn.functional.avg_pool2d(batch["seen"], STRIDE, ceil_mode=True)
        wanted = nn.functional.avg_pool2d(batch["displacement"] * batch["seen"], STRIDE, ceil_mode=True)
        wanted = wanted / seen.clamp(min=1e-3) / STRIDE  # in feature pixels
        error = (found - wanted).square().sum(1, keepdim=True).add(1e-4).sqrt() * (seen > 0.5)
        return {"end-point error": error.sum() / (seen > 0.5).sum().clamp(min=1) / FLOW_UNIT}

    def validate(self, module: nn.Module) -> dict[str, float]:
        return {}


def clip_pictures(plan: Plan, split: str) -> list[list[LabelledPicture]]:
    """Every frame of every clip with its classes, and the frames before it."""
    clips = []
    for clip in range(plan.clips if split == "train" else plan.val_clips):
        paths = [picture_path(plan.root, split, clip, index) for index in range(plan.frames)]
        clips.append(
            [
                LabelledPicture(path, mask_path(plan.root, split, clip, i), tuple(reversed(paths[:i])))
                for i, path in enumerate(paths)
            ]
        )
    return clips


def boxes_of(plan: Plan, split: str) -> DetectionData:
    """The same clips with their boxes."""
    return read_detection_data(plan.root / f"{split}.json", images=plan.root / PICTURES)


def task_objective(plan: Plan, network: Any, *, stills: bool) -> Objective:
    """The task's losses on single pictures, or through the warp."""
    offset = 0 if stills else MAX_OFFSET
    if plan.task == "segment":
        pictures = [one for clip in clip_pictures(plan, "train") for one in clip]
        shown = [replace(one, earlier=()) for one in pictures] if stills else pictures
        return PaperSegmentObjective(
            network,
            pictures=shown,
            settings=PaperSegmentSettings(len(CAMVID), plan.pairs, offset, plan.rule, plan.size, fixes_start=False),
        )
    data = boxes_of(plan, "train")
    if stills:
        single = tuple(replace(s, frames=(frame,)) for s in data.sequences for frame in s.frames)
        data = DetectionData(single, data.categories)
    return PaperDetectObjective(
        network,
        categories=OBJECTS,
        data=[data],
        settings=PaperDetectSettings(plan.pairs, offset, plan.rule, fixes_start=False),
    )


def trained(folder: Path, objective: Objective, plan: Plan, *, rate: float, seed: int) -> nn.Module:
    """The module after its steps, from the folder where they were done before or in part."""
    settings = FitSettings(
        steps=plan.steps,
        learning_rate=rate,
        weight_decay=1e-4,
        warmup_steps=min(100, plan.steps // 10),
        schedule="cosine",
        average_decay=0.99,
        validate_every=0,
        seed=seed,
    )
    done = folder / "trained.pt"
    if not done.is_file():
        print(f"{folder}: training", file=sys.stderr)
        result = fit(objective, settings, folder=folder, resume=(folder / CHECKPOINT).is_file())
        torch.save(result.module.state_dict(), done)
    objective.module.load_state_dict(torch.load(done, weights_only=True))
    return objective.module


def freeze(network: Any, *, features: bool, flow: bool) -> None:
    """Fix the features and their task network, or the flow network with its scale field (whose bias stays at 1)."""
    for name, parameter in network.named_parameters():
        is_fixed = flow if name.startswith("flow.") else features
        parameter.requires_grad_(not is_fixed and name != "flow.scale.bias")


def rows_of(plan: Plan, seed: int) -> dict[str, tuple[nn.Module, str]]:
    """The networks of every row, and what carries their features (`own`, or a flow's name)."""
    folder = plan.folder / plan.task / f"seed-{seed}"
    network = build_network(NETWORKS["dff-deeplab-small" if plan.task == "segment" else "dff-rfcn-small"],
                            classes=len(CAMVID if plan.task == "segment" else OBJECTS))  # fmt: skip
    initialise(network, seed=seed)
    rate = plan.learning_rate
    flow = trained(folder / "flow", FlowObjective(network.flow, plan), plan, rate=rate, seed=seed)  # type: ignore[arg-type]
    start: Any = trained(folder / "start", task_objective(plan, network, stills=True), plan, rate=rate, seed=seed)
    start.flow.load_state_dict(flow.state_dict())

    def row(name: str, begin: nn.Module, *, stills: bool, features: bool, flow: bool) -> nn.Module:
        objective = task_objective(plan, deepcopy(begin), stills=stills)
        freeze(objective.module, features=features, flow=flow)
        return trained(folder / name, objective, plan, rate=rate / 3, seed=seed + 1000)

    separate = row("separate", start, stills=True, features=False, flow=True)
    return {
        "per frame": (separate, "own"),
        "joint": (row("joint", start, stills=False, features=False, flow=False), "own"),
        "flow frozen": (row("flow-frozen", start, stills=False, features=False, flow=True), "own"),
        "features frozen": (row("features-frozen", separate, stills=False, features=True, flow=False), "own"),
        "separate": (separate, "own"),
        "DIS": (separate, "dis"),
        "held": (separate, "none"),
    }


def score(plan: Plan, network: Any, flow_name: str, *, interval: int, two_sided: bool) -> float:
    """Mean IoU or AP50 on val, in percent."""
    ready = deepcopy(network).eval().requires_grad_(False)
    fold_batch_norms(ready)
    flow: FlowEstimator = FeatureFlowEstimator("own", ready.flow) if flow_name == "own" else build_flow(flow_name)
    model: VideoModel
    if plan.task == "detect":
        model = RfcnModel("small", ready, categories=OBJECTS, device="cpu", rule=plan.rule)
        data = boxes_of(plan, "val")
        sequences = translated(data.sequences, data.categories, OBJECTS)
        names = {category.id: category.name for category in OBJECTS}
        make: Callable[[], Engine] = lambda: Engine(model, flow, FixedInterval(interval), two_sided=two_sided)  # noqa: E731
        return 100 * evaluate(sequences, make, categories=names).ap50
    model = DeeplabModel("small", ready, categories=CAMVID, device="cpu", rule=plan.rule)
    matrix = np.zeros((len(CAMVID), len(CAMVID)), np.int64)
    for clip in clip_pictures(plan, "val"):
        matrix += _clip_confusion(model, flow, clip, interval=interval, two_sided=two_sided)
    return 100 * mean_iou(matrix)


def _clip_confusion(
    model: VideoModel, flow: FlowEstimator, clip: Sequence[LabelledPicture], *, interval: int, two_sided: bool
) -> np.ndarray:
    from fractions import Fraction

    from dffcli.core.types import Frame, SegmentationMap
    from dffcli.evaluation.segment_data import read_labels

    matrix = np.zeros((len(CAMVID), len(CAMVID)), np.int64)
    frames = [Frame(i, read_image(picture.image), Fraction(i, 25)) for i, picture in enumerate(clip)]
    for result in Engine(model, flow, FixedInterval(interval), two_sided=two_sided).run(iter(frames)):
        if not isinstance(result.prediction, SegmentationMap):
            raise TypeError("expected a segmenter")
        truth = read_labels(clip[result.frame.index], size=result.frame.size)
        matrix += confusion(truth, result.prediction.category_ids, classes=len(CAMVID))
    return matrix


def measured(plan: Plan, seed: int) -> dict[str, dict[str, float]]:
    """Every row's scores, by `1`, `5 causal`, `10 two-sided` and so on; kept in the run's folder."""
    file = plan.folder / plan.task / f"seed-{seed}" / "scores.json"
    known: dict[str, dict[str, float]] = json.loads(file.read_text()) if file.is_file() else {}
    for name, (network, flow) in rows_of(plan, seed).items():
        mine = known.setdefault(name, {})
        wanted = [("1", 1, False)] if name == "per frame" else []
        if name != "per frame":
            wanted = [(f"{i} {form}", i, form == "two-sided") for i in INTERVALS for form in ("causal", "two-sided")]
        for key, interval, two_sided in wanted:
            if key not in mine:
                mine[key] = score(plan, network, flow, interval=interval, two_sided=two_sided)
                file.write_text(json.dumps(known, indent=2))
        print(seed, name, {key: round(value, 1) for key, value in mine.items()}, file=sys.stderr)
    return known


def result_table(scores: Sequence[dict[str, dict[str, float]]]) -> str:
    """Means and, with more than one seed, standard deviations; the paper's figures beside them."""
    keys = [f"{interval} {form}" for form in ("causal", "two-sided") for interval in INTERVALS]
    rows = []
    for name in scores[0]:
        cells = []
        for key in ["1", *keys]:
            values = [one[name][key] for one in scores if key in one[name]]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.1f}{spread}" if values else "")
        rows.append([name, *cells, PAPER.get(name, "")])
    return table(["trained", "every frame", *keys, "paper: mAP at 10, causal"], rows)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("folder", type=Path, help="of the runs")
    arguments.add_argument("--task", choices=["segment", "detect"], default="segment")
    arguments.add_argument("--clips", type=int, default=200)
    arguments.add_argument("--frames", type=int, default=20)
    arguments.add_argument("--height", type=int, default=192)
    arguments.add_argument("--steps", type=int, default=6000)
    arguments.add_argument("--pairs", type=int, default=4)
    arguments.add_argument("--learning-rate", type=float, default=1e-3)
    arguments.add_argument("--seeds", type=int, default=3)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    size = (options.height, options.height * 16 // 9 // 16 * 16)
    plan = Plan(
        options.task, options.folder, options.clips, options.frames, size, options.steps, options.pairs,
        options.learning_rate,
    )  # fmt: skip
    for split, clips in (("train", plan.clips), ("val", plan.val_clips)):
        write_split(plan.root, split, clips=clips, size=size, frames=plan.frames)
    scores = [measured(plan, seed) for seed in range(options.seeds)]
    measure = "mean IoU" if plan.task == "segment" else "AP50"
    seeds = f"{options.seeds} seeds (mean and standard deviation)" if options.seeds > 1 else "one seed"
    save(
        f"joint_training_{plan.task}",
        title=f"Joint training in small, {plan.task}: {measure} on rendered streets by key interval",
        text=f"{plan.clips} clips of {plan.frames} frames ({size[1]} x {size[0]}) to train on, {plan.val_clips} others "
        f"to measure on; {plan.steps} steps of {plan.pairs} for the start and as many again for every row; {seeds}.\n\n"
        + result_table(scores),
        command=f"python benchmarks/joint_training.py RUNS --task {plan.task} --clips {plan.clips} "
        f"--steps {plan.steps} --pairs {plan.pairs} --height {plan.size[0]} --seeds {options.seeds}",
    )


if __name__ == "__main__":
    main()
