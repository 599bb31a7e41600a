"""How much memory a run takes: the peak of a process that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dffcli._runtime import settle
from dffcli.errors import ModelError

WAIT_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Memory:
    """Peaks in bytes: resident in main memory, and torch's on the GPU if it ran there."""

    resident: int
    gpu: int | None


def measure_memory(options: dict[str, Any], *, frames: int) -> Memory:
    """Annotate the first frames of a video into an overlaid video, in a process of its own.

    Args:
        options: of `dffcli.run.config.RunConfig`, as JSON takes them; without outputs.
        frames: how many to run.

    Raises:
        ModelError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        task = {"options": options, "frames": frames, "output": str(Path(folder) / "out.mp4"), "answer": str(answer)}
        run = subprocess.run(
            [sys.executable, "-m", "dffcli.bench.memory", json.dumps(task)],
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        if run.returncode or not answer.is_file():
            last = (run.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"{options['model']}: measuring its memory failed: {last}")
        return Memory(**json.loads(answer.read_text()))


def peak_resident_bytes() -> int:
    """Peak resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _EnoughError(Exception):
    """Ends a run after the frames that were wanted."""


def _run(task: dict[str, Any]) -> None:
    settle()
    import torch

    from dffcli.core.types import FrameResult, Task
    from dffcli.run.config import RunConfig
    from dffcli.run.runner import annotate

    options = task["options"] | {"task": Task(task["options"]["task"])}
    if options.get("weights") not in (None, "default", "random"):
        options["weights"] = Path(options["weights"])
    left = task["frames"]

    def count(_result: FrameResult, _progress: object) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise _EnoughError

    with suppress(_EnoughError):
        annotate(RunConfig(outputs=(task["output"],), **options), on_frame=count)
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    Path(task["answer"]).write_text(json.dumps({"resident": peak_resident_bytes(), "gpu": gpu or None}))


if __name__ == "__main__":
    _run(json.loads(sys.argv[1]))
