"""The record of a training run: one JSON object a line, and a picture of it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from dffcli.errors import DataError
from dffcli.files.atomic import atomic_path, writing


class RunLog:
    """Appends records to a file; a resumed run first drops what lies beyond the step it resumes from.

    Args:
        path: the JSONL file.
        from_step: records of this step and later belong to work that was lost and will be done again.
    """

    def __init__(self, path: Path, *, from_step: int = 0) -> None:
        self.path = path
        kept = [record for record in read_log(path) if record["step"] < from_step] if path.exists() else []
        with atomic_path(path, overwrite=True) as part, writing(path), part.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in kept)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record.

        Raises:
            OutputError: it cannot be written.
        """
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """All complete records of a log; a last line cut short by a kill is passed over."""
    records = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise DataError(f"{path}:{number}: not a line of a training log") from error
    return records


def plot_log(records: list[dict[str, Any]], path: Path) -> None:
    """Draw every loss and every measure of a run over its steps into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves: dict[str, dict[str, list[tuple[int, float]]]] = {"losses": defaultdict(list), "measures": defaultdict(list)}
    for record in records:
        for kind, by_name in curves.items():
            for name, value in record.get(kind, {}).items():
                by_name[name].append((record["step"], value))
    figure = Figure(figsize=(9, 7), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (kind, by_name) in zip(figure.subplots(2, 1, sharex=True), curves.items(), strict=True):
        for name, points in by_name.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1.2)
        axes.set_ylabel(kind)
        axes.grid(alpha=0.3)
        if by_name:
            axes.legend(fontsize=8, ncols=3)
    axes.set_xlabel("step")
    with atomic_path(path, overwrite=True) as part, writing(path):
        figure.savefig(part, format="png", dpi=110)
