"""What carries boxes from key frames best: the maps they are read from, or the objects themselves.

Against per-frame evaluation on clips of 40 frames, as F1 at a score of 0.5 and IoU 0.5, with the boxes there are on a
propagated frame for each of a per-frame one; beside it what the network agrees with itself to when its input is 32
pixels smaller, for much of what differs is its own flicker. Then against ground truth, and the cost on one thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time
from types import SimpleNamespace
from typing import Any

from dffcli._runtime import settle

settle()

import numpy as np  # noqa: E402  # after the settings of the process

from camvid_interval import RememberingModel  # noqa: E402
from common import RESULTS, parser, save, table  # noqa: E402
from detector import is_found, read_davis  # noqa: E402
from dffcli.core.engine import Engine  # noqa: E402
from dffcli.core.objects import ObjectPropagation  # noqa: E402
from dffcli.core.propagation import MapPropagation  # noqa: E402
from dffcli.core.protocols import Propagation, VideoModel  # noqa: E402
from dffcli.core.schedule import FixedInterval  # noqa: E402
from dffcli.core.types import Detections, Frame  # noqa: E402
from dffcli.evaluation.detection_data import DetectionData  # noqa: E402
from dffcli.evaluation.detection_eval import category_names, run_over, translated  # noqa: E402
from dffcli.evaluation.detection_metrics import Judged, judge  # noqa: E402
from dffcli.evaluation.detection_readers import read_detection_data  # noqa: E402
from dffcli.flow import build_flow  # noqa: E402
from dffcli.geometry import best_pairs, box_iou  # noqa: E402
from dffcli.models.registry import build_model  # noqa: E402
from dffcli.video.reader import open_source  # noqa: E402

FRAMES = 40  # of each clip
ROWS = RESULTS / "box_carry.json"
SCORE = OVERLAP = 0.5
CLIPS = {
    "nuscenes_mini": "clips/nuscenes_mini.mp4",
    "walk": "clips/walk.mp4",
    "PETS": "pets09-s2l1/img1",
    "parkour": "davis/JPEGImages/480p/parkour",
    "car-roundabout": "davis/JPEGImages/480p/car-roundabout",
    "test_video": "clips/test_video.mp4",
    "mmtracking_demo": "clips/mmtracking_demo.mp4",
    "car-shadow": "davis/JPEGImages/480p/car-shadow",
    "drift-straight": "davis/JPEGImages/480p/drift-straight",
    "horsejump-high": "davis/JPEGImages/480p/horsejump-high",
    "dog": "clips/01_dog.mp4",
}
WAYS = ((5, True), (10, True), (10, False))  # interval, two-sided
DAVIS = ("car-roundabout", "car-shadow", "parkour")


@dataclass(slots=True)
class Agreement:
    """Boxes of both, of one, and of the other, over frames."""

    both: int = 0
    found: int = 0
    reference: int = 0
    frames: int = field(default=0)

    def add(self, found: Detections, reference: Detections) -> None:
        found, reference = (one.select(one.scores >= SCORE) for one in (found, reference))
        overlap = box_iou(found.boxes, reference.boxes) * (found.category_ids[:, None] == reference.category_ids)
        self.both += len(best_pairs(overlap, least=OVERLAP)[0])
        self.found += len(found)
        self.reference += len(reference)
        self.frames += 1

    @property
    def f1(self) -> float:
        return 200 * self.both / max(1, self.found + self.reference)

    @property
    def ratio(self) -> float:
        return self.found / max(1, self.reference)


def propagations(model: VideoModel) -> dict[str, Propagation]:
    return {"maps": MapPropagation(model), "objects": ObjectPropagation()}


def detections(model: VideoModel, frames: list[Frame]) -> list[Detections]:
    engine = Engine(model, build_flow("none"), FixedInterval(1))
    return [result.prediction for result in engine.run(frames) if isinstance(result.prediction, Detections)]


def agreement_rows(name: str, frames: list[Frame], model: VideoModel, smaller: VideoModel) -> Iterator[list[str]]:
    remembering = RememberingModel(model)
    full = detections(remembering, frames)
    itself = Agreement()
    for one, other in zip(detections(smaller, frames), full, strict=True):
        itself.add(one, other)
    for way, propagation in propagations(remembering).items():
        cells = []
        for interval, two_sided in WAYS:
            found = Agreement()
            engine = Engine(remembering, build_flow("dis"), FixedInterval(interval), two_sided, propagation)
            for result in engine.run(frames):
                if not result.is_key and isinstance(result.prediction, Detections):
                    found.add(result.prediction, full[result.frame.index])
            cells.append(f"{found.f1:.1f} ({found.ratio:.2f})" if found.reference else "")
        yield [name, f"{itself.reference / itself.frames:.1f}", f"{itself.f1:.1f}", way, *cells]


def engine_for(model: VideoModel, interval: int, two_sided: bool, propagation: Propagation) -> Engine:
    return Engine(model, build_flow("dis"), FixedInterval(interval), two_sided, propagation)


def average_precision(model: VideoModel, data: DetectionData, engine: partial[Engine]) -> float:
    sequences = translated(data.sequences, data.categories, model.categories)
    return 100 * judge(run_over(sequences, engine).pictures, category_names(model, data.categories)).ap50


def recall(model: VideoModel, data: DetectionData, engine: partial[Engine]) -> float:
    sequences = translated(data.sequences, data.categories, model.categories)
    pictures: tuple[Judged, ...] = run_over(sequences, engine).pictures
    return 100 * float(np.mean([is_found(picture) for picture in pictures if len(picture.labels)]))


def truth_rows(model: VideoModel, data: Path) -> Iterator[list[str]]:
    pets = read_detection_data(data / "pets09-s2l1")
    davis = [read_davis(data / "davis", name) for name in DAVIS]
    ways = [("every frame", "", 1, True), ("every 10", "maps", 10, True), ("every 10", "objects", 10, True)]
    ways += [("every 10, causal", "maps", 10, False), ("every 10, causal", "objects", 10, False)]
    for keys, way, interval, two_sided in ways:
        propagation = propagations(model)[way or "objects"]
        engine = partial(engine_for, model, interval, two_sided, propagation)
        values = [average_precision(model, pets, engine), *(recall(model, one, engine) for one in davis)]
        yield [keys, way, *(f"{value:.1f}" for value in values)]


@dataclass(frozen=True, slots=True)
class OnTheClock:
    """Calls that are timed by what the processor spent on them, in milliseconds."""

    call: Callable[..., Any]
    spent: list[float] = field(default_factory=list)

    def __call__(self, *values: Any, **named: Any) -> Any:
        began = process_time()
        try:
            return self.call(*values, **named)
        finally:
            self.spent.append(1000 * (process_time() - began))


def cost(model: VideoModel, frames: list[Frame]) -> str:
    """Processor milliseconds of each part of a propagated frame."""
    flow, propagation = build_flow("dis"), ObjectPropagation()
    estimate, carry = OnTheClock(flow.estimate), OnTheClock(propagation.from_both)
    part_flow = SimpleNamespace(name=flow.name, estimate=estimate)
    part = SimpleNamespace(at_key=propagation.at_key, from_one=propagation.from_one, from_both=carry)
    list(Engine(model, part_flow, FixedInterval(10), True, part).run(frames))
    return f"the flow {median(estimate.spent):.1f} ms a side, carrying from both sides {median(carry.spent):.1f} ms"


def keep(part: str, rows: list[list[str]]) -> dict[str, list[list[str]]]:
    """Add rows to what was measured before, those of the same beginning replaced."""
    known: dict[str, list[list[str]]] = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    fresh = {tuple(row[:2]) if part == "truth" else row[0] for row in rows}
    old = [row for row in known.get(part, []) if (tuple(row[:2]) if part == "truth" else row[0]) not in fresh]
    known[part] = old + rows
    ROWS.write_text(json.dumps(known, indent=1) + "\n")
    return known


def write_page(known: dict[str, list[list[str]]]) -> None:
    header = ["clip", "boxes", "itself, 32 px smaller", "carried", "every 5", "every 10", "every 10, causal"]
    order = list(CLIPS)
    rows = sorted(known.get("clips", []), key=lambda row: order.index(row[0]))
    text = f"{(__doc__ or '').strip()}\n\n{table(header, rows)}\n\nIn brackets: boxes for each of per-frame evaluation."
    text += " `mmtracking_demo` has 8 frames."
    header = ["key frames", "carried", "PETS person AP50", *(f"DAVIS {name} recall" for name in DAVIS)]
    text += f"\n\n{table(header, known['truth'])}" if "truth" in known else ""
    text += "".join(f"\n\nA propagated frame of nuscenes_mini costs the processor: {row[0]}." for row in known["cost"])
    save("box_carry", title="Carrying boxes", text=text, command="benchmarks/box_carry.py")


def measure(data: Path, model_name: str, *, clips: list[str], with_truth: bool) -> None:
    model, smaller = build_model(model_name).model, build_model(model_name).model
    smaller.input_size = model.input_size - 32  # type: ignore[attr-defined]  # the bundled detectors have it
    for name in clips:
        with open_source(str(data / CLIPS[name])) as source:
            frames = list(islice(source, FRAMES))
        keep("clips", list(agreement_rows(name, frames, model, smaller)))
        if name == "nuscenes_mini":
            known = json.loads(ROWS.read_text()) | {"cost": [[cost(model, frames)]]}
            ROWS.write_text(json.dumps(known, indent=1) + "\n")
    for row in truth_rows(model, data) if with_truth else ():
        keep("truth", [row])


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", default="coco-det")
    arguments.add_argument("--clips", nargs="*", default=list(CLIPS), help="which; the rows of others stay")
    arguments.add_argument("--no-truth", action="store_true", help="only the agreement with per-frame evaluation")
    options = arguments.parse_args()
    if options.clips or not options.no_truth:
        measure(options.data, options.model, clips=options.clips, with_truth=not options.no_truth)
    write_page(json.loads(ROWS.read_text()))


if __name__ == "__main__":
    main()
