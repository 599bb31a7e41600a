"""At which score of its own do a detector's finds and misses balance best (F1), on pictures it was trained on?

That score is what the detector tells as 0.5, so that the usual threshold means what it means elsewhere. It is looked
for on pictures that people labelled with all of COCO's classes, and told for each group of classes: one number serves
them all if they agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common import parser, table
from dffcli.categories import COCO
from dffcli.core.engine import Engine
from dffcli.core.protocols import VideoModel
from dffcli.core.schedule import FixedInterval
from dffcli.evaluation.detection_eval import run_over, translated
from dffcli.evaluation.detection_metrics import Judged
from dffcli.evaluation.detection_readers import read_detection_data
from dffcli.files.network_file import load_network
from dffcli.flow import build_flow
from dffcli.geometry import box_iou
from dffcli.models.coco_det.build import rebuild
from dffcli.models.coco_det.model import KIND, CocoDetModel

SCORES = np.arange(0.20, 0.61, 0.05)
STREET = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
GROUPS = {
    "person": (1, 1),
    "vehicles": (2, 9),
    "on the street": (10, 15),
    "animals": (16, 25),
    "bags, sports": (27, 43),
    "kitchen, food": (44, 61),
    "rooms": (62, 90),
}
"""First and last of COCO's ids."""

Find = tuple[int, float, bool]
"""Category id, score, and whether there is such an object."""


def group_of(category_id: int) -> str:
    """The group of COCO's classes that an id belongs to."""
    return next(name for name, (first, last) in GROUPS.items() if first <= category_id <= last)


def outcomes(picture: Judged) -> tuple[list[Find], list[int]]:
    """Every find that counts, and the category ids of the objects there were to find."""
    labels, found = picture.labels, picture.found
    counted = ~labels.is_ignored
    open_labels = set(np.flatnonzero(counted).tolist())
    finds: list[Find] = []
    overlaps = box_iou(found.boxes, labels.boxes)
    for row in np.argsort(-found.scores):
        category, score = int(found.category_ids[row]), float(found.scores[row])
        overlapping = np.flatnonzero((labels.category_ids == category) & (overlaps[row] >= 0.5)).tolist()
        hit = next((i for i in overlapping if i in open_labels), None)
        if hit is not None:
            open_labels.discard(hit)
            finds.append((category, score, True))
        elif all(counted[i] for i in overlapping):
            finds.append((category, score, False))
    return finds, labels.category_ids[counted].tolist()


def look_at(model: VideoModel, data: Path, split: str) -> tuple[list[Find], list[int]]:
    """Finds and objects on COCO's pictures of a split."""
    names = [category.name for category in COCO]
    pictures = read_detection_data(
        data / "coco" / "labels" / split, images=data / "coco" / "images" / split, names=names
    )
    sequences = translated(pictures.sequences, pictures.categories, model.categories)
    run = run_over(sequences, lambda: Engine(model, build_flow("none"), FixedInterval(1)))
    judged = [outcomes(picture) for picture in run.pictures]
    return [find for finds, _ in judged for find in finds], [i for _, objects in judged for i in objects]


def balance(finds: Sequence[Find], objects: Sequence[int], *, score: float) -> tuple[float, float, float]:
    """Precision, recall and F1 of the finds from a score on, 0..1."""
    told = [is_right for _, value, is_right in finds if value >= score]
    precision, recall = sum(told) / max(1, len(told)), sum(told) / max(1, len(objects))
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("--split", default="train2017")
    arguments.add_argument("--input-size", type=int)
    options = arguments.parse_args()
    file = load_network(options.network, kinds=(KIND,))
    model = CocoDetModel(
        rebuild(file, source=str(options.network)),
        categories=file.categories,
        calibration=(0.5,) * len(file.categories),  # its own scores, unshifted
        input_size=options.input_size or file.description["input_size"],
    )
    finds, objects = look_at(model, options.data, options.split)
    rows = []
    for group in ("all", *GROUPS):
        mine = [find for find in finds if group in ("all", group_of(find[0]))]
        there = [i for i in objects if group in ("all", group_of(i))]
        scores = [balance(mine, there, score=score) for score in SCORES]
        rows.append([group, len(there), *(f"{100 * p:.0f} / {100 * r:.0f} / {100 * f1:.0f}" for p, r, f1 in scores)])
    print("Precision / recall / F1 from each score of its own on\n")
    print(table(["classes", "objects", *(f"{score:.2f}" for score in SCORES)], rows))


if __name__ == "__main__":
    main()
