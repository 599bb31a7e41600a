"""Mean IoU against ground truth on CamVid's 15 Hz clip, by key interval: hold, causal warp, two-sided, and adaptive.

Features of every frame are computed once and looked up again, so that only flow, warp and head run per variant.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from common import parser, save, table
from dffcli.categories import Category
from dffcli.core.engine import Engine
from dffcli.core.protocols import Schedule, VideoModel
from dffcli.core.schedule import FixedInterval, TargetAgreement
from dffcli.core.types import Features, Frame, Prediction, PreparedImage, SegmentationMap, Task
from dffcli.evaluation.segment_metrics import confusion, mean_iou
from dffcli.flow import build_flow
from dffcli.models.registry import build_model
from dffcli.video.reader import open_source

INTERVALS = (1, 2, 3, 5, 8, 10, 15)
TARGETS = (0.99, 0.98, 0.97, 0.96, 0.94, 0.9)


@dataclass
class RememberingModel:
    """A model that computes the features of a frame once."""

    inner: VideoModel
    known: dict[int, Features] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def task(self) -> Task:
        return self.inner.task

    @property
    def categories(self) -> tuple[Category, ...]:
        return self.inner.categories

    def prepare(self, frame: Frame) -> PreparedImage:
        return self.inner.prepare(frame)

    def features(self, image: PreparedImage) -> Features:
        if image.frame.index not in self.known:
            self.known[image.frame.index] = self.inner.features(image)
        return self.known[image.frame.index]

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Prediction:
        return self.inner.head(features, image, is_key=is_key)


def read_frames(folder: Path) -> list[Frame]:
    with open_source(str(folder)) as source:
        return list(source)


def read_truth(folder: Path) -> list[np.ndarray]:
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.glob("*.png"))]


@dataclass(frozen=True)
class Measured:
    """One variant: mean IoU in points, and the share of key frames."""

    iou: float
    key_share: float


def measure(
    model: VideoModel, frames: list[Frame], truth: list[np.ndarray], schedule: Schedule, *, flow: str, two_sided: bool
) -> Measured:
    counts, keys = 0, 0
    for result in Engine(model, build_flow(flow), schedule, two_sided=two_sided).run(_each(frames)):
        found = result.prediction
        if not isinstance(found, SegmentationMap):
            raise TypeError("expected a segmenter")
        counts = counts + confusion(truth[result.frame.index], found.category_ids, classes=11)
        keys += result.is_key
    return Measured(100 * mean_iou(counts), keys / len(frames))


def _each(frames: list[Frame]) -> Iterator[Frame]:
    yield from frames


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--weights", default="default")
    arguments.add_argument("--flow", default="dis")
    options = arguments.parse_args()
    weights = options.weights if options.weights == "default" else Path(options.weights)
    built = build_model("street-seg", weights=weights)
    model = RememberingModel(built.model)
    frames = read_frames(options.data / "camvid" / "val")
    truth = read_truth(options.data / "camvid" / "valannot")
    rows = []
    for interval in INTERVALS:
        schedule = FixedInterval(interval)
        hold = measure(model, frames, truth, schedule, flow="none", two_sided=False)
        causal = measure(model, frames, truth, schedule, flow=options.flow, two_sided=False)
        both = measure(model, frames, truth, schedule, flow=options.flow, two_sided=True)
        rows.append([interval, f"{both.key_share:.0%}", *(f"{value.iou:.1f}" for value in (hold, causal, both))])
        print(*rows[-1], file=sys.stderr)
    fixed = table(["key interval", "key frames", "hold", "causal", "two-sided"], rows)
    rows = []
    for target in TARGETS:
        causal, both = (
            measure(
                model,
                frames,
                truth,
                TargetAgreement(target, two_sided=two_sided),
                flow=options.flow,
                two_sided=two_sided,
            )
            for two_sided in (False, True)
        )
        rows.append([f"{target:g}", f"{both.key_share:.0%}", f"{causal.iou:.1f}", f"{both.iou:.1f}"])
        print(*rows[-1], file=sys.stderr)
    adaptive = table(["target agreement", "key frames", "causal", "two-sided"], rows)
    save(
        "camvid_interval",
        title="Mean IoU on CamVid val (101 frames at 15 Hz) by key interval",
        text=f"{built.weights_description}; flow {options.flow}.\n\nFixed:\n\n{fixed}\n\nAdaptive:\n\n{adaptive}",
        command="python benchmarks/camvid_interval.py",
    )


if __name__ == "__main__":
    main()
