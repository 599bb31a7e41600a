"""A detector over labelled pictures and videos, per frame or under any schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from dffcli.categories import Category
from dffcli.core.engine import Engine
from dffcli.core.protocols import VideoModel
from dffcli.core.types import Detections, Frame, FrameResult, UInt8Array
from dffcli.errors import DataError, ModelError
from dffcli.evaluation.detection_data import LabelledSequence
from dffcli.evaluation.detection_metrics import DetectionReport, Judged, judge, motion_overlaps

NOMINAL_RATE = 25  # pictures a second of a folder of frames; nothing depends on it


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """Every judged picture of a run and what the run spent.

    Attributes:
        pictures: labelled pictures with what was found on them.
        frames: frames that were gone through.
        key_frames: how many of them were key frames.
    """

    pictures: tuple[Judged, ...]
    frames: int
    key_frames: int


def read_picture(path: Path) -> UInt8Array:
    """A picture file, RGB uint8 `[H, W, 3]`.

    Raises:
        DataError: it is missing or not a picture.
    """
    if not path.is_file():
        raise DataError(f"{path}: the labels name this picture, but there is no such file")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path}: not a readable picture")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def sequence_frames(sequence: LabelledSequence) -> Iterator[Frame]:
    """A sequence's pictures as frames."""
    for index, labelled in enumerate(sequence.frames):
        yield Frame(index, read_picture(labelled.path), Fraction(index, NOMINAL_RATE), name=labelled.path.name)


def category_names(model: VideoModel, data_categories: Iterable[tuple[int, str]]) -> dict[int, str]:
    """The model's categories that the data knows by the same name, names by the model's ids.

    Raises:
        ModelError: there is none.
    """
    known = {name.lower() for _, name in data_categories}
    shared = {category.id: category.name for category in model.categories if category.name.lower() in known}
    if not shared:
        of_data = ", ".join(sorted(known)) or "none"
        of_model = ", ".join(category.name for category in model.categories)
        raise ModelError(f"{model.name} and the data share no category: it finds {of_model}; labelled are {of_data}")
    return shared


def translated(
    sequences: Iterable[LabelledSequence], data_categories: Iterable[tuple[int, str]], categories: Sequence[Category]
) -> tuple[LabelledSequence, ...]:
    """The same sequences with the model's category ids; labels of other categories are dropped."""
    ids = {category.name.lower(): category.id for category in categories}
    mapping = {number: ids[name.lower()] for number, name in data_categories if name.lower() in ids}
    return tuple(sequence.with_ids(mapping) for sequence in sequences)


def run_over(
    sequences: Iterable[LabelledSequence],
    make_engine: Callable[[], Engine],
    *,
    on_frame: Callable[[FrameResult], None] | None = None,
) -> JudgedRun:
    """Run over every sequence, beginning anew at each, and collect what was found on labelled frames.

    Args:
        sequences: with the model's own category ids.
        make_engine: gives a fresh engine (schedules remember).
        on_frame: told of every frame.

    Raises:
        ModelError: the model does not answer with boxes.
    """
    judged: list[Judged] = []
    frames = keys = 0
    for sequence in sequences:
        overlaps = motion_overlaps(sequence)
        for result in make_engine().run(sequence_frames(sequence)):
            frames += 1
            keys += result.is_key
            labels = sequence.frames[result.frame.index].labels
            if not isinstance(result.prediction, Detections):
                raise ModelError(f"expected boxes to judge, got {type(result.prediction).__name__}")
            if labels is not None:
                judged.append(Judged(labels, result.prediction, overlaps[result.frame.index]))
            if on_frame is not None:
                on_frame(result)
    return JudgedRun(tuple(judged), frames, keys)


def evaluate(
    sequences: Iterable[LabelledSequence], make_engine: Callable[[], Engine], *, categories: Mapping[int, str]
) -> DetectionReport:
    """Average precisions of a run over every sequence; arguments as of `run_over` and `judge`."""
    return judge(run_over(sequences, make_engine).pictures, categories)
