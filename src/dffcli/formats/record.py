"""What is written of a frame and of a run: the neutral form every format is made from and read into."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from dffcli.categories import Category
from dffcli.core.types import Detections, FrameResult, Prediction, SegmentationMap, SourceInfo, Task, UInt8Array
from dffcli.formats.rle import Mask
from dffcli.formats.sink import RunFacts

DEFAULT_RATE = Fraction(25)  # frames per second, for formats that need one and sources that have none

Box = tuple[float, float, float, float]
"""`x1, y1, x2, y2` in frame pixels."""

Polygon = tuple[float, ...]
"""`x, y, x, y ...` in frame pixels, three points or more, not closed."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """What is known of the annotations of a video, or of a folder of stills, before the first of them.

    Attributes:
        info: the video.
        task: whether frames carry objects or a map of categories.
        categories: what can be named.
        run: where the annotations come from; None where the file read does not say.
        attributes: names of the attributes that objects may bear.
        frame_names: names of all stills, where they are known beforehand.
        is_size_known: the size is said somewhere, and not only taken from how far the boxes reach.
        is_video: its frames follow on one another; otherwise they are stills.
    """

    info: SourceInfo
    task: Task
    categories: tuple[Category, ...]
    run: RunFacts | None = None
    attributes: tuple[str, ...] = ()
    frame_names: tuple[str, ...] = ()
    is_video: bool = True
    is_size_known: bool = True

    @property
    def rate(self) -> Fraction:
        """Frames per second, as declared or else assumed."""
        return self.info.average_rate or DEFAULT_RATE

    @property
    def names(self) -> dict[int, str]:
        """Names of the categories by id."""
        return {category.id: category.name for category in self.categories}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object on one frame: a box, a polygon or a mask.

    Attributes:
        category_id: of one of the sequence's categories.
        box: before it is rotated; of a polygon or mask, the smallest around it unless a file said otherwise.
        score: 0..1; None where people drew it.
        track: its identity through the video; None where it has none.
        mask: its pixels.
        polygons: its outline, of one or more parts.
        rotation: of the box about its middle, in degrees clockwise.
        is_crowd: a mark of COCO's: many objects in one, or (by some tools) any run-length mask.
        is_ignored: neither a find nor a miss here counts.
        is_occluded: something hides a part of it.
        attributes: whatever else is said of it.
    """

    category_id: int
    box: Box
    score: float | None = None
    track: int | None = None
    mask: Mask | None = None
    polygons: tuple[Polygon, ...] = ()
    rotation: float = 0.0
    is_crowd: bool = False
    is_ignored: bool = False
    is_occluded: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        if self.mask is not None:
            return "mask"
        if self.polygons:
            return "polygon"
        return "rotated box" if self.rotation else "box"


KINDS = ("box", "rotated box", "polygon", "mask")


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One frame's answer, without its picture.

    Attributes:
        index: position in the source, counted from 0.
        size: `(height, width)` in pixels.
        pts_seconds: exact time of presentation.
        objects: what is on it, best first.
        labels: a category for every pixel, `[H, W]`; None where there are objects instead.
        name: file name of a still, with the folders above it inside the source.
        key_reason: why it was made a key frame; None on a propagated frame, or where unknown.
        key_indices: key frames its features come from; empty where unknown.
        picture: where its picture lies, if the reader knows.
        is_labelled: somebody looked at it; otherwise nothing follows from there being nothing on it.
    """

    index: int
    size: tuple[int, int]
    pts_seconds: Fraction
    objects: tuple[Annotation, ...] = ()
    labels: UInt8Array | None = None
    name: str | None = None
    key_reason: str | None = None
    key_indices: tuple[int, ...] = ()
    picture: Path | None = None
    is_labelled: bool = True

    @property
    def prediction(self) -> Prediction:
        """The boxes as columns, or the map; masks if all objects have one, and -1 for objects without a track."""
        if self.labels is not None:
            return SegmentationMap(self.labels)
        items = self.objects
        tracks = [-1 if item.track is None else item.track for item in items]
        masks = [item.mask.array for item in items if item.mask is not None]
        return Detections(
            np.array([item.box for item in items], np.float32).reshape(-1, 4),
            np.array([1.0 if item.score is None else item.score for item in items], np.float32),
            np.array([item.category_id for item in items], np.int64),
            np.stack(masks) if masks and len(masks) == len(items) else None,
            np.array(tracks, np.int64) if any(item.track is not None for item in items) else None,
        )

    @classmethod
    def answered(cls, index: int, size: tuple[int, int], pts_seconds: Fraction, prediction: Prediction) -> Self:
        """A frame of which nothing is known but a model's answer."""
        if isinstance(prediction, Detections):
            return cls(index, size, pts_seconds, tuple(objects_of(prediction)))
        return cls(index, size, pts_seconds, labels=prediction.category_ids)

    @classmethod
    def of(cls, result: FrameResult) -> Self:
        """What remains of a result once its picture is let go."""
        frame, found = result.frame, result.prediction
        reason = None if result.key_reason is None else str(result.key_reason)
        objects: tuple[Annotation, ...] = ()
        labels = None
        if isinstance(found, Detections):
            objects = tuple(objects_of(found))
        else:
            labels = found.category_ids
        return cls(frame.index, frame.size, frame.pts_seconds, objects, labels, frame.name, reason, result.key_indices)


def objects_of(found: Detections) -> Iterator[Annotation]:
    """What a detector found, row by row."""
    boxes, scores, ids = found.boxes.tolist(), found.scores.tolist(), found.category_ids.tolist()
    tracks = [None] * len(found) if found.track_ids is None else found.track_ids.tolist()
    for row, (x1, y1, x2, y2) in enumerate(boxes):
        mask = None if found.masks is None else Mask.of_array(found.masks[row])
        yield Annotation(ids[row], (x1, y1, x2, y2), scores[row], tracks[row], mask)


def corners(box: Box, rotation: float) -> Polygon:
    """The corners of a box turned about its middle, clockwise from the upper left one."""
    x1, y1, x2, y2 = box
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    cosine, sine = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    points: list[float] = []
    for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2)):
        dx, dy = x - middle_x, y - middle_y
        points += (middle_x + dx * cosine - dy * sine, middle_y + dx * sine + dy * cosine)
    return tuple(points)


def bounds(polygons: tuple[Polygon, ...]) -> Box:
    """The smallest upright box around polygons."""
    xs = [x for polygon in polygons for x in polygon[0::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    return min(xs), min(ys), max(xs), max(ys)
