"""The paper's ablation on CamVid's 15 Hz clip: what is trained on its first half, measured on its second half.

Every row starts from the same two networks (a segmenter trained on single pictures, a flow network trained on pairs
made from stills) and gets the same number of steps on the labelled frames 0 to 49; it is measured on frames 50 to 100.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from common import parser, save, table
from dffcli.categories import CAMVID
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator
from dffcli.core.schedule import FixedInterval
from dffcli.evaluation.segment_data import LabelledPicture, as_video, camvid_split
from dffcli.evaluation.segment_eval import score_stills, score_video
from dffcli.files.network_file import bundled_file
from dffcli.flow import build_flow
from dffcli.flow.light import LightFlow
from dffcli.flow.light_file import load_light_flow
from dffcli.models.street.segmenter_model import StreetSegmentationModel, load_module
from dffcli.training.fit import FitSettings, fit
from dffcli.training.joint import Frozen, JointObjective, JointSegmenter
from dffcli.training.segment import PictureSet, SegmentSettings, class_weights

HALF = 50  # frames
MAX_OFFSET = 9  # frames: the intervals measured are up to 10


def tune(
    folder: Path, pictures: list[LabelledPicture], options_: FitSettings, *, frozen: Frozen, pairs: bool
) -> JointSegmenter:
    """Both networks after training on the first half; single pictures only unless `pairs`."""
    torch.manual_seed(0)
    segmenter = load_module(bundled_file("street-seg")[0])
    module = JointSegmenter(segmenter, load_light_flow(bundled_file("light-flow")[0]), frozen=frozen)
    shown = pictures if pairs else [replace(picture, earlier=()) for picture in pictures]
    weights = class_weights(pictures, classes=11)
    objective = JointObjective(
        module,
        sets=[PictureSet("first half", shown)],
        validation={},
        settings=SegmentSettings(classes=11, batch_size=4, view_size=(256, 320), class_weights=weights),
        max_offset=MAX_OFFSET,
    )
    result = fit(objective, options_, folder=folder)
    if not isinstance(result.module, JointSegmenter):
        raise TypeError("expected a joint network")
    return result.module


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=150)
    arguments.add_argument("--learning-rate", type=float, default=2e-4)
    arguments.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    options = arguments.parse_args()
    frames = as_video(camvid_split(options.data / "camvid", "val"), max_offset=MAX_OFFSET)
    train, test = frames[:HALF], frames[HALF:]
    settings = FitSettings(
        steps=options.steps,
        learning_rate=options.learning_rate,
        warmup_steps=10,
        average_decay=0.98,
        validate_every=0,
        precision=options.precision,
    )
    variants: list[tuple[str, Frozen, bool]] = [
        ("separate (single pictures; flow as it was)", "flow", False),
        ("flow frozen", "flow", True),
        ("features frozen", "features", True),
        ("all trained", "nothing", True),
    ]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, frozen, pairs) in enumerate(variants):
            module = tune(Path(scratch) / str(number), train, settings, frozen=frozen, pairs=pairs)
            model = StreetSegmentationModel(module.segmenter, name=name, categories=CAMVID)
            flows: list[FlowEstimator] = [LightFlow(module.flow)]
            if not pairs:
                flows += [build_flow("dis"), build_flow("none")]
            per_frame = score_stills(model, test).mean_iou
            for flow in flows:
                scores = [
                    score_video(Engine(model, flow, FixedInterval(interval)), test).mean_iou for interval in (5, 10)
                ]
                rows.append([name, flow.name, f"{per_frame:.1f}", *(f"{score:.1f}" for score in scores)])
                print(*rows[-1], file=sys.stderr)
    save(
        "camvid_ablation",
        title="Joint training on CamVid val: first half for training, second half measured (mean IoU, causal)",
        text=f"{options.steps} steps of 4 views, key frames up to {MAX_OFFSET} frames before.\n\n"
        + table(["trained on the first half", "flow", "per frame", "interval 5", "interval 10"], rows),
        command="python benchmarks/camvid_ablation.py",
    )


if __name__ == "__main__":
    main()
