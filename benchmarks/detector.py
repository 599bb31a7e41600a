"""How good a detector is, frame by frame, on what was not trained on, and what a key frame costs.

83 pictures of COCO val2017 (61 of the 80 classes occur), persons of PETS09-S2L1 (its parked cars are not labelled), and
the main object of three DAVIS sequences (all else in them is unlabelled: recall only). Each run adds or renews one
column of the page; the columns of other networks stay.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from statistics import median
from time import process_time

from dffcli._runtime import settle

settle()

import numpy as np  # noqa: E402  # after the settings of the process
import torch  # noqa: E402

from calibration import GROUPS, STREET, balance, group_of, look_at  # noqa: E402
from common import RESULTS, parser, save, table  # noqa: E402
from dffcli.categories import COCO  # noqa: E402
from dffcli.core.engine import Engine  # noqa: E402
from dffcli.core.protocols import VideoModel  # noqa: E402
from dffcli.core.schedule import FixedInterval  # noqa: E402
from dffcli.core.types import Frame  # noqa: E402
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence  # noqa: E402
from dffcli.evaluation.detection_eval import category_names, run_over, translated  # noqa: E402
from dffcli.evaluation.detection_metrics import DetectionReport, Judged, judge  # noqa: E402
from dffcli.evaluation.detection_readers import read_detection_data  # noqa: E402
from dffcli.flow import build_flow  # noqa: E402
from dffcli.geometry import box_iou  # noqa: E402
from dffcli.models.registry import Weights, build_model  # noqa: E402

DAVIS = ("car-roundabout", "car-shadow", "parkour")
SCORE = 0.5  # what `dff detect` shows unless told otherwise
COSTED_SIZE = (360, 640)  # height and width of the frame whose cost is measured
COLUMNS = RESULTS / "detector.json"


def per_frame(model: VideoModel) -> Engine:
    return Engine(model, build_flow("none"), FixedInterval(1))


def measure(model: VideoModel, data: DetectionData) -> DetectionReport:
    sequences = translated(data.sequences, data.categories, model.categories)
    return judge(run_over(sequences, lambda: per_frame(model)).pictures, category_names(model, data.categories))


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
    return bool((box_iou(picture.labels.boxes[:1], picture.found.boxes[rows]) >= 0.5).any())


def recall(model: VideoModel, data: DetectionData) -> float:
    """Share of frames whose main object is found by a box that is shown."""
    sequences = translated(data.sequences, data.categories, model.categories)
    pictures = run_over(sequences, lambda: per_frame(model)).pictures
    return float(np.mean([is_found(picture) for picture in pictures if len(picture.labels)]))


def percent(value: float) -> float:
    return round(100 * value, 1)


def quality(model: VideoModel, data: Path) -> dict[str, float]:
    """Everything that is measured of a detector's answers, in percent."""
    coco, names = data / "coco", [category.name for category in COCO]
    stills = measure(
        model, read_detection_data(coco / "labels" / "val2017", images=coco / "images" / "val2017", names=names)
    )
    ids = {category.name: category.id for category in COCO}
    found = {
        "COCO: AP50, 61 classes" if len(stills.class_ap50) == 61 else "COCO: AP50, its classes": percent(stills.ap50),
        "COCO: AP50, six street classes": percent(np.mean([stills.class_ap50[name] for name in STREET])),
    }
    for group in GROUPS:
        values = [value for name, value in stills.class_ap50.items() if group_of(ids[name]) == group]
        if values:
            found[f"COCO: AP50, {group} ({len(values)})"] = percent(np.mean(values))
    for split in ("val2017", "train2017"):
        precision, share, f1 = balance(*look_at(model, data, split), score=SCORE)
        found |= {f"COCO {split}: precision at {SCORE}": percent(precision)}
        found |= {f"COCO {split}: recall at {SCORE}": percent(share), f"COCO {split}: F1 at {SCORE}": percent(f1)}
    found["PETS: person AP50"] = percent(measure(model, read_detection_data(data / "pets09-s2l1")).ap50)
    for name in DAVIS:
        found[f"DAVIS {name}: recall at {SCORE}"] = percent(recall(model, read_davis(data / "davis", name)))
    return found


def costs(models: dict[str, VideoModel], *, rounds: int) -> dict[str, float]:
    """Processor milliseconds of a key frame (prepared, both networks) of each model, taking turns on one thread."""
    image = np.random.default_rng(0).integers(0, 256, (*COSTED_SIZE, 3), dtype=np.uint8)
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 2):
        for name, model in models.items():
            began = process_time()
            prepared = model.prepare(Frame(0, image, Fraction(0)))
            model.head(model.features(prepared), prepared, is_key=True)
            if turn >= 2:  # the first ones choose their kernels
                times[name].append((process_time() - began) * 1000)
    return {name: median(values) for name, values in times.items()}


def write_page(columns: dict[str, dict[str, float]]) -> None:
    rows = list(dict.fromkeys(name for column in columns.values() for name in column))
    text = table(["", *columns], [[name, *(column.get(name, "") for column in columns.values())] for name in rows])
    text += f"\n\nQuality in percent. Recall, precision and F1 at a score of {SCORE} and IoU 0.5; on COCO over all the "
    text += "classes a network has. Costs in processor milliseconds of a 640 x 360 key frame on one thread."
    save("detector", title="The bundled detector", text=text, command="benchmarks/detector.py")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", default="coco-det")
    arguments.add_argument("--weights", type=Path, help="another network than the bundled one")
    arguments.add_argument("--input-size", type=int, help="another long side than the network's own")
    arguments.add_argument("--title", help="of the column; the model's name if not given")
    arguments.add_argument("--against", help="a model whose key frame is timed in turn with this one's")
    arguments.add_argument("--rounds", type=int, default=15)
    options = arguments.parse_args()
    weights: Weights = options.weights or "default"
    model = build_model(options.model, weights=weights).model
    if options.input_size:
        model.input_size = options.input_size  # type: ignore[attr-defined]  # both bundled detectors have it
    torch.set_num_threads(1)
    column: dict[str, float] = {"input's long side": model.input_size} | quality(model, options.data)  # type: ignore[attr-defined]
    if options.against:
        other = build_model(options.against).model
        spent = costs({"this": model, "other": other}, rounds=options.rounds)
        column |= {"key frame, ms": round(spent["this"], 1)}
        column |= {f"key frame, times {options.against}'s": round(spent["this"] / spent["other"], 2)}
    columns = json.loads(COLUMNS.read_text()) if COLUMNS.is_file() else {}
    columns[options.title or options.model] = column
    COLUMNS.write_text(json.dumps(columns, indent=2) + "\n", encoding="utf-8")
    write_page(columns)


if __name__ == "__main__":
    main()
