"""The light flow network beside classical flow: end-point error, what it gives the task, and what it costs."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import torch

from common import parser, save, table
from dffcli.core.engine import Engine
from dffcli.core.protocols import FlowEstimator
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Frame, PreparedImage
from dffcli.core.warp import resize_displacement
from dffcli.evaluation.segment_data import camvid_split, images_in, read_image
from dffcli.evaluation.segment_eval import score_video
from dffcli.flow import build_flow
from dffcli.models.registry import build_model
from dffcli.training.flow_pairs import MotionRange, make_pair

FLOWS = ("none", "dis-fast", "dis", "dis-fine", "farneback", "light")


def read_flo(path: Path) -> np.ndarray:
    """`(dx, dy)`, first picture -> second, `[h, w, 2]`."""
    content = path.read_bytes()
    width, height = np.frombuffer(content, np.int32, 2, offset=4)
    return np.frombuffer(content, np.float32, int(width * height) * 2, offset=12).reshape(height, width, 2)


def prepared(image: np.ndarray) -> PreparedImage:
    frame = Frame(0, image, Fraction(0))
    return PreparedImage(frame, frame.size, frame.size, lambda: torch.zeros(1))


def end_point_error(flow: FlowEstimator, data: Path) -> float:
    """Mean over the labelled pairs, in pixels of the full picture."""
    errors = []
    for path in sorted((data / "flow").glob("*_flow.flo")):
        number = path.name.split("_")[0]
        first, second = (read_image(path.with_name(f"{number}_img{i}.png")) for i in (1, 2))
        field = flow.estimate(prepared(second), prepared(first)).displacement  # current -> key: first -> second
        full = resize_displacement(field.float(), first.shape[:2])[0].permute(1, 2, 0).numpy()
        errors.append(np.linalg.norm(full - read_flo(path), axis=2).mean())
    return float(np.mean(errors))


def made_error(flow: FlowEstimator, data: Path) -> float:
    """Mean over 24 pairs with known motion, made from stills as the light network's training pairs are."""
    stills = images_in(data / "street-det" / "images")
    errors = []
    for number in range(24):
        pair = make_pair(stills, size=(192, 256), motion=MotionRange(), rng=np.random.default_rng([7, number]))
        key, current = (cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) for picture in (pair.key, pair.current))
        field = flow.estimate(prepared(key), prepared(current)).displacement
        full = resize_displacement(field.float(), (192, 256))[0].permute(1, 2, 0).numpy()
        errors.append(np.linalg.norm(full - pair.displacement, axis=2).mean())
    return float(np.mean(errors))


def milliseconds(flow: FlowEstimator, data: Path) -> float:
    """Median for a current frame of CamVid's size, the key frame's part of the work already done."""
    images = [read_image(item.image) for item in camvid_split(data / "camvid", "val")[:12]]
    key = prepared(images[0])
    flow.estimate(key, prepared(images[0]))
    times = []
    for image in images:
        current = prepared(image)
        started = perf_counter()
        flow.estimate(key, current)
        times.append(1000 * (perf_counter() - started))
    return median(times)


def main() -> None:
    options = parser(__doc__).parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    built = build_model("street-seg")
    video = camvid_split(options.data / "camvid", "val")
    rows = []
    for name in FLOWS:
        flow = build_flow(name)
        measures = (end_point_error, made_error, milliseconds)
        cells = [f"{measure(flow, options.data):.1f}" for measure in measures]
        for interval, two_sided in ((5, False), (10, False), (5, True), (10, True)):
            score = score_video(Engine(built.model, flow, FixedInterval(interval), two_sided), video)
            cells.append(f"{score.mean_iou:.1f}")
        rows.append([name, *cells])
        print(*rows[-1], file=sys.stderr)
    header = [
        "flow",
        "error, chairs",
        "error, made pairs",
        "ms",
        "causal 5",
        "causal 10",
        "two-sided 5",
        "two-sided 10",
    ]
    save(
        "light_flow",
        title="Flow for DFF: end-point error in pixels, cost on one thread, mean IoU on CamVid val",
        text=f"{built.weights_description}. End-point errors on 3 FlyingChairs pairs and on 24 made pairs, the "
        f"kind the light network learned from.\n\n{table(header, rows)}",
        command="python benchmarks/light_flow.py",
    )


if __name__ == "__main__":
    main()
