"""What a run costs against picture size, key interval, number of classes and length of the video.

The rendered clip, scaled to each size; the bundled segmenter; two-sided, DIS flow. Times are the processor's, on one
thread: other programs on the machine cannot lengthen them much, and on a core of its own a clock would show the same.
Parts can be measured one by one: `python benchmarks/scaling.py sizes intervals classes lengths`.
"""

from __future__ import annotations

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2
import numpy as np

from common import RESULTS, machine, table
from dffcli._runtime import settle

settle()

import torch  # noqa: E402  # after the settings of the process

from dffcli.bench import lanes  # noqa: E402
from dffcli.bench.memory import measure_memory  # noqa: E402
from dffcli.bench.plan import BenchPlan  # noqa: E402
from dffcli.bench.result import BenchResult, VariantResult  # noqa: E402
from dffcli.bench.run import bench  # noqa: E402
from dffcli.core import timing  # noqa: E402
from dffcli.core.types import SourceInfo, Task  # noqa: E402
from dffcli.evaluation.scene import RATE, standard_scene  # noqa: E402
from dffcli.models.label_map import upsample_argmax  # noqa: E402
from dffcli.run.config import RunConfig  # noqa: E402
from dffcli.video.writer import VideoWriter  # noqa: E402

MODEL = "street-seg"
SIZES = ((360, 640), (480, 854), (720, 1280), (1080, 1920))
INTERVALS = (1, 2, 5, 10, 20, 40)  # frames
CLASSES = (2, 11, 19, 21, 60, 150)
LENGTHS = (10, 60, 600)  # seconds
LENGTH_SIZE = (180, 320)  # long videos are small ones here: it is growth that is looked for
REPEATS = 15


def write(path: Path, size: tuple[int, int], *, frames: int) -> Path:
    """The rendered clip in another size, played to and fro until it is long enough."""
    scene = standard_scene()
    pictures = [cv2.resize(scene.image(index), size[::-1], interpolation=cv2.INTER_AREA) for index in range(41)]
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    info = SourceInfo(path.stem, size, Fraction(1, 12800), Fraction(RATE), frames)
    with VideoWriter(path, info=info, preset="ultrafast") as writer:
        for index in range(frames):
            picture = there_and_back[index % len(there_and_back)]
            writer.write(np.asarray(picture, np.uint8), Fraction(index, RATE), Fraction(1, RATE))
    return path


def compared(path: Path, intervals: tuple[int, ...], *, frames: int, memory: bool) -> BenchResult:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    timing.perf_counter = lanes.perf_counter = process_time
    plan = BenchPlan(str(path), (MODEL,), intervals=intervals, frames=frames, memory=memory, end_to_end=False)
    return bench(plan)


def speed_cells(v: VariantResult) -> list[str]:
    return [f"{1000 / v.network.fps.median:.1f}", f"{v.network.speed_up.median:.1f}x"]


SPEED_HEADER = ["network, CPU ms a frame", "faster"]


def sizes(folder: Path, options: argparse.Namespace) -> str:
    rows = []
    for h, w in SIZES:
        result = compared(
            write(folder / f"{h}.mp4", (h, w), frames=options.frames + 11), (1, 10), frames=options.frames, memory=True
        )
        for v in result.variants:
            ms = v.stage_ms
            parts = [ms["prepare"] + ms["features"], ms["flow"], ms["warp"], ms["head on key"] + ms["head"]]
            memory = f"{(v.peak_bytes or 0) / 1e6:.0f}"
            rows.append([f"{w} x {h}", v.variant.keys, *speed_cells(v), *(f"{part:.1f}" for part in parts), memory])
        print(rows[-2:], flush=True)
    header = ["picture", "key frames", *SPEED_HEADER, "features", "flow", "warp", "head"]
    return "## Picture size\n\n" + table([*header, "memory, MB"], rows)


def intervals(folder: Path, options: argparse.Namespace) -> str:
    result = compared(
        write(folder / "intervals.mp4", SIZES[0], frames=options.frames + 41),
        INTERVALS,
        frames=max(options.frames, max(INTERVALS)),
        memory=False,
    )
    rows = [[v.variant.keys, *speed_cells(v), f"{v.latency.max_ms:.0f}"] for v in result.variants]
    return "## Key interval, 640 x 360\n\n" + table(["key frames", *SPEED_HEADER, "longest latency, CPU ms"], rows)


def classes(_folder: Path, _options: argparse.Namespace) -> str:
    """The label map of a frame from coarse logits, as blobs of realistic size."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    rows = []
    for count in CLASSES:
        cells = [f"{count}"]
        for h, w in (SIZES[0], SIZES[-1]):
            noise = rng.standard_normal((count, h // 8, w // 8)).astype(np.float32)
            logits = np.stack([cv2.GaussianBlur(layer, (0, 0), 4) for layer in noise])
            taken = []
            for _ in range(REPEATS):
                started = process_time()
                upsample_argmax(logits, (h, w))
                taken.append(process_time() - started)
            cells.append(f"{1000 * median(taken):.1f}")
            values = torch.from_numpy(logits)[None]
            started = process_time()
            torch.nn.functional.interpolate(values, (h, w), mode="bilinear").argmax(1)
            cells.append(f"{1000 * (process_time() - started):.1f}")
        rows.append(cells)
    header = ["classes", "640 x 360", "torch's interpolate and argmax", "1920 x 1080", "torch's"]
    return "## Number of classes: CPU milliseconds for the label map of a frame\n\n" + table(header, rows)


def lengths(folder: Path, options: argparse.Namespace) -> str:
    rows = []
    for seconds in options.seconds:
        frames = seconds * RATE
        path = write(folder / f"{seconds}.mp4", LENGTH_SIZE, frames=frames)
        run = RunConfig(str(path), (), Task.SEGMENT, model=MODEL, key_interval=10)
        started = perf_counter()
        memory = measure_memory(run, frames=frames)
        taken = perf_counter() - started
        rows.append([f"{seconds} s", f"{frames}", f"{memory.resident / 1e6:.0f}", f"{frames / taken:.0f}"])
        print(rows[-1], flush=True)
    header = ["video", "frames", "peak memory, MB", "fps, starting the program included"]
    return "## Length of the video, 320 x 180, key frame every 10\n\n" + table(header, rows)


PARTS = {"sizes": sizes, "intervals": intervals, "classes": classes, "lengths": lengths}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    arguments.add_argument("--frames", type=int, default=40, help="measured for each variant")
    arguments.add_argument("--seconds", type=int, nargs="*", default=LENGTHS, help="lengths of the videos")
    options = arguments.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for name in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            text = PARTS[name](Path(folder), options)
        page = f"# What a run costs: {name}\n\n`python benchmarks/scaling.py {name}`, {machine()}\n\n{text}\n"
        (RESULTS / f"scaling_{name}.md").write_text(page)
        print(page, flush=True)


if __name__ == "__main__":
    main()
