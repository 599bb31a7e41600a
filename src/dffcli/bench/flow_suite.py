"""What flow alone costs and loses, on a scene whose motion and labels are known: no network takes part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from time import perf_counter

import numpy as np
import torch

from dffcli.categories import CAMVID, Category
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Features, FlowField, Frame, PreparedImage, SegmentationMap, Task
from dffcli.core.warp import resize_displacement
from dffcli.evaluation.scene import Scene
from dffcli.evaluation.segment_metrics import confusion, mean_iou

GAPS = (1, 5, 10)  # frames between key and current frame
KEYS_EVERY = 12  # frames: where end-point errors are taken
INTERVALS = (5, 10, 20)  # frames


@dataclass(frozen=True, slots=True)
class FlowError:
    """End-point error of a flow estimator over a gap.

    Attributes:
        flow: its name.
        gap: frames between key and current frame.
        seen: mean distance from the exact flow where the point is seen in both frames, in pixels of the video.
        hidden: the same where the key frame does not show it.
        motion: mean length of the exact flow, in pixels.
        ms: median milliseconds of an estimate.
    """

    flow: str
    gap: int
    seen: float
    hidden: float
    motion: float
    ms: float


@dataclass(frozen=True, slots=True)
class Propagation:
    """Mean IoU of exact labels that a flow carried from exact key frames, over all frames that are no key frames."""

    flow: str
    interval: int
    two_sided: bool
    mean_iou: float


@dataclass(frozen=True)
class LabelCarrier:
    """A perfect segmenter that only looks at key frames: its features are the true labels."""

    scene: Scene
    name: str = "true labels"
    task: Task = Task.SEGMENT
    categories: tuple[Category, ...] = CAMVID

    def prepare(self, frame: Frame) -> PreparedImage:
        """The frame as it is; there is no tensor to make."""
        return PreparedImage(frame, frame.size, frame.size, lambda: torch.empty(0))

    def features(self, image: PreparedImage) -> Features:
        """One map for each class, 1 where it is and 0 elsewhere, `[1, 11, H, W]`."""
        labels = torch.from_numpy(self.scene.labels(image.frame.index)).long()
        maps = torch.nn.functional.one_hot(labels, len(self.categories)).float()  # [H, W, 11]
        return (maps.permute(2, 0, 1)[np.newaxis],)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        """The class with the highest map."""
        return SegmentationMap(features[0][0].argmax(0).to(torch.uint8).numpy())


def flow_errors(
    scene: Scene,
    frames: Sequence[Frame],
    flows: Sequence[FlowEstimator],
    *,
    on_step: Callable[[str], None] = lambda _doing: None,
) -> list[FlowError]:
    """End-point errors of each estimator over each gap, never across a cut.

    Each search starts from the field of the frame before, as in the engine, the flows taking turns at every frame.

    Args:
        scene: which is known.
        frames: its pictures, as decoded.
        flows: the estimators.
        on_step: told what is being done.
    """
    errors: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    seconds: dict[str, list[float]] = {flow.name: [] for flow in flows}
    for key in range(0, len(frames), KEYS_EVERY):
        on_step(f"flow from frame {key}")
        key_image = _plain(frames[key])
        fields: dict[str, FlowField | None] = {flow.name: None for flow in flows}
        for gap in range(1, min(max(GAPS) + 1, len(frames) - key)):
            if scene.shot(key) is not scene.shot(key + gap):
                break
            current = _plain(frames[key + gap])
            exact = scene.flow(key, key + gap) if gap in GAPS else None
            for flow in flows:
                started = perf_counter()
                field = flow.estimate(key_image, current, guess=fields[flow.name])
                seconds[flow.name].append(perf_counter() - started)
                fields[flow.name] = field
                if exact is not None:
                    errors.setdefault((flow.name, gap), []).append(_end_point_errors(field, *exact))
    return [
        FlowError(flow, gap, *_means(values), 1000 * median(seconds[flow]))
        for (flow, gap), values in sorted(errors.items(), key=lambda item: item[0][1])
    ]


def _means(values: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    seen, hidden, motion = (float(mean) for mean in np.nanmean(values, axis=0))
    return seen, hidden, motion


def _plain(frame: Frame) -> PreparedImage:
    return PreparedImage(frame, frame.size, frame.size, lambda: torch.empty(0))


def _end_point_errors(field: FlowField, exact: np.ndarray, seen: np.ndarray) -> tuple[float, float, float]:
    found = resize_displacement(field.displacement.cpu(), exact.shape[1:])[0].numpy()
    distance = np.hypot(*(found - exact))
    hidden = float(distance[~seen].mean()) if not seen.all() else float("nan")
    return float(distance[seen].mean()), hidden, float(np.hypot(*exact).mean())


def propagation(
    scene: Scene,
    frames: Sequence[Frame],
    flows: Sequence[FlowEstimator],
    *,
    intervals: Sequence[int] = INTERVALS,
    on_step: Callable[[str], None] = lambda _doing: None,
) -> list[Propagation]:
    """Carry true labels by each flow, as the engine carries features, causal and two-sided; cuts are met unaware.

    Args:
        scene: which is known.
        frames: its pictures, as decoded.
        flows: the estimators.
        intervals: between key frames.
        on_step: told what is being done.
    """
    truth = lru_cache(maxsize=len(frames))(scene.labels)
    found = []
    for interval in intervals:
        for flow in flows:
            for two_sided in (False, True):
                on_step(f"true labels carried by {flow.name}, key frame every {interval}")
                counts = np.zeros((len(CAMVID), len(CAMVID)), np.int64)
                for result in Engine(LabelCarrier(scene), flow, FixedInterval(interval), two_sided).run(frames):
                    if not result.is_key and isinstance(result.prediction, SegmentationMap):
                        answer = result.prediction.category_ids
                        counts += confusion(truth(result.frame.index), answer, classes=len(CAMVID))
                found.append(Propagation(flow.name, interval, two_sided, mean_iou(counts)))
    return found
