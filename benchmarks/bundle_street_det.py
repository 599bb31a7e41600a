"""Measure a trained street detector and bundle it: copies it to weights/ and writes its entry of the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from common import parser
from dffcli.models.labels import COCO
from dffcli.models.registry import build_model
from dffcli.training.detection_readers import read_mot, read_yolo
from street_det import DAVIS, measure, read_davis, recall

WEIGHTS = Path(__file__).parents[1] / "weights"
DATA = (
    "2,296 street, pedestrian and everyday pictures with boxes by a detector, not checked by hand (none of PETS09, of "
    "DAVIS car-roundabout, car-shadow and parkour, or of CamVid's val); 76 pictures of COCO train2017, by people"
)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("--command", required=True, help="the training command, for the manifest")
    options = arguments.parse_args()
    model = build_model("street-det", weights=options.network).model
    pets = read_mot(options.data / "pets09-s2l1")
    folder = options.data / "coco"
    names = [category.name for category in COCO]
    stills = measure(model, read_yolo(folder / "labels" / "val2017", folder / "images" / "val2017", names=names), 1)
    measured: dict[str, object] = {
        "coco/val2017 (83 pictures)": {
            "AP50": round(100 * stills.ap50, 1),
            "AP": round(100 * stills.ap, 1),
            "class_AP50": {name: round(100 * value, 1) for name, value in stills.class_ap50.items()},
        }
    }
    for interval, title in ((1, "every frame"), (10, "every 10 frames")):
        measured[f"pets09-s2l1, person, {title}"] = {"AP50": round(100 * measure(model, pets, interval).ap50, 1)}
        measured[f"davis, main object, {title}"] = {
            f"{name} recall": round(100 * recall(model, read_davis(options.data / "davis", name), interval), 1)
            for name in DAVIS
        }
    target = WEIGHTS / "street-det.safetensors"
    if options.network.resolve() != target.resolve():
        shutil.copyfile(options.network, target)
    manifest = WEIGHTS / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["networks"]["street-det"] = {
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "classes": [category.name for category in model.categories],
        "input_size": model.input_size,
        "training_command": options.command,
        "data": DATA,
        "measured": measured,
    }
    manifest.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
