"""Measure a trained street segmenter and bundle it: copies it to weights/ and writes its entry of the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from common import parser
from dffcli.evaluation.segment_eval import score_stills
from dffcli.evaluation.segment_source import parse_source
from dffcli.models.registry import build_model

WEIGHTS = Path(__file__).parents[1] / "weights"
HELD_OUT = (
    "davis-car-shadow*|davis-parkour*|frankfurt*|v-test_video*|ped_00114[89]*|ped_0011[5-9]*|ped_001[2-5]*"  # by source
)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("--command", required=True, help="the training command, for the manifest")
    options = arguments.parse_args()
    built = build_model("street-seg", weights=options.network)
    sources = {
        "camvid/val": parse_source(f"camvid:{options.data / 'camvid'},split=val"),
        "other streets (pseudo labels, held out)": parse_source(
            f"folder:{options.data / 'street-det/images'}:{options.data / 'street-seg/masks'},only={HELD_OUT}"
        ),
    }
    measured: dict[str, object] = {}
    for name, source in sources.items():
        score = score_stills(built.model, source.pictures())
        measured[name] = {
            "mean_iou": round(score.mean_iou, 2),
            "pictures": score.pictures,
            "class_iou": {kind: None if iou is None else round(iou, 1) for kind, iou in score.class_iou.items()},
        }
        print(name, json.dumps(measured[name]))
    target = WEIGHTS / "street-seg.safetensors"
    if options.network.resolve() != target.resolve():
        shutil.copyfile(options.network, target)
    manifest = WEIGHTS / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {"networks": {}}
    content["networks"]["street-seg"] = {
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "classes": [category.name for category in built.model.categories],
        "input_size": [360, 480],
        "license": "licenses/nanodet-g.txt",
        "start": "the backbone of coco-det.safetensors (NanoDet-g, trained on COCO by its author)",
        "training_command": options.command,
        "data": "CamVid train (367 labelled pictures); 1,238 street pictures of other places with pseudo labels",
        "measured": measured,
    }
    manifest.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
