"""Speed-up of the heavy networks, networks only, two-sided, at key intervals of 10 and 20, on one thread.

Weights are random (times do not depend on them) and the pictures are the rendered clip's. Seconds are those of the
processor, which other programs on the machine cannot lengthen much; on one thread they are what a clock would show on a
core of its own. A frame in full is what every key frame is: the median over the key frames of all turns, those before
the turns included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from statistics import median
from time import perf_counter, process_time

import cv2

from common import RESULTS, machine, table
from dffcli._runtime import settle

settle()

import torch  # noqa: E402  # after the settings of the process

from dffcli import timing  # noqa: E402
from dffcli.bench import lanes as bench_lanes  # noqa: E402
from dffcli.bench.lanes import NetworkLane  # noqa: E402
from dffcli.bench.plan import Variant  # noqa: E402
from dffcli.bench.scene import Scene, standard_scene  # noqa: E402
from dffcli.bench.shelf import Shelf  # noqa: E402
from dffcli.flow import build_flow  # noqa: E402
from dffcli.models.registry import build_model  # noqa: E402
from dffcli.types import Frame  # noqa: E402

MODELS = (
    "deeplabv3_resnet101",
    "fcn_resnet101",
    "retinanet_resnet50_fpn_v2",
    "fasterrcnn_resnet50_fpn_v2",
)
INTERVALS = (10, 20)
TURN = 20  # frames: a whole number of both intervals


def frames_of(scene: Scene, count: int) -> Iterator[Frame]:
    for index in range(count):
        image = scene.image(index)
        yield Frame(index, image, Fraction(index, 25), luma=cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def key_seconds(lane: NetworkLane) -> list[float]:
    """Of the frames that a lane evaluated in full; making the input, some 10 ms, is left out, against the speed-up."""
    parts = [lane.watch.samples[stage] for stage in ("features", "head on key")]
    return [sum(frame) for frame in zip(*parts, strict=True)]


def measure(name: str, scene: Scene, *, turns: int) -> list[str]:
    model = build_model(name, weights="random").model
    flow = build_flow("dis")
    shelf = Shelf(frames_of(scene, 1 + turns * TURN), limit=1 + turns * TURN)
    lanes = [NetworkLane(Variant(name, interval, "dis"), model, flow, shelf.reader()) for interval in INTERVALS]
    shelf.fill(1 + turns * TURN)
    full: list[float] = []
    for lane in lanes:
        lane.turn(1)
        full += key_seconds(lane)
        lane.forget()
    seconds: dict[int, list[float]] = {interval: [] for interval in INTERVALS}
    for _ in range(turns):
        for lane in lanes:
            seconds[lane.variant.interval or 0].append(lane.turn(TURN).seconds / TURN)
    full += [second for lane in lanes for second in key_seconds(lane)]
    a_frame = median(full)
    watch = lanes[-1].watch
    carried = len(watch.samples["head"])
    parts = [1000 * watch.seconds(stage) / carried for stage in ("flow", "warp", "head")]
    return [
        name,
        f"{1000 * a_frame:.0f} ({1000 * min(full):.0f} to {1000 * max(full):.0f})",
        *(f"{part:.1f}" for part in parts),
        f"{a_frame * 1000 / sum(parts):.0f}",
        *(f"**{a_frame / median(seconds[interval]):.1f}x**" for interval in INTERVALS),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--models", nargs="*", default=MODELS)
    arguments.add_argument("--turns", type=int, default=1, help=f"of {TURN} frames")
    arguments.add_argument("--name", default="heavy", help="of the results file")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    timing.perf_counter = bench_lanes.perf_counter = process_time  # all that is timed below is the processor's time
    scene = standard_scene()
    header = [
        "network",
        "a frame in full, ms (range)",
        "flow x 2, ms",
        "warp and blend",
        "head",
        "full / propagated",
        *(f"faster at {interval}" for interval in INTERVALS),
    ]
    rows: list[list[str]] = []
    for name in options.models:
        started = perf_counter()
        rows.append(measure(name, scene, turns=options.turns))
        print(rows[-1], f"{perf_counter() - started:.0f} s", flush=True)
        page = (
            "# Heavy networks: networks only, two-sided, 640 x 360 pictures\n\n"
            f"`python benchmarks/heavy.py`, {machine()}\n\n{table(header, rows)}\n\n{__doc__.strip()}\n"
        )
        (RESULTS / f"{options.name}.md").write_text(page)  # after each network: they take minutes
    print(table(header, rows))


if __name__ == "__main__":
    main()
