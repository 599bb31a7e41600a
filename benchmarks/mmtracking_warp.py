"""How much mmtracking's sampling rule moves what it carries, beside the exact rule, on real clips.

Its grid is divided by the map's size instead of the size less one, so it reads nearer to the top left, by up to one
feature pixel at the far edges. Trained weights are used to that; here pictures averaged to the feature grid stand for
feature maps, DIS flow for the trained flow, and the frame's own averaged picture is what the carried one should be.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from common import parser, save, table
from dffcli.core.types import FlowField
from dffcli.core.warp import sampling_grid, warp
from dffcli.flow import build_flow
from dffcli.models.paper.prepare import MMTRACKING
from dffcli.video.reader import open_source

CLIPS = ("car-detection.mp4", "nuscenes_mini.mp4", "test_video.mp4", "01_dog.mp4")
STRIDE = 16  # input pixels a feature pixel
DISTANCE = 5  # frames from the key: the middle of an interval of 10


def reading_offset(height: int, width: int) -> Tensor:
    """How far from its own place the rule reads at zero flow, in feature pixels, `[h, w]`."""
    still = torch.zeros(1, 2, height, width)
    exact, theirs = sampling_grid(still), sampling_grid(still, grid="mmtracking")
    apart = (theirs - exact)[0] * torch.tensor([(width - 1) / 2, (height - 1) / 2])  # [h, w, 2]
    return apart.norm(dim=2)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--pairs", type=int, default=12)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    flow = build_flow("dis")
    rows = []
    for clip in CLIPS:
        errors: dict[str, list[float]] = {"held": [], "mmtracking": [], "exact": []}
        with open_source(str(options.data / "clips" / clip)) as source:
            frames = list(islice(source, options.pairs * DISTANCE + 1))
        for first in range(0, len(frames) - DISTANCE, DISTANCE):
            key, current = (MMTRACKING.prepare(frames[i], device="cpu") for i in (first, first + DISTANCE))
            field = flow.estimate(key, current)
            maps, wanted = (F.avg_pool2d(image.tensor, STRIDE) for image in (key, current))
            still = FlowField(torch.zeros_like(field.displacement))
            for name, used in (("held", still), ("mmtracking", replace(field, grid="mmtracking")), ("exact", field)):
                (carried,) = warp((maps,), used)
                errors[name].append(float((carried - wanted).abs().mean()) * 57.5)  # grey levels a deviation
        rows.append([clip, *(f"{sum(values) / len(values):.2f}" for values in errors.values())])
    offset = reading_offset(38, 63)
    mean = float(offset.mean())
    text = "\n\n".join(
        (
            f"At zero flow, on the 38 x 63 map of a 600 x 1000 input, it reads {mean:.2f} feature pixels "
            f"({mean * STRIDE:.0f} input pixels) away from each place on average and {float(offset.max()):.2f} at the "
            "far corner; the exact rule reads the place itself.",
            f"Pictures on the feature grid carried over {DISTANCE} frames, mean absolute error in grey levels:",
            table(["clip", "held, no flow", "mmtracking's rule", "exact rule"], rows),
            "This says how well each rule carries, not what detectors trained with either reach: for that, compare "
            "`--model dff-faster-rcnn-resnet50-dc5` with `-exact` on labelled video and the published weights.",
        )
    )
    save(
        "mmtracking_warp",
        title="mmtracking's sampling rule beside the exact one",
        text=text,
        command=f"python benchmarks/mmtracking_warp.py --pairs {options.pairs}",
    )


if __name__ == "__main__":
    main()
