"""How the bundled detector's maps are best carried: the mean of four cells, or the nearest cell and boxes that make up.

Clips and DAVIS sequences with something to detect in them, key frames every 5 and every 10, two-sided: agreement of
propagated frames with per-frame evaluation (mean over the clips). PETS09-S2L1: persons against ground truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from camvid_interval import RememberingModel
from common import parser, save, table
from dffcli.core.engine import Engine
from dffcli.core.propagation import MapPropagation
from dffcli.core.protocols import VideoModel
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Features, Frame
from dffcli.core.warp import warp
from dffcli.evaluation.detection_eval import category_names, run_over, translated
from dffcli.evaluation.detection_metrics import judge
from dffcli.evaluation.detection_readers import read_detection_data
from dffcli.evaluation.judge import make_judge
from dffcli.flow import build_flow
from dffcli.models.registry import build_model
from dffcli.video.reader import open_source

INTERVALS = (5, 10)
FRAMES = 81  # of each clip


def mean_of_four(features: Features, *arguments: object, **options: object) -> Features:
    """The warp of any other map."""
    return warp(tuple(features), *arguments, **options)  # type: ignore[arg-type]


WAYS: dict[str, Callable[..., Features]] = {"mean of four cells": mean_of_four, "nearest cell (shipped)": warp}


def clips(data: Path) -> Iterator[tuple[str, list[Frame]]]:
    for path in sorted((data / "clips").glob("*.mp4")):
        with open_source(str(path)) as source:
            yield path.stem, list(islice(source, FRAMES))
    for folder in sorted({path.parent for path in (data / "davis" / "JPEGImages").rglob("*.jpg")}):
        with open_source(str(folder)) as source:
            yield folder.name, list(islice(source, FRAMES))


def agreement(model: VideoModel, frames: list[Frame]) -> dict[tuple[str, int], dict[str, float]]:
    remembering = RememberingModel(model)
    full = [r.prediction for r in Engine(remembering, build_flow("none"), FixedInterval(1)).run(frames)]
    found = {}
    for name, way in WAYS.items():
        for interval in INTERVALS:
            judged = make_judge(model.task, model.categories)
            propagation = MapPropagation(remembering, way)
            schedule = FixedInterval(interval)
            engine = Engine(remembering, build_flow("dis"), schedule, two_sided=True, propagation=propagation)
            for result in engine.run(frames):
                if not result.is_key:
                    judged.against(result, full[result.frame.index])
            found[name, interval] = judged.scores()
    return found


def main() -> None:
    options = parser(__doc__).parse_args()
    model = build_model("coco-det").model
    judged = [agreement(model, frames) for _, frames in clips(options.data) if len(frames) > max(INTERVALS)]
    judged = [one for one in judged if all(one.values())]  # where per-frame evaluation finds something
    pets = read_detection_data(options.data / "pets09-s2l1")
    sequences = translated(pets.sequences, pets.categories, model.categories)
    rows = []
    for name, way in WAYS.items():
        for interval in INTERVALS:
            propagation = MapPropagation(model, way)
            engine = partial(
                Engine, model, build_flow("dis"), FixedInterval(interval), two_sided=True, propagation=propagation
            )
            report = judge(run_over(sequences, engine).pictures, category_names(model, pets.categories))
            measures = [np.mean([one[name, interval][key] for one in judged]) for key in ("map50", "f1")]
            rows.append([name, interval, *(f"{100 * m:.1f}" for m in (*measures, report.ap50, report.ap))])
            print(rows[-1], flush=True)
    header = ["how", "key interval", f"mAP@0.5 vs per frame, {len(judged)} clips", "F1 vs per frame"]
    save(
        "box_maps",
        title="Carrying maps of boxes",
        text=table([*header, "PETS person AP50", "PETS person AP"], rows) + f"\n\n{(__doc__ or '').strip()}",
        command="python benchmarks/box_maps.py",
    )


if __name__ == "__main__":
    main()
