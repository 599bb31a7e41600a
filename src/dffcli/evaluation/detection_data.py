"""Pictures with labelled boxes, as evaluation and training take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array
from dffcli.errors import DataError


@dataclass(frozen=True, slots=True)
class BoxLabels:
    """The labelled objects of one picture, one row each.

    Attributes:
        boxes: `x1, y1, x2, y2` in the picture's pixels, `[N, 4]` float32.
        category_ids: `[N]` int64.
        confidences: how sure the labeller was, 0..1, `[N]` float32; 1 where people labelled.
        is_ignored: neither a find nor a miss here counts (crowds, unsure labels), `[N]` bool.
        track_ids: identities through the video, `[N]` int64; -1 where there are none.
    """

    boxes: Float32Array
    category_ids: NDArray[np.int64]
    confidences: Float32Array
    is_ignored: NDArray[np.bool_]
    track_ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.category_ids)
        if self.boxes.shape != (n, 4):
            raise DataError(f"expected {n} boxes, got an array of {self.boxes.shape}")
        if not (len(self.confidences) == len(self.is_ignored) == len(self.track_ids) == n):
            raise DataError(f"expected {n} rows in every column of the labels")

    def __len__(self) -> int:
        return len(self.category_ids)

    @classmethod
    def from_rows(
        cls,
        boxes: object,
        category_ids: object,
        *,
        confidences: object = None,
        is_ignored: object = None,
        track_ids: object = None,
    ) -> BoxLabels:
        """Labels from any sequences of numbers; what is left out is certain, counted and without identity."""
        ids = np.asarray(category_ids, np.int64).reshape(-1)
        n = len(ids)
        return cls(
            np.asarray(boxes, np.float32).reshape(-1, 4),
            ids,
            np.ones(n, np.float32) if confidences is None else np.asarray(confidences, np.float32).reshape(-1),
            np.zeros(n, np.bool_) if is_ignored is None else np.asarray(is_ignored, np.bool_).reshape(-1),
            np.full(n, -1, np.int64) if track_ids is None else np.asarray(track_ids, np.int64).reshape(-1),
        )

    def with_ids(self, mapping: Mapping[int, int]) -> BoxLabels:
        """The same labels under other category ids; those that are not in `mapping` are dropped."""
        kept = np.isin(self.category_ids, list(mapping))
        ids = np.array([mapping[int(i)] for i in self.category_ids[kept]], np.int64)
        return BoxLabels(self.boxes[kept], ids, self.confidences[kept], self.is_ignored[kept], self.track_ids[kept])


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """A picture file and what is on it.

    Attributes:
        path: the picture.
        labels: its objects; None for a frame of a video that nobody labelled.
    """

    path: Path
    labels: BoxLabels | None


@dataclass(frozen=True, slots=True)
class LabelledSequence:
    """Frames in the order of time; a still is a sequence of one.

    Attributes:
        name: for tables and messages.
        frames: in the order of time.
    """

    name: str
    frames: tuple[LabelledFrame, ...] = field(default=())

    def with_ids(self, mapping: Mapping[int, int]) -> LabelledSequence:
        """The same sequence with every label's category translated, see `BoxLabels.with_ids`."""
        frames = (
            LabelledFrame(frame.path, None if frame.labels is None else frame.labels.with_ids(mapping))
            for frame in self.frames
        )
        return LabelledSequence(self.name, tuple(frames))


@dataclass(frozen=True, slots=True)
class DetectionData:
    """A labelled set of stills or videos.

    Attributes:
        sequences: its pictures.
        categories: `(id, name)` of what is labelled in it; labels bear these ids.
    """

    sequences: tuple[LabelledSequence, ...]
    categories: tuple[tuple[int, str], ...]

    @property
    def labelled_frames(self) -> tuple[LabelledFrame, ...]:
        """Every frame that somebody labelled."""
        return tuple(f for sequence in self.sequences for f in sequence.frames if f.labels is not None)
