"""Mean IoU of a segmenter against ground truth, per frame and under any schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dffcli.core.engine import Engine
from dffcli.core.protocols import VideoModel
from dffcli.core.types import Frame, Prediction, SegmentationMap, UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.segment_data import LabelledPicture, read_image, read_labels
from dffcli.evaluation.segment_metrics import class_ious, confusion, mean_iou


@dataclass(frozen=True, slots=True)
class SegmentScore:
    """How well one way of running a model fits the truth.

    Attributes:
        mean_iou: over the classes that occur, in percent.
        class_iou: by name, in percent; None for a class that is neither there nor found.
        pictures: labelled pictures measured on.
        key_share: share of frames on which the feature network ran.
    """

    mean_iou: float
    class_iou: dict[str, float | None]
    pictures: int
    key_share: float


def score_stills(model: VideoModel, pictures: Sequence[LabelledPicture]) -> SegmentScore:
    """Every picture by itself."""
    matrix = _empty(model)
    for index, picture in enumerate(pictures):
        frame = _frame(picture, index)
        image = model.prepare(frame)
        matrix += _compare(model, model.head(model.features(image), image, is_key=True), picture, frame.size)
    return _score(model, matrix, len(pictures), 1.0)


def score_video(engine: Engine, pictures: Sequence[LabelledPicture]) -> SegmentScore:
    """Pictures that are the consecutive frames of one video, all labelled."""
    model = engine.model
    matrix, keys = _empty(model), 0

    def frames() -> Iterator[Frame]:
        for index, picture in enumerate(pictures):
            yield _frame(picture, index)

    for result in engine.run(frames()):
        keys += result.is_key
        matrix += _compare(model, result.prediction, pictures[result.frame.index], result.frame.size)
    return _score(model, matrix, len(pictures), keys / max(1, len(pictures)))


def score_snippets(
    make_engine: Callable[[], Engine], pictures: Sequence[LabelledPicture], *, interval: int
) -> SegmentScore:
    """Pictures that each know the frames before them; one in the middle of a video is labelled, as in Cityscapes.

    The distance to the key frame runs through 0 .. interval - 1 from picture to picture, so that all positions within
    an interval count alike, as in the paper.

    Args:
        make_engine: gives a fresh engine of the causal form, whose key interval is at least `interval`.
        pictures: of one frame each.
        interval: frames between key frames that is measured.

    Raises:
        DataError: a picture has too few frames before it.
    """
    model = make_engine().model
    matrix, keys = _empty(model), 0
    for index, picture in enumerate(pictures):
        distance = index % interval
        if len(picture.earlier) < distance:
            raise DataError(f"{picture.image}: expected {distance} frames before it, found {len(picture.earlier)}")
        current = _frame(picture, distance)
        frames = [current]
        if distance:
            frames.insert(0, Frame(0, read_image(picture.earlier[distance - 1]), Fraction(0)))
        *_, result = make_engine().run(frames)
        keys += result.is_key
        matrix += _compare(model, result.prediction, picture, current.size)
    return _score(model, matrix, len(pictures), keys / max(1, len(pictures)))


def _frame(picture: LabelledPicture, index: int) -> Frame:
    return Frame(index, read_image(picture.image), Fraction(index), name=picture.image.name)


def _empty(model: VideoModel) -> NDArray[np.int64]:
    return np.zeros((len(model.categories), len(model.categories)), np.int64)


def _compare(
    model: VideoModel, found: Prediction, picture: LabelledPicture, size: tuple[int, int]
) -> NDArray[np.int64]:
    """The confusion matrix of one picture, class positions by class positions."""
    if not isinstance(found, SegmentationMap):
        raise DataError(f"{model.name}: expected a model for segmentation")
    positions: UInt8Array = np.zeros(256, np.uint8)
    for position, category in enumerate(model.categories):
        positions[category.id] = position
    return confusion(read_labels(picture, size=size), positions[found.category_ids], classes=len(model.categories))


def _score(model: VideoModel, matrix: NDArray[np.int64], pictures: int, key_share: float) -> SegmentScore:
    by_name = {
        category.name: None if np.isnan(iou) else 100 * float(iou)
        for category, iou in zip(model.categories, class_ious(matrix), strict=True)
    }
    return SegmentScore(100 * mean_iou(matrix), by_name, pictures, key_share)
