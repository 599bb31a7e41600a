"""How much memory a run takes: the peak of a process that does nothing else."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from dffcli._runtime import settle
from dffcli.errors import ModelError
from dffcli.run.config import RunConfig

WAIT_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Memory:
    """Peaks in bytes: resident in main memory, and torch's on the GPU if it ran there."""

    resident: int
    gpu: int | None


def measure_memory(config: RunConfig, *, frames: int) -> Memory:
    """Annotate the first frames of a video into an overlaid video, in a process of its own.

    Args:
        config: of the run, without outputs.
        frames: how many to run.

    Raises:
        ModelError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        task = _Task(replace(config, outputs=(str(Path(folder) / "out.mp4"),)), frames, answer)
        run = subprocess.run(
            [sys.executable, "-m", "dffcli.bench.memory"],
            input=pickle.dumps(task),
            capture_output=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        if run.returncode or not answer.is_file():
            last = (run.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"{config.model}: measuring its memory failed: {last}")
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


@dataclass(frozen=True, slots=True)
class _Task:
    """What the process is to do.

    Attributes:
        config: the run.
        frames: how many of it.
        answer: where to leave the figures.
    """

    config: RunConfig
    frames: int
    answer: Path


def _run(task: _Task) -> None:
    settle()
    import torch

    from dffcli.run.plan import plan
    from dffcli.run.runner import started

    with started(plan(task.config)) as run:
        for _ in zip(range(task.frames), run, strict=False):
            pass
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    task.answer.write_text(json.dumps({"resident": peak_resident_bytes(), "gpu": gpu or None}))


if __name__ == "__main__":
    from dffcli.bench.memory import _run as run  # by its own name, as it was pickled

    run(pickle.load(sys.stdin.buffer))
