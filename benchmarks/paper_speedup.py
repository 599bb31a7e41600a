"""What the paper's networks gain at a key interval of 10, on a real clip, beside what their operations promise.

Weights are random: the time of a convolution does not depend on them. Frames of both schedules take turns in one run,
and CPU seconds of one thread are counted, so that other work on the machine matters little.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from time import process_time
from typing import Any

import torch
from torch import nn

from common import parser, save, table
from dffcli.core.types import Frame
from dffcli.core.warp import warp
from dffcli.models.paper.build import build_network
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.rfcn import RfcnNetwork
from dffcli.models.registry import build_model
from dffcli.video.reader import open_source

INTERVAL = 10
PAPER_SPEED_UP = "5.0 (20.25 / 4.05 fps)"
STAGES = ("features", "head on key", "flow", "warp", "head")


def operations(network: nn.Module, run: Callable[[], object]) -> float:
    """Multiplications of the convolutions that a call runs through, in units of 10^9."""
    total = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        weight: torch.Tensor = module.weight  # type: ignore[assignment]
        grid = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        total += weight.numel() * grid.shape[2] * grid.shape[3]

    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [part.register_forward_hook(count) for part in convolutions]
    run()
    for hook in hooks:
        hook.remove()
    return total / 1e9


def counted(name: str, *, height: int, width: int) -> tuple[float, float, float]:
    """Operations of N_feat, of F and of the heads' convolutions on an input of this size."""
    with torch.device("meta"):
        network = build_network(NETWORKS[name])
        image = torch.empty(1, 3, height, width)
        features = torch.empty(1, 1024, -(-height // 16), -(-width // 16))
    if not isinstance(network, RfcnNetwork) or network.flow is None:
        raise TypeError(f"{name} is no R-FCN with flow")
    flow, half = network.flow, features[:, :512]
    heads = (network.rpn_score, network.rpn_delta, network.class_maps, network.box_maps)
    return (
        operations(network, lambda: network.features(image)),
        operations(network, lambda: flow(image, image)),
        operations(network, lambda: [head(half) for head in heads]),
    )


def measure(
    name: str, frames: list[Frame], *, rounds: int, known: dict[str, float]
) -> tuple[dict[str, float], tuple[int, int]]:
    """Median CPU seconds of every stage, and the size of the input.

    N_feat is the same network whatever the flow: where its time is known, it runs only once.
    """
    built = build_model(name, weights="random")
    model, estimator = built.model, built.flow
    if estimator is None:
        raise TypeError(f"{name} has no flow network")
    spent: dict[str, list[float]] = {stage: [] for stage in STAGES}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        started = process_time()
        result = work()
        spent[stage].append(process_time() - started)
        return result

    size = (0, 0)
    with torch.inference_mode():
        for turn in range(rounds + 1):  # the first turn warms up
            group = frames[turn * INTERVAL : turn * INTERVAL + 4]
            images = [model.prepare(frame) for frame in group]
            size = images[0].padded_size
            for image in images:
                image.tensor  # noqa: B018  # made here, so that no stage is charged for it
            if turn == 0 or "features" not in known:
                features = timed("features", lambda images=images: model.features(images[0]))
            timed("head on key", lambda f=features, images=images: model.head(f, images[0], is_key=True))
            for image in images[1:]:
                field = timed("flow", lambda image=image, images=images: estimator.estimate(images[0], image))
                moved = timed("warp", lambda f=features, field=field: warp(f, field))
                timed("head", lambda moved=moved, image=image: model.head(moved, image, is_key=False))
            if turn == 0:
                for values in spent.values():
                    values.clear()
    return {**known, **{stage: statistics.median(values) for stage, values in spent.items() if values}}, size


def speed_up(key: float, other: float) -> float:
    """Of an interval against every frame in full."""
    return INTERVAL * key / (key + (INTERVAL - 1) * other)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=4)
    arguments.add_argument("--clip", default="car-detection.mp4")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    with open_source(str(options.data / "clips" / options.clip), start=Fraction(1)) as source:
        frames = list(islice(source, (options.rounds + 1) * INTERVAL))
    rows, ratios = [], []
    known: dict[str, float] = {}
    for name in ("dff-rfcn-resnet101", "dff-rfcn-resnet101-half", "dff-rfcn-resnet101-inception"):
        spent, size = measure(name, frames, rounds=options.rounds, known=known)
        known = {"features": spent["features"]}
        key = spent["features"] + spent["head on key"]
        other = spent["flow"] + spent["warp"] + spent["head"]
        features, flow, heads = counted(name, height=size[0], width=size[1])
        promised = speed_up(features + heads, flow + heads)
        measured = speed_up(key, other)
        rows.append([name, *(f"{spent[stage] * 1e3:.0f}" for stage in STAGES), f"{measured:.2f}", f"{promised:.2f}"])
        at_600 = counted(name, height=600, width=1000)
        published = speed_up(at_600[0] + at_600[2], at_600[1] + at_600[2])
        ratios.append([name, *(f"{value:.2f}" for value in at_600), f"{at_600[0] / at_600[1]:.2f}", f"{published:.2f}"])
    h, w = size
    text = "\n\n".join(
        (
            f"`{options.clip}`, input {h} x {w}, random weights, CPU milliseconds of one thread, medians; "
            f"key interval {INTERVAL}, causal.",
            table(["model", *(f"{stage}, ms" for stage in STAGES), "speed-up measured", "of its operations"], rows),
            f"The paper's speed-up at this interval is {PAPER_SPEED_UP}, on another machine and framework. "
            "Operations at its 600 x 1000, in 10^9 multiplications:",
            table(["model", "N_feat", "F", "heads", "N_feat / F", f"speed-up promised at {INTERVAL}"], ratios),
        )
    )
    save(
        "paper_speedup",
        title="The paper's detector: key frames against every frame",
        text=text,
        command=f"python benchmarks/paper_speedup.py --rounds {options.rounds} --clip {options.clip}",
    )


if __name__ == "__main__":
    main()
