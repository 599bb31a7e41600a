"""What the libraries cost that `dff detect` no longer imports: seconds to start a program that does nothing else."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

from common import parser, save, table

PROGRAMS = {
    "torch": "import torch",
    "torch and torchvision's operators": "import torch, torchvision.ops",
    "torch and SciPy's assignment": "import torch, scipy.optimize",
    "the bundled detector": "import dffcli.run.runner, dffcli.models.coco_det.build",
}
ROUNDS = 5


def seconds(program: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return perf_counter() - began


def main() -> None:
    parser(__doc__).parse_args()
    for program in PROGRAMS.values():
        seconds(program)  # compiles what is not yet compiled
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, program in PROGRAMS.items():
            taken[name].append(seconds(program))
    rows = [[name, f"{median(times):.1f}"] for name, times in taken.items()]
    save(
        "start",
        title="What it takes to start",
        text=f"{table(['program that imports', 'seconds'], rows)}\n\n{(__doc__ or '').strip()}",
        command="python benchmarks/start.py",
    )


if __name__ == "__main__":
    main()
