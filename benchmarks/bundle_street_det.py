"""Measure a trained street detector and bundle it: copies it to weights/ and writes its entry of the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from common import parser
from dffcli.models.registry import build_model
from street_det import results, write_page

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
    measured = results(model, options.data)
    write_page(measured, input_size=model.input_size)
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


if __name__ == "__main__":
    main()
