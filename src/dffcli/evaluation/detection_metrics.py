"""How good boxes are: COCO's mean average precision, and ImageNet VID's by speed of motion."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dffcli.core.types import Detections, Float32Array
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, LabelledSequence
from dffcli.geometry import box_iou

SPEEDS = {"slow": (0.9, 1.01), "medium": (0.7, 0.9), "fast": (-0.01, 0.7)}
"""Motion IoU of a track over +-`SPEED_REACH` frames, by name (Flow-Guided Feature Aggregation, section 6)."""
SPEED_REACH = 10  # frames
MAX_DETECTIONS = 100  # a picture, as COCO counts


@dataclass(frozen=True, slots=True)
class Judged:
    """One picture: what is on it and what was found.

    Attributes:
        labels: ground truth.
        found: the model's answer, in the same pixels and with the same category ids.
        motion_overlaps: for every label its track's mean IoU with itself within `SPEED_REACH` frames, `[N]`; NaN where
            unknown.
    """

    labels: BoxLabels
    found: Detections
    motion_overlaps: Float32Array | None = None


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """Average precisions, 0..1.

    Attributes:
        ap: mean over classes and IoU thresholds 0.5, 0.55 ... 0.95 (COCO).
        ap50: mean over classes at IoU 0.5.
        class_ap50: of every class that occurs, at IoU 0.5, by name.
        recall50: mean over classes of the share of objects found at IoU 0.5 with at most 100 boxes a picture.
        speed_ap50: mean over classes at IoU 0.5 of slow, medium and fast objects; empty without tracks.
        pictures: how many were judged.
        objects: how many labelled objects counted.
    """

    ap: float
    ap50: float
    class_ap50: dict[str, float]
    recall50: float
    speed_ap50: dict[str, float] = field(default_factory=dict)
    pictures: int = 0
    objects: int = 0


def motion_overlaps(sequence: LabelledSequence) -> list[Float32Array]:
    """For every frame's labels the mean IoU of their tracks with themselves up to `SPEED_REACH` frames away.

    Returns:
        one array `[N]` a frame (empty for unlabelled frames); NaN for labels without a track or alone in it.
    """
    boxes_at: list[dict[int, NDArray[np.float32]]] = []
    for frame in sequence.frames:
        labels = frame.labels
        ids = [] if labels is None else labels.track_ids.tolist()
        boxes_at.append({} if labels is None else {i: labels.boxes[k] for k, i in enumerate(ids) if i >= 0})
    result = []
    for index, frame in enumerate(sequence.frames):
        ids = [] if frame.labels is None else frame.labels.track_ids.tolist()
        means = []
        for track in ids:
            near = range(max(0, index - SPEED_REACH), min(len(boxes_at), index + SPEED_REACH + 1))
            others = [boxes_at[k][track] for k in near if k != index and track in boxes_at[k]]
            mine = boxes_at[index].get(track)
            means.append(box_iou(mine[None], np.stack(others)).mean() if mine is not None and others else np.nan)
        result.append(np.array(means, np.float32))
    return result


def judge(pictures: Sequence[Judged], categories: Mapping[int, str]) -> DetectionReport:
    """Average precisions over pictures.

    Args:
        pictures: all of them.
        categories: names by id; labels and finds of other ids are not looked at.

    Raises:
        DataError: no picture, or not one object of these categories is labelled.
    """
    counted = sum(
        int((np.isin(p.labels.category_ids, list(categories)) & ~p.labels.is_ignored).sum()) for p in pictures
    )
    if not counted:
        names = ", ".join(categories.values())
        raise DataError(f"nothing to judge by: {len(pictures)} pictures without a labelled {names or 'object'}")
    evaluation = _evaluate(pictures, categories)
    precision = evaluation.eval["precision"]  # [thresholds, recalls, classes, areas, numbers of boxes]
    recall = evaluation.eval["recall"]  # [thresholds, classes, areas, numbers of boxes]
    by_class = {categories[i]: _mean(precision[0, :, k, 0, -1]) for k, i in enumerate(evaluation.params.catIds)}
    speeds = {}
    if any(p.motion_overlaps is not None and np.isfinite(p.motion_overlaps).any() for p in pictures):
        for name, limits in SPEEDS.items():
            speeds[name] = _mean(_evaluate(pictures, categories, speed=limits).eval["precision"][0, :, :, 0, -1])
    return DetectionReport(
        ap=_mean(precision[:, :, :, 0, -1]),
        ap50=_mean(precision[0, :, :, 0, -1]),
        class_ap50={name: value for name, value in by_class.items() if not np.isnan(value)},
        recall50=_mean(recall[0, :, 0, -1]),
        speed_ap50=speeds,
        pictures=len(pictures),
        objects=counted,
    )


def _mean(values: NDArray[np.float64]) -> float:
    known = values[values > -1]  # pycocotools marks what does not occur with -1
    return float(known.mean()) if known.size else float("nan")


def _evaluate(
    pictures: Sequence[Judged], categories: Mapping[int, str], *, speed: tuple[float, float] | None = None
) -> COCOeval:
    """Run pycocotools.

    Objects of another speed are ignored as COCO ignores objects of another size: the `area` it compares with a range
    holds the motion IoU then, and every find lies within the range, so that a find without an object stays an error.
    """
    truths: list[dict[str, Any]] = []
    finds: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, 1):
        labels = picture.labels
        for row in np.flatnonzero(np.isin(labels.category_ids, list(categories))):
            x1, y1, x2, y2 = labels.boxes[row].tolist()
            area = (x2 - x1) * (y2 - y1)
            if speed is not None:
                overlap = np.nan if picture.motion_overlaps is None else float(picture.motion_overlaps[row])
                area = -1.0 if np.isnan(overlap) else overlap
            truth = {"id": len(truths) + 1, "image_id": number, "category_id": int(labels.category_ids[row])}
            ignored = int(labels.is_ignored[row])
            truths.append(truth | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": ignored})
        for row in np.flatnonzero(np.isin(picture.found.category_ids, list(categories))):
            x1, y1, x2, y2 = picture.found.boxes[row].tolist()
            category, score = int(picture.found.category_ids[row]), float(picture.found.scores[row])
            box = [x1, y1, x2 - x1, y2 - y1]
            finds.append({"image_id": number, "category_id": category, "bbox": box, "score": score})
    truth_set = COCO()
    truth_set.dataset = {
        "images": [{"id": number} for number in range(1, len(pictures) + 1)],
        "annotations": truths,
        "categories": [{"id": i, "name": name} for i, name in categories.items()],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
        truth_set.createIndex()
        found_set = truth_set.loadRes(finds) if finds else COCO()
        if not finds:
            found_set.dataset = truth_set.dataset | {"annotations": []}
            found_set.createIndex()
        evaluation = COCOeval(truth_set, found_set, "bbox")
        evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        if speed is not None:
            evaluation.params.areaRng = [list(speed)]
            for annotation in found_set.dataset["annotations"]:
                annotation["area"] = sum(speed) / 2
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation
