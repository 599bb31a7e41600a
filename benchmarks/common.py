"""What the benchmark scripts share: where the data lies, what machine this is, and tables on screen and on disk."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments that every script takes."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    return arguments


def machine() -> str:
    """The machine in words: cores and libraries, no names."""
    import torch

    vector = "AVX-512" if "avx512" in torch.backends.cpu.get_cpu_capability().lower() else "no AVX-512"
    return f"{os.cpu_count()}-core {platform.machine()} CPU ({vector}), torch {torch.__version__.split('+')[0]}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def save(name: str, *, title: str, text: str, command: str) -> None:
    """Print a result and keep it under benchmarks/results."""
    page = f"# {title}\n\n`{command}`, {machine()}\n\n{text}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(page)
    print(page)
