"""Which signal should make a key frame? Agreement with per-frame results against the share of key frames, over clips.

Every candidate runs in the real engine, on the same remembered features and fields. Taken together: key frames are
counted over all clips, agreement (mean IoU against the per-frame labels, at the feature map's size) is averaged over
clips by frames. A schedule is better if it agrees more at the same share.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from common import parser, save, table
from dffcli.categories import Category
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator, Schedule, VideoModel
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import (
    Features,
    FlowField,
    Frame,
    KeyReason,
    Prediction,
    PreparedImage,
    SegmentationMap,
    Task,
)
from dffcli.evaluation.segment_metrics import confusion, mean_iou
from dffcli.flow import build_flow
from dffcli.models.registry import build_model
from dffcli.video.reader import open_source
from patience import Patience

CLIPS = (
    "clips/nuscenes_mini.mp4",
    "clips/car-detection.mp4",
    "clips/test_video.mp4",
    "clips/mmtracking_demo.mp4",
    "clips/bikes.mp4",
    "clips/carphone_pristine.mp4",
    "camvid/val",
    "pets09-s2l1/img1",
    "davis/JPEGImages/480p/car-roundabout",
    "davis/JPEGImages/480p/parkour",
)
INTERVALS = (2, 3, 4, 6, 8, 12, 18, 26)
SHARES = (0.05, 0.075, 0.10, 0.15, 0.20, 0.30)


def motion(field: FlowField) -> float:
    """Mean displacement in percent of the picture's width."""
    return 100 * float(field.displacement.norm(dim=1).mean()) / field.displacement.shape[3]


def deformation(field: FlowField) -> float:
    """How unevenly places move against their neighbours: mean slope of the displacement, pixels a pixel."""
    sampled = field.displacement[0, :, ::4, ::4]  # [2, h, w]
    across = (sampled[:, :, 1:] - sampled[:, :, :-1]).abs().sum(0)
    down = (sampled[:, 1:] - sampled[:, :-1]).abs().sum(0)
    return (float(across.mean()) + float(down.mean())) / 4


def mismatch(field: FlowField) -> np.ndarray:
    if field.photometric_error is None:
        raise TypeError("expected a flow that compares pictures")
    return field.photometric_error


SIGNALS: dict[str, Callable[[FlowField], float]] = {
    "mismatch": lambda field: float(mismatch(field).mean()),
    "motion": motion,
    "deformation": deformation,
}
CANDIDATES: dict[str, tuple[str, float, bool, tuple[float, ...]]] = {
    "mismatch now": ("mismatch", 0, False, (3, 5, 7, 9, 12)),
    "mismatch, summed": ("mismatch", 0, True, (8, 16, 32, 55, 90)),
    "motion + 2, summed": ("motion", 2, True, (8, 15, 25, 40, 70)),
    "deformation + 0.1, summed": ("deformation", 0.1, True, (0.6, 1.1, 2.2, 3.8, 6)),
}
"""Signal, what is added to it on every frame, whether it is summed since the key, and the limits tried."""
PATIENCES = (0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 4)
"""Of the schedule that learns from results."""


@dataclass
class BySignal:
    """A schedule on one candidate signal, as it is or summed over the frames since the key."""

    signal: Callable[[FlowField], float]
    offset: float
    is_summed: bool
    limit: float
    max_interval: int = 30
    cuts: Patience = field(default_factory=lambda: Patience(min_interval=30))
    total: float = 0.0

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        reason = self.cuts.key_reason(frames_since_key, estimate)
        value = self.signal(estimate()) + self.offset
        self.total = value + (self.total if self.is_summed and frames_since_key > 1 else 0.0)
        if reason is None and frames_since_key >= 2 and self.total > self.limit:
            return KeyReason.SUDDEN_CHANGE
        return reason

    memory: tuple[float, ...] = ()

    def recall(self, memory: tuple[float, ...]) -> None:
        pass


@dataclass
class RememberingModel:
    """Features once a frame; the head answers at the feature map's size."""

    inner: VideoModel
    known: dict[int, Features] = field(default_factory=dict)

    name = "remembering"
    task = Task.SEGMENT
    categories: tuple[Category, ...] = ()

    def prepare(self, frame: Frame) -> PreparedImage:
        return self.inner.prepare(frame)

    def features(self, image: PreparedImage) -> Features:
        if image.frame.index not in self.known:
            self.known[image.frame.index] = self.inner.features(image)
        return self.known[image.frame.index]

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Prediction:
        return SegmentationMap(features[0][0].argmax(0).to(torch.uint8).numpy())  # features are logits


