"""Street segmenters side by side: CamVid val per frame and carried, streets of other places, the cost of a key frame.

`--networks first.safetensors weights/street-seg.safetensors`: files of `dff train segment`, the first is the one to
compare with. The first edition is `git show 30e7f66:weights/street-seg.safetensors > first.safetensors`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bundle_street_seg import HELD_OUT
from camvid_interval import RememberingModel, measure, read_frames, read_truth
from common import parser, save, table
from dffcli.core.protocols import Schedule
from dffcli.core.schedule import FixedInterval, TargetAgreement
from dffcli.core.types import Frame
from dffcli.evaluation.segment_eval import score_stills
from dffcli.evaluation.segment_source import parse_source
from dffcli.models.registry import BuiltModel, build_model

VARIANTS: tuple[tuple[str, Callable[[], Schedule], bool], ...] = (
    ("every frame", lambda: FixedInterval(1), False),
    ("two-sided, interval 5", lambda: FixedInterval(5), True),
    ("two-sided, interval 10", lambda: FixedInterval(10), True),
    ("causal, interval 5", lambda: FixedInterval(5), False),
    ("causal, interval 10", lambda: FixedInterval(10), False),
    ("adaptive, two-sided", TargetAgreement, True),
    ("adaptive, causal", TargetAgreement, False),
)


def key_frame_seconds(models: list[BuiltModel], frame: Frame, *, turns: int) -> list[list[float]]:
    """Seconds of preparing a frame and of N_feat, by network, taken in turns so that all have the same neighbours."""
    seconds: list[list[float]] = [[] for _ in models]
    for turn in range(turns + 2):
        for built, taken in zip(models, seconds, strict=True):
            began = time.process_time()
            built.model.features(built.model.prepare(frame))
            if turn >= 2:  # the first ones warm up
                taken.append(time.process_time() - began)
    return seconds


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--networks", type=Path, nargs="+", required=True)
    arguments.add_argument("--names", nargs="+", help="for the columns; the files' names if not given")
    arguments.add_argument("--flow", default="dis")
    arguments.add_argument("--turns", type=int, default=30)
    arguments.add_argument("--result", default="street_seg")
    options = arguments.parse_args()
    import torch

    torch.set_num_threads(1)
    names = options.names or [path.stem for path in options.networks]
    models = [build_model("street-seg", weights=path) for path in options.networks]
    frames, truth = read_frames(options.data / "camvid/val"), read_truth(options.data / "camvid/valannot")
    folders = f"{options.data / 'street-det/images'}:{options.data / 'street-seg/masks'}"
    sources = {
        "CamVid val": parse_source(f"camvid:{options.data / 'camvid'},split=val"),
        "other streets": parse_source(f"folder:{folders},only={HELD_OUT}"),
    }
    carried: list[list[str]] = [[name] for name, _, _ in VARIANTS]
    stills: list[list[str]] = [["CamVid val"], ["other streets (pseudo labels)"]]
    classes: dict[str, list[str]] = {}
    for built in models:
        for row, (place, source) in zip(stills, sources.items(), strict=True):
            score = score_stills(built.model, source.pictures())
            row.append(f"{score.mean_iou:.1f}")
            for kind, iou in score.class_iou.items():
                classes.setdefault(f"{place}: {kind}", []).append("-" if iou is None else f"{iou:.1f}")
        model = RememberingModel(built.model)
        for row, (_, schedule, two_sided) in zip(carried, VARIANTS, strict=True):
            found = measure(model, frames, truth, schedule(), flow=options.flow, two_sided=two_sided)
            row.append(f"{found.iou:.1f} ({found.key_share:.0%})")
            print(*row, file=sys.stderr)
    seconds = key_frame_seconds(models, frames[0], turns=options.turns)
    costs = [1000 * median(taken) for taken in seconds]
    ratios = [median(a / b for a, b in zip(taken, seconds[0], strict=True)) for taken in seconds]
    cost_rows = [
        ["preparing and N_feat, ms of one thread", *(f"{cost:.1f}" for cost in costs)],
        ["of the first, turn by turn", *(f"{ratio:.2f}" for ratio in ratios)],
        ["file, MB", *(f"{path.stat().st_size / 1e6:.1f}" for path in options.networks)],
    ]
    parts = [
        "Mean IoU per picture set, every picture by itself:\n\n" + table(["", *names], stills),
        f"Carried along {options.flow} on CamVid val (101 frames at 15 Hz; in brackets the share of key frames):\n\n"
        + table(["", *names], carried),
        f"Cost of a key frame of 480 x 360, median of {options.turns} turns, the networks taken in turns:\n\n"
        + table(["", *names], cost_rows),
        "IoU by class, every picture by itself:\n\n" + table(["", *names], [[k, *v] for k, v in classes.items()]),
    ]
    save(
        options.result,
        title="street-seg, before and after",
        text="\n\n".join(parts),
        command=f"python benchmarks/street_seg.py --networks {' '.join(path.name for path in options.networks)}",
    )


if __name__ == "__main__":
    main()
