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
from dffcli.categories import COCO
from dffcli.core.engine import Engine
from dffcli.core.protocols import VideoModel
from dffcli.core.schedule import FixedInterval
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.evaluation.detection_eval import category_names, run_over, translated
from dffcli.evaluation.detection_metrics import DetectionReport, Judged, box_iou, judge
from dffcli.evaluation.detection_readers import read_mot, read_yolo
from dffcli.flow import build_flow
from dffcli.models.registry import Weights, build_model

INTERVALS = (1, 10)
DAVIS = ("car-roundabout", "car-shadow", "parkour")
SCORE = 0.5  # what `dff detect` shows unless told otherwise


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


def is_found(picture: Judged, *, score: float) -> bool:
    """Whether a certain enough box of the object's class overlaps it by half."""
    rows = (picture.found.category_ids == picture.labels.category_ids[0]) & (picture.found.scores >= score)
    return any(box_iou(picture.labels.boxes[0], box) >= 0.5 for box in picture.found.boxes[rows])


def recalls(model: VideoModel, data: DetectionData, interval: int, *, two_sided: bool = True) -> tuple[float, float]:
    """Share of frames whose main object is found: by boxes that are shown, and by any of the 100 best."""
    sequences = translated(data.sequences, data.categories, model.categories)
    judged = run_over(sequences, partial(engine, model, interval, two_sided=two_sided)).pictures
    pictures = [Judged(p.labels, p.found.select(np.arange(len(p.found)) < 100)) for p in judged if len(p.labels)]
    shown = np.mean([is_found(picture, score=SCORE) for picture in pictures])
    return float(shown), float(np.mean([is_found(picture, score=0.0) for picture in pictures]))


def percent(value: float) -> float:
    return round(100 * value, 1)


WAYS = {"every frame": (1, True), "every 10": (10, True), "every 10, causal": (10, False)}


def results(model: VideoModel, data: Path) -> dict[str, dict[str, float]]:
    """Everything that is measured, in percent."""
    pets = read_mot(data / "pets09-s2l1")
    names = [category.name for category in COCO]
    coco = data / "coco"
    stills = measure(model, read_yolo(coco / "labels" / "val2017", coco / "images" / "val2017", names=names), 1)
    found = {"coco/val2017, AP50": {"six classes": percent(stills.ap50)}}
    found["coco/val2017, AP50"] |= {name: percent(value) for name, value in stills.class_ap50.items()}
    found["coco/val2017, AP50"] |= {"AP (0.50 to 0.95)": percent(stills.ap)}
    for title, (interval, two_sided) in WAYS.items():
        persons = measure(model, pets, interval, two_sided=two_sided)
        row = {"PETS person AP50": percent(persons.ap50), "PETS person AP": percent(persons.ap)}
        for name in DAVIS:
            shown, any_score = recalls(model, read_davis(data / "davis", name), interval, two_sided=two_sided)
            row |= {f"DAVIS {name} recall": percent(shown), f"{name}, any score": percent(any_score)}
        found[title] = row
    return found


def write_page(found: dict[str, dict[str, float]], *, input_size: int) -> None:
    columns = list(found["every frame"])
    text = table(["key frames", *columns], [[title, *found[title].values()] for title in WAYS])
    stills = found["coco/val2017, AP50"]
    text += "\n\nCOCO val2017 (83 pictures), AP50:\n\n" + table(list(stills), [list(stills.values())])
    text += "\n\nAll in percent. Recall: frames with a box of the right class, IoU >= 0.5, and "
    text += f"score >= {SCORE}, or any score among the 100 best boxes. Flow: DIS. Long side of the input: {input_size}."
    save("street_det", title="The bundled street detector", text=text, command="benchmarks/street_det.py")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--weights", type=Path, help="another network than the bundled one")
    options = arguments.parse_args()
    weights: Weights = options.weights or "default"
    model = build_model("street-det", weights=weights).model
    write_page(results(model, options.data), input_size=model.input_size)


if __name__ == "__main__":
    main()
