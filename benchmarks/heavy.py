"""Speed-up of the heavy networks, networks only, two-sided, at key intervals of 10 and 20.

Weights are random (times do not depend on them) and the pictures are the rendered clip's. Every frame in full costs the
same, so few of these are timed, before, between and after the turns with key frames; all in one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from statistics import median
from time import perf_counter

import cv2

from common import RESULTS, machine, table
from dffcli._runtime import settle

settle()

from dffcli.bench.lanes import NetworkLane  # noqa: E402  # after the settings of the process
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


def measure(name: str, scene: Scene, *, turns: int, full_frames: int) -> list[str]:
    model = build_model(name, weights="random").model
    flow = build_flow("dis")
    shelf = Shelf(frames_of(scene, 1 + turns * TURN), limit=1 + turns * TURN)
    full = NetworkLane(Variant(name), model, flow, shelf.reader())
    lanes = [NetworkLane(Variant(name, interval, "dis"), model, flow, shelf.reader()) for interval in INTERVALS]
    for lane in (full, *lanes):
        lane.turn(1)
        lane.forget()
    full_seconds: list[float] = []
    seconds: dict[int, list[float]] = {interval: [] for interval in INTERVALS}
    for _ in range(turns):
        for lane in lanes:
            full_seconds += [full.turn(1).seconds for _ in range(full_frames)]
            seconds[lane.variant.interval or 0].append(lane.turn(TURN).seconds / TURN)
    full_seconds += [full.turn(1).seconds for _ in range(full_frames)]
    a_frame = median(full_seconds)
    last = lanes[-1].watch
    carried = len(last.samples["head"])
    parts = [1000 * last.seconds(stage) / carried for stage in ("flow", "warp", "head")]
    ups = [a_frame / median(seconds[interval]) for interval in INTERVALS]
    spread = f"{1000 * min(full_seconds):.0f} to {1000 * max(full_seconds):.0f}"
    return [
        name,
        f"{1000 * a_frame:.0f} ({spread})",
        *(f"{part:.1f}" for part in parts),
        f"{a_frame * 1000 / sum(parts):.0f}x",
        *(f"**{up:.1f}x**" for up in ups),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--models", nargs="*", default=MODELS)
    arguments.add_argument("--turns", type=int, default=1, help=f"of {TURN} frames")
    arguments.add_argument("--full-frames", type=int, default=2, help="timed in full between two turns")
    arguments.add_argument("--name", default="heavy", help="of the results file")
    options = arguments.parse_args()
    scene = standard_scene()
    header = [
        "network",
        "every frame, ms (range)",
        "flow x 2, ms",
        "warp and blend",
        "head",
        "key / propagated",
        *(f"faster at {interval}" for interval in INTERVALS),
    ]
    rows: list[list[str]] = []
    for name in options.models:
        started = perf_counter()
        rows.append(measure(name, scene, turns=options.turns, full_frames=options.full_frames))
        print(rows[-1], f"{perf_counter() - started:.0f} s", flush=True)
        page = (
            "# Heavy networks: networks only, two-sided, 640 x 360 pictures\n\n"
            f"`python benchmarks/heavy.py`, {machine()}\n\n{table(header, rows)}\n\n{__doc__.strip()}\n"
        )
        (RESULTS / f"{options.name}.md").write_text(page)  # after each network: they take minutes
    print(table(header, rows))


if __name__ == "__main__":
    main()
