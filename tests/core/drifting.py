"""A model whose propagated answers go wrong at a known rate, so that schedules and estimates can be held to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch

from dffcli.categories import Category
from dffcli.core.types import (
    Features,
    FlowField,
    Frame,
    FrameResult,
    KeyFrame,
    Prediction,
    PreparedImage,
    SegmentationMap,
    Task,
)

PIXELS = 20_000
SIZE = (1, PIXELS, 3)


def frames(count: int) -> Iterator[Frame]:
    """Frames that show nothing."""
    for index in range(count):
        yield Frame(index, np.broadcast_to(np.uint8(0), SIZE), Fraction(index, 25), Fraction(1, 25))


def answer(share: float) -> SegmentationMap:
    """Differs from a fresh answer in that share of pixels."""
    labels = np.zeros((1, PIXELS), np.uint8)
    labels[:, : round(share * PIXELS)] = 1
    return SegmentationMap(labels)


def wrong(result: FrameResult) -> float:
    """Share of pixels that differ from a fresh answer."""
    assert isinstance(result.prediction, SegmentationMap)
    return float(result.prediction.category_ids.mean())


@dataclass
class DriftingModel:
    """Fresh answers are all zero; counts the frames it is asked for."""

    name: str = "drifting"
    task: Task = Task.SEGMENT
    categories: tuple[Category, ...] = ()
    key_indices: list[int] = field(default_factory=list)

    def prepare(self, frame: Frame) -> PreparedImage:
        return PreparedImage(frame, (1, 1), (1, 1), lambda: torch.zeros(1, 3, 1, 1))

    def features(self, image: PreparedImage) -> Features:
        self.key_indices.append(image.frame.index)
        return (torch.zeros(1, 1, 1, 1),)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        return answer(0.0)


@dataclass
class Drifting:
    """Propagated answers go wrong as the law says: rate(frame) x distance ** 0.5, less between two key frames.

    Attributes:
        rate: at a distance of one, by frame index.
        gain: what a second key frame at the same distance leaves.
    """

    rate: Callable[[int], float]
    gain: float = 0.7
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def at_key(self, key: KeyFrame) -> Prediction:
        return key.prediction

    def from_one(self, key: KeyFrame, field: FlowField, image: PreparedImage) -> Prediction:
        index = image.frame.index
        self.asked.append((key.frame.index, index))
        return answer(self.rate(index) * abs(index - key.frame.index) ** 0.5)

    def from_both(
        self, before: KeyFrame, back: FlowField, image: PreparedImage, onward: FlowField, after: KeyFrame
    ) -> Prediction:
        index = image.frame.index
        self.asked.append((before.frame.index, index, after.frame.index))
        one, other = (index - before.frame.index) ** 0.5, (after.frame.index - index) ** 0.5
        return answer(self.gain * self.rate(index) * 2 * one * other / (one + other))


@dataclass
class StillFlow:
    """Nothing moves; the pictures match as badly as `errors` says, by frame index."""

    name: str = "still"
    errors: dict[int, float] = field(default_factory=dict)
    calls: list[tuple[int, int]] = field(default_factory=list)

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        self.calls.append((key.frame.index, current.frame.index))
        error = np.full((1, 1), self.errors.get(current.frame.index, 0.0), np.float32)
        return FlowField(torch.zeros(1, 2, 1, 1), photometric_error=error)
