"""How good the bundled street-det is, per frame and with Deep Feature Flow every 10 frames.

Nothing of what is measured on was trained on: persons of PETS09-S2L1 (its parked cars are not labelled), six classes of
83 pictures of COCO val2017, and the main object of three DAVIS sequences (all else in them is unlabelled: recall only).
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

from common import parser, save, table
from dffcli.engine import Engine
from dffcli.flow import build_flow
from dffcli.models.labels import COCO
from dffcli.models.registry import Weights, build_model
from dffcli.protocols import VideoModel
from dffcli.schedule import FixedInterval
from dffcli.training.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.training.detection_eval import category_names, run_over, translated
from dffcli.training.detection_metrics import DetectionReport, Judged, box_iou, judge
from dffcli.training.detection_readers import read_mot, read_yolo

INTERVALS = (1, 10)
DAVIS = ("car-roundabout", "car-shadow", "parkour")
SCORE = 0.3  # boxes that a user would look at


def engine(model: VideoModel, interval: int, *, two_sided: bool = True) -> Engine:
    return Engine(model, build_flow("dis"), FixedInterval(interval), two_sided=two_sided)


def measure(model: VideoModel, data: DetectionData, interval: int, *, two_sided: bool = True) -> DetectionReport:
    sequences = translated(data.sequences, data.categories, model.categories)
    run = run_over(sequences, partial(engine, model, interval, two_sided=two_sided))
    return judge(run.pictures, category_names(model, data.categories))


def read_davis(folder: Path, name: str) -> DetectionData:
    """A sequence and its main object."""
    content = json.loads((folder / "davis_boxes_from_masks.json").read_text())[name]
    pictures = sorted((folder / "JPEGImages").rglob(f"{name}/*.jpg"))
    frames = tuple(
        LabelledFrame(path, None if box is None else BoxLabels.from_rows([box], [1]))
        for path, box in zip(pictures, content["boxes_xyxy"], strict=True)
    )
    return DetectionData((LabelledSequence(name, frames),), ((1, content["class"]),))


def is_found(picture: Judged) -> bool:
    """Whether a certain enough box of the object's class overlaps it by half."""
    rows = (picture.found.category_ids == picture.labels.category_ids[0]) & (picture.found.scores >= SCORE)
    return any(box_iou(picture.labels.boxes[0], box) >= 0.5 for box in picture.found.boxes[rows])


def recall(model: VideoModel, data: DetectionData, interval: int, *, two_sided: bool = True) -> float:
    sequences = translated(data.sequences, data.categories, model.categories)
    pictures = run_over(sequences, partial(engine, model, interval, two_sided=two_sided)).pictures
    return float(np.mean([is_found(picture) for picture in pictures if len(picture.labels)]))


def percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--weights", type=Path, help="another network than the bundled one")
    arguments.add_argument("--input-size", type=int, help="another long side than the network's own")
    options = arguments.parse_args()
    weights: Weights = options.weights or "default"
    model = build_model("street-det", weights=weights).model
    if options.input_size:
        model.input_size = options.input_size
    pets = read_mot(options.data / "pets09-s2l1")
    folder = options.data / "coco"
    names = [category.name for category in COCO]
    coco = read_yolo(folder / "labels" / "val2017", folder / "images" / "val2017", names=names)
    rows = []
    for interval, two_sided, title in (
        (1, True, "every frame"),
        (10, True, "every 10"),
        (10, False, "every 10, causal"),
    ):
        persons = measure(model, pets, interval, two_sided=two_sided)
        found = [recall(model, read_davis(options.data / "davis", n), interval, two_sided=two_sided) for n in DAVIS]
        rows.append([title, percent(persons.ap50), percent(persons.ap), *map(percent, found)])
    stills = measure(model, coco, 1)
    classes = list(stills.class_ap50)
    text = table(["key frames", "PETS person AP50", "PETS person AP", *(f"DAVIS {n} recall" for n in DAVIS)], rows)
    text += "\n\nCOCO val2017 (83 pictures), AP50 in percent:\n\n"
    values = [percent(stills.ap50), *(percent(stills.class_ap50[name]) for name in classes), percent(stills.ap)]
    text += table(["six classes", *classes, "AP (0.50 to 0.95)"], [values])
    text += f"\n\nRecall: share of frames with a box of the right class, score >= {SCORE}, IoU >= 0.5. Flow: DIS."
    text += f" Input: long side {model.input_size}."
    save("street_det", title="The bundled street detector", text=text, command="benchmarks/street_det.py")


if __name__ == "__main__":
    main()
