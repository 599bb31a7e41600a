"""Bundle a trained light flow network: copies it to weights/ and writes its entry of the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from common import parser
from dffcli.flow.light_file import build as build_light_flow
from light_flow import end_point_error, made_error

WEIGHTS = Path(__file__).parents[1] / "weights"


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("--command", required=True, help="the training command, for the manifest")
    options = arguments.parse_args()
    flow = build_light_flow(str(options.network), device="cpu")
    measured = {
        "end-point error, 3 FlyingChairs pairs": round(end_point_error(flow, options.data), 2),
        "end-point error, 24 made pairs": round(made_error(flow, options.data), 2),
    }
    print(measured)
    target = WEIGHTS / "light-flow.safetensors"
    if options.network.resolve() != target.resolve():
        shutil.copyfile(options.network, target)
    manifest = WEIGHTS / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["networks"]["light-flow"] = {
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "classes": [],
        "input_size": [192, 256],
        "training_command": options.command,
        "data": "pairs with known motion made from 2,381 stills (street-det's, without CamVid's val frames); no labels",
        "measured": measured,
    }
    manifest.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
