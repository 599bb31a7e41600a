"""A fake model and a fake flow with known motion: every frame is the one before, moved by whole cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch

from dffcli.categories import Category
from dffcli.core.types import Features, FlowField, Frame, FrameResult, PreparedImage, SegmentationMap, Task

STRIDE = 4  # frame pixels to a feature cell
SPEED = 1  # feature cells a frame, to the right


def moving_frames(count: int, *, size: tuple[int, int] = (32, 48), seed: int = 0) -> Iterator[Frame]:
    """Frames whose content moves right by `SPEED` cells a frame, wrapping round, 10 a second."""
    h, w = size
    cells = np.random.default_rng(seed).integers(0, 256, (h // STRIDE, w // STRIDE, 3), dtype=np.uint8)
    for index in range(count):
        moved = np.roll(cells, index * SPEED, axis=1)
        image = np.ascontiguousarray(moved.repeat(STRIDE, axis=0).repeat(STRIDE, axis=1))
        yield Frame(index, image, Fraction(index, 10), Fraction(1, 10))


@dataclass
class FakeModel:
    """Features are the picture's cells; the answer is the first channel. Counts what is asked of it."""

    name: str = "fake"
    task: Task = Task.SEGMENT
    categories: tuple[Category, ...] = (Category(0, "dark", (0, 0, 0)),)
    key_indices: list[int] = field(default_factory=list)
    heads: list[tuple[int, bool]] = field(default_factory=list)

    def prepare(self, frame: Frame) -> PreparedImage:
        picture = torch.from_numpy(frame.image).permute(2, 0, 1).unsqueeze(0).float()
        return PreparedImage(frame, frame.size, frame.size, lambda: picture)

    def features(self, image: PreparedImage) -> Features:
        self.key_indices.append(image.frame.index)
        return (image.tensor[:, :, ::STRIDE, ::STRIDE].contiguous(memory_format=torch.channels_last),)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        self.heads.append((image.frame.index, is_key))
        cells = features[0][0, 0].round().to(torch.uint8).numpy()
        return SegmentationMap(cells.repeat(STRIDE, axis=0).repeat(STRIDE, axis=1))


@dataclass
class FakeFlow:
    """The true motion of `moving_frames`, on the feature grid.

    `errors` holds the photometric error it reports, by frame. `calls` and `guesses` name fields by their key frame (-1
    if it was changed since) and current frame.
    """

    name: str = "fake"
    errors: dict[int, float] = field(default_factory=dict)
    calls: list[tuple[int, int]] = field(default_factory=list)
    kept: list[tuple[FlowField, int]] = field(default_factory=list)
    guesses: list[tuple[int, int] | None] = field(default_factory=list)

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        self.calls.append((key.frame.index, current.frame.index))
        self.guesses.append(None if guess is None else self._name(guess))
        h, w = (side // STRIDE for side in current.padded_size)
        displacement = torch.zeros(1, 2, h, w)
        displacement[:, 0] = (key.frame.index - current.frame.index) * SPEED
        error = np.full((h, w), self.errors.get(current.frame.index, 0.0), np.float32)
        result = FlowField(displacement, photometric_error=error, current=current)
        self.kept.append((result, key.frame.index))
        return result

    def _name(self, guess: FlowField) -> tuple[int, int]:
        assert guess.current is not None
        keys = [key for field, key in self.kept if field is guess]
        return keys[0] if keys else -1, guess.current.frame.index


def true_answer(result: FrameResult) -> np.ndarray:
    """What per-frame evaluation gives on this frame."""
    return result.frame.image[..., 0]
