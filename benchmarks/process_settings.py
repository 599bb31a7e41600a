"""What the settings of the process are worth that dff makes before it imports torch and OpenCV.

Each setting is taken back by itself, as the libraries have it, in processes of their own: the bundled segmenter's
feature network on all cores (median, wall time), and a video file to overlaid H.264 (frames a second, and the
processor's time a frame), on an idle machine and beside as many busy programs as there are cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from common import parser, save, table
from dffcli._runtime import settle

AS_THE_LIBRARIES_HAVE_IT = {
    "as dff sets them": {},
    "OpenMP waits spinning": {"OMP_WAIT_POLICY": "ACTIVE"},
    "OpenMP waits spinning for 10,000 rounds": {"GOMP_SPINCOUNT": "10000"},
    "OpenCV takes all cores": {"OPENCV_FOR_THREADS_NUM": str(os.cpu_count() or 1)},
    "freed memory goes back": {"MALLOC_TRIM_THRESHOLD_": str(128 << 10)},
}
"""What to set in the environment to take back one of dff's settings: what is set there already, dff leaves alone."""

ROUNDS = 30  # of the feature network
REPEATS = 3  # of the whole way
BUSY = "while True: pass"


def measure(clip: str) -> dict[str, float]:
    """All figures of this process."""
    settle()
    from dffcli.core.types import Task
    from dffcli.formats.sink import OutputOptions
    from dffcli.models.registry import build_model
    from dffcli.run.config import RunConfig
    from dffcli.run.runner import annotate
    from dffcli.video.reader import open_source

    model = build_model("street-seg").model
    with open_source(clip) as source:
        image = model.prepare(next(iter(source)))
    taken = []
    for _ in range(ROUNDS):
        began = perf_counter()
        model.features(image)
        taken.append(perf_counter() - began)
    config = RunConfig(clip, (clip + ".out.mp4",), Task.SEGMENT, schedule="fixed", output=OutputOptions(overwrite=True))
    fps, spent = [], []
    for _ in range(REPEATS):
        began = process_time()
        report = annotate(config)
        fps.append(report.fps)
        spent.append((process_time() - began) / report.frames)
    return {"features": 1000 * median(taken), "fps": median(fps), "cpu": 1000 * median(spent)}


def in_a_process(clip: Path, environment: dict[str, str], *, busy: int) -> dict[str, float]:
    """The figures of a process with these settings, beside so many busy programs."""
    with ExitStack() as stack:
        for _ in range(busy):
            other = subprocess.Popen([sys.executable, "-c", BUSY])
            stack.callback(other.wait)
            stack.callback(other.kill)
        run = subprocess.run(
            [sys.executable, __file__, "--clip", str(clip)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
    figures: dict[str, float] = json.loads(run.stdout)
    return figures


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--clip", help="measure this process alone, on this clip")
    options = arguments.parse_args()
    if options.clip:
        print(json.dumps(measure(options.clip)))
        return
    from dffcli.evaluation.scene import standard_scene
    from dffcli.evaluation.scene_files import write_clip

    cores = os.cpu_count() or 1
    rows = []
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(standard_scene(), clip)
        for name, environment in AS_THE_LIBRARIES_HAVE_IT.items():
            cells = []
            for busy in (0, cores):
                found = in_a_process(clip, environment, busy=busy)
                cells += [f"{found['features']:.0f}", f"{found['fps']:.0f}", f"{found['cpu']:.1f}"]
            rows.append([name, *cells])
            print(rows[-1], flush=True)
    header = ["settings", "features, ms", "fps, file to file", "CPU ms a frame"]
    header += [f"beside {cores} busy programs: features, ms", "fps", "CPU ms a frame"]
    save(
        "process_settings",
        title="Settings of the process",
        text=f"{table(header, rows)}\n\n{(__doc__ or '').strip()}",
        command="python benchmarks/process_settings.py",
    )


if __name__ == "__main__":
    main()
