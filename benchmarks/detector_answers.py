"""What the detector answers at two sizes and mirrored, joined: better boxes than one look gives, to train it on.

The boxes of a class that overlap are joined to their mean, weighted by their scores (Weighted Boxes Fusion, arXiv
1910.13302); the score is the mean over all looks. Writes COCO JSON with all 80 classes, its pictures named from the
data folder on. `--judge` says what the joined answers are worth on COCO's val pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from common import parser
from dffcli.categories import COCO
from dffcli.core.types import Detections, Frame, UInt8Array
from dffcli.evaluation.detection_eval import read_picture
from dffcli.evaluation.detection_metrics import Judged, judge
from dffcli.evaluation.detection_readers import read_detection_data
from dffcli.geometry import box_iou
from dffcli.models.coco_det.build import build

SIZES = (512, 672)  # long sides
LOWEST = 0.1  # score of a look's box that takes part
WRITTEN = 0.15  # score of a joined box that is written
OVERLAP = 0.6  # at which two boxes show one object
HELD_OUT = (
    "pets_*|davis-car-roundabout*|davis-car-shadow*|davis-parkour*|camvid_0016E5_079[5-9]*|camvid_0016E5_08[01]*|"
    "v-nuscenes_mini*|v-test_video*"
)
EVERY = {"ped": 3, "camvid": 4, "v-car": 3}  # pictures of a source that resemble each other; all of the others

Look = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Boxes, scores and category ids."""


class Looks:
    """A detector that looks several times."""

    def __init__(self, network: Path) -> None:
        self._model: Any = build("coco-det", weights=network).model.with_lowest_score(LOWEST)  # type: ignore[attr-defined]

    def __call__(self, image: UInt8Array) -> Detections:
        looks = [self._look(image, size, mirrored) for size in SIZES for mirrored in (False, True)]
        return joined(looks)

    def _look(self, image: UInt8Array, size: int, mirrored: bool) -> Look:
        self._model.input_size = size
        shown = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
        prepared = self._model.prepare(Frame(0, shown, Fraction(0)))
        found = self._model.head(self._model.features(prepared), prepared, is_key=True)
        boxes = found.boxes.copy()
        if mirrored:
            boxes[:, [0, 2]] = image.shape[1] - found.boxes[:, [2, 0]]
        return boxes, found.scores, found.category_ids


def joined(looks: list[Look]) -> Detections:
    """One answer from several."""
    boxes, scores, ids = (np.concatenate([look[column] for look in looks]) for column in range(3))
    look_of = np.concatenate([np.full(len(look[1]), number) for number, look in enumerate(looks)])
    rows: list[tuple[float, np.ndarray, int]] = []
    for category in np.unique(ids):
        means, groups = np.zeros((0, 4), np.float32), list[list[int]]()
        for row in [row for row in np.argsort(-scores) if ids[row] == category]:
            overlaps = box_iou(boxes[row : row + 1], means)[0]
            best = int(overlaps.argmax()) if len(groups) else 0
            if not len(groups) or overlaps[best] < OVERLAP:
                groups.append([row])
                means = np.concatenate((means, boxes[row : row + 1]))
                continue
            groups[best].append(row)
            means[best] = np.average(boxes[groups[best]], axis=0, weights=scores[groups[best]])
        for mean, group in zip(means, groups, strict=True):
            best_of = {int(look_of[row]): float(scores[row]) for row in group[::-1]}  # each look counts once
            rows.append((sum(best_of.values()) / len(looks), mean, int(category)))
    rows.sort(key=lambda row: -row[0])
    return Detections(
        np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[0] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.int64),
    )


def pictures(data: Path) -> Iterator[Path]:
    """What is looked at: street pictures and COCO's training pictures."""
    counts: dict[str, int] = {}
    for path in sorted((data / "street-det" / "images").glob("*.jpg")):
        if any(fnmatch(path.name, pattern) for pattern in HELD_OUT.split("|")):
            continue
        source = next((name for name in EVERY if path.name.startswith(name)), "")
        counts[source] = counts.get(source, -1) + 1
        if counts[source] % EVERY.get(source, 1) == 0:
            yield path
    yield from sorted((data / "coco" / "images" / "train2017").glob("*.jpg"))


def write(look: Looks, data: Path, target: Path) -> None:
    images, annotations = [], list[dict[str, object]]()
    for number, path in enumerate(pictures(data), 1):
        image = read_picture(path)
        height, width = image.shape[:2]
        images.append({"id": number, "file_name": str(path.relative_to(data)), "height": height, "width": width})
        found = look(image)
        for box, score, category in zip(found.boxes, found.scores, found.category_ids, strict=True):
            if score < WRITTEN:
                break
            x1, y1, x2, y2 = (round(float(value), 1) for value in box)
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": int(category)}
            annotations.append(row | {"bbox": [x1, y1, x2 - x1, y2 - y1], "score": round(float(score), 3)})
    categories = [{"id": category.id, "name": category.name} for category in COCO]
    target.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("target", type=Path, nargs="?")
    arguments.add_argument("--judge", action="store_true")
    options = arguments.parse_args()
    look = Looks(options.network)
    if options.judge:
        names, coco = [category.name for category in COCO], options.data / "coco"
        data = read_detection_data(coco / "labels" / "val2017", images=coco / "images" / "val2017", names=names)
        ids = dict(enumerate(category.id for category in COCO))
        frames = [frame for sequence in data.sequences for frame in sequence.with_ids(ids).frames]
        judged = [Judged(frame.labels, look(read_picture(frame.path))) for frame in frames if frame.labels is not None]
        report = judge(judged, {category.id: category.name for category in COCO})
        print(f"AP50 {100 * report.ap50:.1f}, AP {100 * report.ap:.1f}, {len(report.class_ap50)} classes")
    if options.target:
        write(look, options.data, options.target)


if __name__ == "__main__":
    main()
