"""At which score of its own do a street detector's finds and misses balance best (F1), on pictures it was trained on?

That score is what the detector tells as 0.5 (`EVEN_SCORE`), so that the usual threshold means what it means elsewhere.
Labels that a detector made and was less than 35 % sure of are neither asked for nor held against a find.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common import parser, table
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.evaluation.detection_data import LabelledSequence
from dffcli.evaluation.detection_eval import run_over, translated
from dffcli.evaluation.detection_metrics import Judged, box_iou
from dffcli.evaluation.detection_source import parse_detection_source
from dffcli.files.network_file import load_network
from dffcli.flow import build_flow
from dffcli.models.street.detector_model import KIND, HeadSettings, StreetDetModel, rebuild

SURE = 0.35  # confidence of a label
SCORES = np.arange(0.10, 0.71, 0.05)
HELD_OUT = "pets_*|davis-car-roundabout*|davis-car-shadow*|davis-parkour*|camvid_0016E5_079[5-9]*|camvid_0016E5_08[01]*"


def outcomes(picture: Judged) -> tuple[list[tuple[float, bool]], int]:
    """Score and rightness of every find that counts, and how many objects there were to find."""
    labels, found = picture.labels, picture.found
    sure = (labels.confidences >= SURE) & ~labels.is_ignored
    open_labels = set(np.flatnonzero(sure).tolist())
    finds = []
    for row in np.argsort(-found.scores):
        same = [i for i in range(len(labels)) if labels.category_ids[i] == found.category_ids[row]]
        overlapping = [i for i in same if box_iou(labels.boxes[i], found.boxes[row]) >= 0.5]
        hit = next((i for i in overlapping if i in open_labels), None)
        if hit is not None:
            open_labels.discard(hit)
            finds.append((float(found.scores[row]), True))
        elif not any(not sure[i] for i in overlapping):
            finds.append((float(found.scores[row]), False))
    return finds, int(sure.sum())


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("network", type=Path)
    arguments.add_argument("--every", type=int, default=8, help="picture of the training set is looked at")
    options = arguments.parse_args()
    file = load_network(options.network, kinds=(KIND,))
    model = StreetDetModel(
        rebuild(file, source=str(options.network)),
        categories=file.categories,
        input_size=file.description["input_size"],
        settings=HeadSettings(even_score=0.5),  # its own scores, unshifted
    )
    source = parse_detection_source(f"{options.data}/street-det/annotations.json,without={HELD_OUT}")
    data = source.read()
    frames = [f for s in translated(data.sequences, data.categories, model.categories) for f in s.frames if f.labels]
    stills = [LabelledSequence(f.path.name, (f,)) for f in frames[:: options.every]]
    run = run_over(stills, lambda: Engine(model, build_flow("none"), FixedInterval(1)))
    judged = [outcomes(picture) for picture in run.pictures]
    finds = [find for picture, _ in judged for find in picture]
    objects = sum(count for _, count in judged)
    rows = []
    for score in SCORES:
        told = [is_right for value, is_right in finds if value >= score]
        precision, recall = sum(told) / max(1, len(told)), sum(told) / objects
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        rows.append([f"{score:.2f}", f"{100 * precision:.1f}", f"{100 * recall:.1f}", f"{100 * f1:.1f}"])
    print(f"{len(stills)} pictures, {objects} objects\n\n{table(['its own score', 'precision', 'recall', 'F1'], rows)}")


if __name__ == "__main__":
    main()
