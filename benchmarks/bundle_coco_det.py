"""Bundle the detector: the published NanoDet-g or a network trained from it, its calibration, its manifest entry.

The published weights are a file of tensors (layers as in `dffcli.models.coco_det.network`, BGR input); a trained
network is what `dff train detect` exports.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors.torch import load_file

from common import parser
from dffcli.categories import COCO
from dffcli.errors import WeightsError
from dffcli.files.network_file import load_network
from dffcli.models.coco_det.build import export, rebuild
from dffcli.models.coco_det.model import KIND
from dffcli.models.coco_det.network import CocoDetector

WEIGHTS = Path(__file__).parents[1] / "weights"


def read_network(path: Path) -> CocoDetector:
    """The network of a file: dff's own, or the published tensors, whose first convolution takes BGR."""
    try:
        return rebuild(load_network(path, kinds=(KIND,)), source=str(path))
    except WeightsError:
        tensors = {name: value.float() for name, value in load_file(path).items()}
        tensors["stem.weight"] = tensors["stem.weight"].flip(1)  # [32, 3, 3, 3], from BGR to RGB
        network = CocoDetector()
        network.load_state_dict(tensors)
        return network


def between(start: CocoDetector, trained: CocoDetector, *, share: float) -> CocoDetector:
    """The network whose weights lie between two, so far from the first (WiSE-FT, arXiv 2109.01903)."""
    weights = trained.state_dict()
    start.load_state_dict({name: value.lerp(weights[name], share) for name, value in start.state_dict().items()})
    return start


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("--command", required=True, help="how it was made, for the manifest")
    arguments.add_argument("--trained-on", default="COCO train2017, by its author", help="for the manifest")
    arguments.add_argument("--calibration", type=float, required=True, help="the score of its own that is told as 0.5")
    arguments.add_argument("--input-size", type=int, required=True)
    arguments.add_argument("--start", type=Path, help="the network it was trained from, to go only a part of the way")
    arguments.add_argument("--share", type=float, default=0.5, help="of the way from --start that is gone")
    options = arguments.parse_args()
    target = WEIGHTS / "coco-det.safetensors"
    calibration = (options.calibration,) * len(COCO)
    network = read_network(options.network)
    if options.start:
        network = between(read_network(options.start), network, share=options.share)
    export(target, network, categories=COCO, calibration=calibration, input_size=options.input_size)
    from detector import build_model, quality  # after the file is there

    manifest = WEIGHTS / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    entry = {
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "license": "licenses/nanodet-g.txt",
        "classes": [category.name for category in COCO],
        "input_size": options.input_size,
        "calibration": options.calibration,
        "training_command": options.command,
        "data": options.trained_on,
    }
    content["networks"][KIND] = entry
    manifest.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    entry["measured"] = quality(build_model(KIND).model, options.data)
    manifest.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
