"""What each model costs on a key frame and on a propagated one, and the speed-up that allows.

Random weights (costs do not depend on them), one thread, CPU time (which a busy machine disturbs least). The class
logits of one-stage detectors are shifted so that about 1000 boxes pass the threshold, as on a busy street; two-stage
detectors see a tenth of the key frame's proposals elsewhere (at least 50).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fractions import Fraction
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch

import common
from dffcli.core.blend import side_weights
from dffcli.core.types import Features, FlowField, Frame
from dffcli.core.warp import warp
from dffcli.flow import build_flow
from dffcli.models.registry import build_model, find_entry
from dffcli.models.torchvision.catalog import ENTRIES

PASSING = 1000  # boxes of a one-stage detector above its threshold
MOVED = 6  # pixels between the two key frames' neighbours
INTERVALS = (10, 20)


def frames(size: tuple[int, int]) -> list[Frame]:
    """Five smooth pictures, each moved to the right against the one before."""
    import cv2

    coarse = np.random.default_rng(0).integers(0, 256, (size[0] // 12, size[1] // 12 + 8, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (size[1] + 4 * MOVED, size[0]), interpolation=cv2.INTER_CUBIC)
    return [
        Frame(i, np.ascontiguousarray(wide[:, 4 * MOVED - i * MOVED :][:, : size[1]]), Fraction(i, 25))
        for i in range(5)
    ]


def cost(work: Any, *, rounds: int) -> tuple[float, Any]:
    """Median CPU milliseconds, and the last answer."""
    times = []
    for _ in range(rounds):
        began = process_time()
        answer = work()
        times.append((process_time() - began) * 1000)
    return median(times), answer


def crowd(model: Any, features: Features) -> Features:
    """Shift the class logits of a one-stage detector until `PASSING` boxes pass its threshold."""
    network = getattr(model, "_network", None)
    if not hasattr(network, "score_thresh") or not hasattr(network.head.classification_head, "cls_logits"):
        return features
    per_level = model._maps_per_level
    logits = torch.cat([level.flatten() for level in features[::per_level]])
    edge = logits.topk(PASSING).values[-1]
    shift = float(torch.logit(torch.tensor(network.score_thresh))) - float(edge)
    return tuple(level + shift if i % per_level == 0 else level for i, level in enumerate(features))


def measure(name: str, size: tuple[int, int], *, rounds: int) -> list[str]:
    model: Any = build_model(name, weights="default" if find_entry(name).is_bundled else "random").model
    flow = build_flow("dis")
    with torch.inference_mode():
        before, near, current, far, after = (model.prepare(frame) for frame in frames(size))
        tensor_cost, _ = cost(lambda: before.tensor, rounds=1)
        if rounds > 1:
            model.features(before)  # warm-up
        feature_cost, features = cost(lambda: model.features(before), rounds=rounds)
        features = crowd(model, features)
        key_head, _ = cost(lambda: model.head(features, before, is_key=True), rounds=rounds)
        behind = flow.estimate(before, near)
        flow.estimate(before, far, guess=flow.estimate(before, current, guess=behind))
        ahead = flow.estimate(after, far)

        def estimate() -> list[FlowField]:
            """Both fields of a frame amid others, as the engine asks for them: one search, one turned round."""
            return [flow.estimate(before, current, guess=behind), flow.estimate(after, current, guess=ahead)]

        flow_cost, fields = cost(estimate, rounds=3)
        flow_cost += cost(lambda: flow.reduce(model.prepare(current.frame)), rounds=3)[0]

        def carry() -> Features:
            one, other = side_weights(fields[0], fields[1], progress=0.5)
            return warp(features, fields[1], weight=other, onto=warp(features, fields[0], weight=one))

        carry()
        warp_cost, warped = cost(carry, rounds=3)
        head_cost, _ = cost(lambda: model.head(warped, current, is_key=False), rounds=3)
    key, rest = tensor_cost + feature_cost + key_head, flow_cost + warp_cost + head_cost
    ups = [key / (key / interval + (1 - 1 / interval) * rest) for interval in INTERVALS]
    shares = [tensor_cost, feature_cost, key_head, key, flow_cost, warp_cost, head_cost, rest]
    cells = [f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in shares]
    return [name, *cells, f"{rest / key:.1%}", *(f"{up:.1f}" for up in ups)]


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--models", default=",".join(entry.name for entry in ENTRIES))
    parser.add_argument("--size", default="640x360", help="of the frame, WIDTHxHEIGHT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--result", default="model_costs", help="name of the page under benchmarks/results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    width, height = (int(side) for side in options.size.split("x"))
    rows = []
    for name in options.models.split(","):
        rows.append(measure(name, (height, width), rounds=options.rounds))
        print(rows[-1], flush=True)
    header = [
        "model", "input", "features", "head on key", "key frame", "two flows", "two warps", "head", "propagated",
        "share", *(f"speed-up at {interval}" for interval in INTERVALS),
    ]  # fmt: skip
    text = common.table(header, rows) + (
        f"\n\nCPU milliseconds on one thread, frame {options.size}; two-sided propagation with DIS; speed-up of the "
        "network part alone, from these costs. Random weights fill every answer: Mask R-CNN draws 100 masks and SSD "
        "sorts all its boxes here, where `dff detect` asks only for what exceeds `--score-threshold`."
    )
    common.save(options.result, title="What each model costs", text=text, command="benchmarks/model_costs.py")


if __name__ == "__main__":
    main()