@dataclass
class RememberingFlow:
    """Each pair's field once; its guess is the neighbour's field to the same key, so it is the same each time."""

    inner: FlowEstimator
    known: dict[tuple[int, int], FlowField] = field(default_factory=dict)

    name = "remembering"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        pair = key.frame.index, current.frame.index
        if pair not in self.known:
            field = self.inner.estimate(key, current, guess=guess)
            self.known[pair] = replace(
                field, displacement=field.displacement.half(), photometric_error=mismatch(field).astype(np.float16)
            )
        stored = self.known[pair]
        return replace(
            stored, displacement=stored.displacement.float(), photometric_error=mismatch(stored).astype(np.float32)
        )


def run(
    model: RememberingModel, flow: FlowEstimator, frames: list[Frame], schedule: Schedule, *, two_sided: bool
) -> tuple[list[np.ndarray], int]:
    labels: list[np.ndarray] = []
    keys = 0
    for result in Engine(model, flow, schedule, two_sided=two_sided).run(iter(frames)):
        if isinstance(result.prediction, SegmentationMap):
            labels.append(result.prediction.category_ids)
        keys += result.is_key
    return labels, keys


def agreement(found: list[np.ndarray], reference: list[np.ndarray]) -> float:
    return 100 * mean_iou(sum(confusion(b, a, classes=11) for a, b in zip(found, reference, strict=True)))


def at_share(curve: list[tuple[float, float]], share: float) -> float:
    """Agreement at a share of key frames, between the measured points; NaN outside them."""
    shares, values = zip(*sorted(curve), strict=True)
    return float(np.interp(share, shares, values, left=np.nan, right=np.nan))


def variants() -> Iterator[tuple[str, Callable[[], Schedule]]]:
    for interval in INTERVALS:
        yield "fixed", partial(FixedInterval, interval)
    for name, (signal, offset, is_summed, limits) in CANDIDATES.items():
        for limit in limits:
            yield name, partial(BySignal, SIGNALS[signal], offset, is_summed, limit)
    for patience in PATIENCES:
        yield "learned from results", partial(Patience, patience)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--frames", type=int, default=60, help="of each clip")
    arguments.add_argument("--causal", action="store_true")
    options = arguments.parse_args()
    built = build_model("street-seg")
    every = list(variants())
    keys, agreed, total = np.zeros(len(every)), np.zeros(len(every)), 0
    for clip in CLIPS:
        path: Path = options.data / clip
        with open_source(str(path)) as source:
            frames = list(islice(source, options.frames))
        model = RememberingModel(built.model)
        flow = RememberingFlow(build_flow("dis"))
        reference, _ = run(model, flow, frames, FixedInterval(1), two_sided=False)
        for position, (_name, schedule) in enumerate(every):
            labels, count = run(model, flow, frames, schedule(), two_sided=not options.causal)
            keys[position] += count
            agreed[position] += agreement(labels, reference) * len(frames)
        total += len(frames)
        print(clip, len(frames), np.round(agreed / total, 1), file=sys.stderr)
    curves: dict[str, list[tuple[float, float]]] = {}
    for (name, _), count, value in zip(every, keys, agreed, strict=True):
        curves.setdefault(name, []).append((count / total, value / total))
    rows = [[name, *(f"{at_share(curve, share):.1f}" for share in SHARES)] for name, curve in curves.items()]
    points = [
        [name, f"{limit:g}", f"{share:.1%}", f"{value:.1f}"]
        for name, (_, _, _, limits) in CANDIDATES.items()
        for limit, (share, value) in zip(limits, curves[name], strict=True)
    ]
    points += [
        ["patience", f"{patience:g}", f"{share:.1%}", f"{value:.1f}"]
        for patience, (share, value) in zip(PATIENCES, curves["learned from results"], strict=True)
    ]
    form = "causal" if options.causal else "two-sided"
    save(
        f"adaptive_{form.replace('-', '_')}",
        title=f"Agreement with per-frame results at equal shares of key frames, {form}, {len(CLIPS)} clips",
        text=table(["key frame chosen by", *(f"{share:.1%}" for share in SHARES)], rows)
        + "\n\nThe measured points:\n\n"
        + table(["signal", "limit", "key frames", "agreement"], points),
        command=f"python benchmarks/adaptive.py{' --causal' if options.causal else ''} --frames {options.frames}",
    )


if __name__ == "__main__":
    main()
