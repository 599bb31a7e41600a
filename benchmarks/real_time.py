"""Do the bundled networks keep up with 25 frames a second? Decode, networks, drawing and H.264, in wall time.

The rendered clip (640 x 360) goes to an overlaid mp4, fixed interval 10 and adaptive, three times each; medians.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from common import parser, save, table
from dffcli._runtime import settle
from dffcli.core.types import Task
from dffcli.evaluation.scene import standard_scene
from dffcli.evaluation.scene_files import write_clip
from dffcli.formats.sink import OutputOptions
from dffcli.run.config import RunConfig
from dffcli.run.report import RunReport
from dffcli.run.runner import annotate

ROUNDS = 3


def run(clip: Path, task: Task, *, is_fixed: bool) -> RunReport:
    return annotate(
        RunConfig(
            str(clip),
            (str(clip.with_name(f"{task}.mp4")),),
            task,
            schedule="fixed" if is_fixed else "adaptive",
            output=OutputOptions(overwrite=True),
        )
    )


def main() -> None:
    settle()
    parser(__doc__).parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(standard_scene(), clip)
        for task in Task:
            for is_fixed in (True, False):
                reports = [run(clip, task, is_fixed=is_fixed) for _ in range(ROUNDS)]
                rows.append(
                    [
                        reports[0].settings["model"],
                        reports[0].settings["schedule"],
                        f"{reports[0].key_frames / reports[0].frames:.0%}",
                        f"{median(report.fps for report in reports):.0f}",
                        f"{median(report.network_speed_up for report in reports):.1f}x",
                        f"{median(report.end_to_end_speed_up for report in reports):.1f}x",
                    ]
                )
    header = ["model", "schedule", "key frames", "fps end to end", "network speed-up", "end-to-end speed-up (estimate)"]
    save(
        "real_time",
        title="The bundled networks end to end, 640 x 360 to overlaid H.264",
        text=table(header, rows),
        command="python benchmarks/real_time.py",
    )


if __name__ == "__main__":
    main()
