"""What is written of a frame and of a run: the neutral form every format is made from and read into."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from dffcli.categories import Category
from dffcli.core.types import FrameResult, Prediction, SourceInfo, Task
from dffcli.formats.sink import RunFacts

DEFAULT_RATE = Fraction(25)  # frames per second, for formats that need one and sources that have none


@dataclass(frozen=True, slots=True)
class Sequence:
    """What is known of the annotations of a video before the first of them.

    Attributes:
        info: the video.
        task: whether frames carry boxes or a map of categories.
        categories: what can be named.
        run: where the annotations come from; None where the file read does not say.
    """

    info: SourceInfo
    task: Task
    categories: tuple[Category, ...]
    run: RunFacts | None = None

    @property
    def rate(self) -> Fraction:
        """Frames per second, as declared or else assumed."""
        return self.info.average_rate or DEFAULT_RATE

    @property
    def names(self) -> dict[int, str]:
        """Names of the categories by id."""
        return {category.id: category.name for category in self.categories}


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One frame's answer, without its picture.

    Attributes:
        index: position in the source, counted from 0.
        size: `(height, width)` in pixels.
        pts_seconds: exact time of presentation.
        prediction: boxes or masks in frame pixels.
        name: file name of a still.
        key_reason: why it was made a key frame; None on a propagated frame, or where unknown.
        key_indices: key frames its features come from; empty where unknown.
    """

    index: int
    size: tuple[int, int]
    pts_seconds: Fraction
    prediction: Prediction
    name: str | None = None
    key_reason: str | None = None
    key_indices: tuple[int, ...] = ()

    @classmethod
    def of(cls, result: FrameResult) -> Self:
        """What remains of a result once its picture is let go."""
        frame = result.frame
        reason = None if result.key_reason is None else str(result.key_reason)
        return cls(
            frame.index, frame.size, frame.pts_seconds, result.prediction, frame.name, reason, result.key_indices
        )
