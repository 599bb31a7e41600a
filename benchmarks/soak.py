"""An hour of video through the whole program: memory, threads and open files must not grow, no frame may be lost.

    uv run python benchmarks/soak.py [--minutes 60] [--rate 10] [--height 48 --width 64]

The hour is rendered first (a square that moves over a gradient), then segmented with random weights into an overlaid
video, COCO JSON and masks. Writes benchmarks/results/soak.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from time import perf_counter, process_time

import av
import numpy as np

from dffcli._runtime import settle

RESULT = Path(__file__).parent / "results" / "soak.md"
WARM_UP = 0.1  # share of the run after which nothing may grow
ALLOWED_GROWTH_MB = 24


def render(path: Path, *, frames: int, rate: int, size: tuple[int, int]) -> None:
    h, w = size
    rows, columns = np.indices((h, w))
    ground = np.stack((rows * 255 // h, columns * 255 // w, (rows + columns) % 256), axis=2).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        stream.codec_context.options = {"preset": "ultrafast"}
        stream.codec_context.time_base = Fraction(1, rate)
        for index in range(frames):
            picture = ground.copy()
            left, top = index % (w - 16), (index // 7) % (h - 16)
            picture[top : top + 16, left : left + 16] = (220, 40, 40)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def held() -> tuple[float, int, int]:
    """Resident memory in MB, threads, open files of this process."""
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return resident / 1024, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--height", type=int, default=48)
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()
    settle()
    from dffcli.core.types import FrameResult, Task
    from dffcli.run.config import RunConfig
    from dffcli.run.runner import Progress, annotate

    frames = options.minutes * 60 * options.rate
    step = max(1, frames // 20)
    samples: list[tuple[int, float, int, int]] = []

    def sample(_result: FrameResult, progress: Progress) -> None:
        if progress.frames % step == 0:
            gc.collect()
            samples.append((progress.frames, *held()))

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        render(place / "in.mp4", frames=frames, rate=options.rate, size=(options.height, options.width))
        outputs = (str(place / "out.mp4"), str(place / "out.json"), str(place / "masks"))
        began, used = perf_counter(), process_time()
        config = RunConfig(source=str(place / "in.mp4"), outputs=outputs, task=Task.SEGMENT, weights="random")
        report = annotate(config, on_frame=sample)
        seconds, used = perf_counter() - began, process_time() - used
        with av.open(outputs[0]) as container:
            in_video = sum(packet.size > 0 for packet in container.demux(video=0))
        in_json = len(json.loads(Path(outputs[1]).read_text())["images"])
        in_masks = sum(path.suffix == ".png" for path in Path(outputs[2]).iterdir())
        left = sorted(path.name for path in place.iterdir())

    warm = [row for row in samples if row[0] >= frames * WARM_UP]
    growth = warm[-1][1] - warm[0][1]
    lines = [
        "# A long video: what does not grow",
        "",
        f"{options.minutes} minutes at {options.rate} frames a second, {options.width} x {options.height}, "
        f"street-seg with random weights, adaptive schedule; overlaid video, COCO JSON and masks written. "
        f"2-core CPU, other work running beside it: {seconds:.0f} s of wall time, {1000 * used / frames:.1f} ms of CPU "
        f"a frame.",
        "",
        f"Frames: {frames} rendered, {report.frames} annotated, {in_video} in the video, {in_json} in the JSON, "
        f"{in_masks} masks. Files left beside them: {', '.join(left)}.",
        f"Memory after the first {WARM_UP:.0%}: {growth:+.1f} MB.",
        "",
        "| frames | resident MB | threads | open files |",
        "|---|---|---|---|",
        *(f"| {row[0]} | {row[1]:.0f} | {row[2]} | {row[3]} |" for row in samples),
    ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    exact = {report.frames, in_video, in_json, in_masks} == {frames}
    steady = growth < ALLOWED_GROWTH_MB and all(row[2] <= warm[0][2] and row[3] <= warm[0][3] for row in warm)
    if not (exact and steady and left == ["in.mp4", "masks", "out.json", "out.mp4"]):
        raise SystemExit("something grew, or frames were lost")


if __name__ == "__main__":
    main()
