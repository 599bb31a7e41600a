"""Bring records into what a format can hold, and name what it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from dffcli.errors import DataError, OutputError
from dffcli.formats.account import Account
from dffcli.formats.holds import Holds
from dffcli.formats.palette import NO_CATEGORY
from dffcli.formats.record import Annotation, FrameRecord, Sequence, bounds, corners
from dffcli.formats.rle import Mask, outlines

ROUNDING = 0.5  # pixels that a box may lie outside without being spoken of
CLOSE = Fraction(1, 1000)  # seconds that a time may differ from the one the frame's number gives


class Fitter:
    """Fits the frames of one sequence to one format."""

    def __init__(
        self,
        holds: Holds,
        sequence: Sequence,
        *,
        name: str,
        account: Account,
        first_category_id: int | None = None,
        is_run: bool = False,
    ) -> None:
        """Note what the format drops of the sequence as a whole; `sequence` is what is then to be written.

        Args:
            holds: what the format can hold.
            sequence: what is annotated.
            name: of the format, for the account.
            account: where losses are noted.
            is_run: a model's answers are written: a format that cannot hold them at all was asked for by mistake.
            first_category_id: number the classes anew from here on, in their order; None for their own numbers.

        Raises:
            DataError: the format needs the picture's size, which nobody said.
        """
        self._holds = holds
        self._is_run = is_run
        self._names = sequence.names
        self._numbers: dict[int, int] | None = None
        if first_category_id is not None:
            ids = [item.id for item in sequence.categories]
            self._numbers = {number: first_category_id + place for place, number in enumerate(ids)}
            categories = (replace(item, id=self._numbers[item.id]) for item in sequence.categories)
            sequence = replace(sequence, categories=tuple(categories))
        self.sequence = sequence
        self._name = name
        self.account = account
        self._first_size = sequence.info.size
        if holds.shares and not sequence.is_size_known:
            raise DataError(f"{name} holds shares of the picture, whose size is not said anywhere: give --size")
        self._track_classes: dict[int, int] = {}
        self._track_scores: dict[int, float] = {}
        if not holds.class_ids:
            self._note_classes()

    @property
    def names(self) -> dict[int, str]:
        """Names of the categories by id, before they are numbered anew."""
        return self._names

    def fit(self, record: FrameRecord) -> FrameRecord:
        """The part of a frame that can be written, in the form in which it can be.

        Raises:
            OutputError: a model's answers are written, and the format cannot hold them.
        """
        self.account.read.add(record, self._names)
        if record.labels is None:
            fitted = [self._fit_object(item, record) for item in record.objects]
            objects = [item for item in fitted if item is not None]
            if self._holds.by_track:
                objects = self._by_track(objects, record)
            record = replace(record, objects=tuple(objects))
        record = self._fit_frame(record)
        self.account.written.add(record, self._names)
        return record if self._numbers is None else _numbered(record, self._numbers)

    def _lose_kind(self, kind: str, what: str, where: str, hint: str) -> None:
        """An object of a kind that the format never holds is gone."""
        if self._is_run:
            raise OutputError(f"{self._name} does not hold {what}: {hint}")
        self.account.lose_object(kind, f"{what}, which {self._name} does not hold", where)

    def _note_classes(self) -> None:
        """A format that knows classes by name alone merges those of one name."""
        seen: set[str] = set()
        for category in self.sequence.categories:
            if category.name in seen:
                what = f"classes of one name, which {self._name} cannot tell apart"
                self.account.lose("classes-of-one-name", what, f"class {category.id}, {category.name!r}")
            seen.add(category.name)

    def _fit_frame(self, record: FrameRecord) -> FrameRecord:
        holds, account = self._holds, self.account
        where = f"frame {record.index}"
        if not holds.times and abs(record.pts_seconds - record.index / self.sequence.rate) > CLOSE:
            account.lose("times", f"times of frames, which {self._name} takes from their numbers", where)
        if not holds.key_frames and record.key_reason is not None:
            account.lose("key-frames", f"marks of key frames, which {self._name} does not hold", where)
        if not holds.names and record.name is not None:
            account.lose("names", f"names of pictures, which {self._name} does not hold", f"{where}, {record.name!r}")
        if not holds.sizes and record.size != self._first_size:
            said = f"{where}, {record.size[1]} x {record.size[0]}"
            account.lose("sizes", f"sizes of pictures that differ from the first one's, in {self._name}", said)
        return record

    def _by_track(self, objects: list[Annotation], record: FrameRecord) -> list[Annotation]:
        """The objects of a frame where a track has one class, perhaps one score, and is in one place at a time."""
        found = []
        seen: set[int] = set()
        for item in objects:
            if item.track is None:
                found.append(item)
                continue
            where = describe(item, record, self._names)
            if item.track in seen:
                what = f"second objects of one track on one frame, which {self._name} does not hold"
                if not self._holds.untracked:
                    self.account.lose_object("twice-on-a-frame", what, where)
                    continue
                self.account.lose("twice-on-a-frame", f"tracks of {what}", where)
                found.append(replace(item, track=None))
                continue
            seen.add(item.track)
            track = item.track
            first = self._track_classes.setdefault(track, item.category_id)
            if first != item.category_id:
                what = f"changes of class within a track, which {self._name} holds once a track"
                self.account.lose("classes-within-tracks", what, where)
                item = replace(item, category_id=first)
            if self._holds.scores == "track" and item.score is not None:
                score = self._track_scores.setdefault(track, item.score)
                if score != item.score:
                    what = f"scores of single objects, of which {self._name} holds the mean of the track"
                    self.account.lose("single-scores", what, where)
            found.append(item)
        return found

    def _fit_object(self, item: Annotation, record: FrameRecord) -> Annotation | None:
        holds, account = self._holds, self.account
        where = describe(item, record, self._names)
        if item.track is None and not holds.untracked:
            self._lose_kind("untracked", "objects without a track", where, "add --track, or write .json")
            return None
        shaped = self._fit_shape(item, record, where)
        if shaped is None:
            return None
        item = shaped
        if not holds.outside:
            clipped = self._clipped(item, record, where)
            if clipped is None:
                return None
            item = clipped
        if item.track is not None and not holds.tracks:
            account.lose("tracks", f"tracks of objects, which {self._name} does not hold", where)
            item = replace(item, track=None)
        if item.score is not None and not holds.scores:
            account.lose("scores", f"scores, which {self._name} does not hold", where)
            item = replace(item, score=None)
        if item.is_crowd and not holds.crowds:
            account.lose("crowd-marks", f"marks of crowds, which {self._name} does not hold", where)
            item = replace(item, is_crowd=False)
        if item.is_ignored and not holds.ignored:
            account.lose("ignore-marks", f"marks of objects to ignore, which {self._name} does not hold", where)
            item = replace(item, is_ignored=False)
        if item.is_occluded and not holds.occluded:
            account.lose("occlusion-marks", f"marks of hidden objects, which {self._name} does not hold", where)
            item = replace(item, is_occluded=False)
        if item.attributes:
            item = self._fit_attributes(item, where)
        return item

    def _fit_attributes(self, item: Annotation, where: str) -> Annotation:
        allowed = self._holds.attributes
        kept: Mapping[str, str] = item.attributes
        if allowed is not True:
            kept = {name: value for name, value in kept.items() if name in allowed}
        if len(kept) < len(item.attributes):
            gone = next(name for name in item.attributes if name not in kept)
            what = f"attributes, which {self._name} does not hold"
            lost = len(item.attributes) - len(kept)
            self.account.lose("attributes", what, f"{where}, {gone!r}", count=lost)
        return replace(item, attributes=kept)

    def _fit_shape(self, item: Annotation, record: FrameRecord, where: str) -> Annotation | None:
        """The same object as a shape the format holds; None if there is none."""
        holds, name = self._holds, self._name
        if item.rotation and not holds.rotation:
            item = self._turned(item, where)
        if item.mask is not None and not holds.masks:
            return self._outlined(item, where)
        if item.mask is None and item.polygons and not self._holds_polygons(item):
            if not holds.masks:
                self.account.lose("outlines", f"outlines, of which {name} holds the box alone", where)
                return replace(item, polygons=())
            self.account.change("outlines-as-masks", f"outlines, which {name} holds as masks", where)
            return replace(item, mask=Mask.of_polygons(item.polygons, size=record.size), polygons=())
        if item.kind in ("box", "rotated box") and not holds.boxes:
            hint = "use maskrcnn_resnet50_fpn_v2 or `dff segment`, or write .json, .xml, .txt or a video"
            self._lose_kind("boxes", "boxes without a mask", where, hint)
            return None
        return item

    def _clipped(self, item: Annotation, record: FrameRecord, where: str) -> Annotation | None:
        """The part of an object within the picture; None if there is none."""
        h, w = record.size
        x1, y1, x2, y2 = item.box
        if x1 >= -ROUNDING and y1 >= -ROUNDING and x2 <= w + ROUNDING and y2 <= h + ROUNDING:
            return item
        box = (min(max(x1, 0.0), w), min(max(y1, 0.0), h), min(max(x2, 0.0), w), min(max(y2, 0.0), h))
        if box[0] >= box[2] or box[1] >= box[3]:
            what = f"objects outside the picture, which {self._name} does not hold"
            self.account.lose_object("outside", what, where)
            return None
        self.account.lose("edges", f"what lies outside the picture, which {self._name} does not hold", where)
        polygons = tuple(
            tuple(min(max(value, 0.0), h if place % 2 else w) for place, value in enumerate(polygon))
            for polygon in item.polygons
        )
        return replace(item, box=box, polygons=polygons)

    def _holds_polygons(self, item: Annotation) -> bool:
        return self._holds.polygons and (self._holds.parts or len(item.polygons) == 1)

    def _turned(self, item: Annotation, where: str) -> Annotation:
        """A rotated box as a polygon, or as the upright box around it."""
        polygons = (corners(item.box, item.rotation),)
        if self._holds.polygons:
            self.account.change("rotated-boxes-as-outlines", f"rotated boxes, in {self._name} as outlines", where)
            return replace(item, box=bounds(polygons), polygons=polygons, rotation=0.0)
        what = f"rotations of boxes, of which {self._name} holds the upright box around them"
        self.account.lose("rotations", what, where)
        return replace(item, box=bounds(polygons), rotation=0.0)

    def _outlined(self, item: Annotation, where: str) -> Annotation:
        """A mask as its outlines, or as its box alone."""
        account, name = self.account, self._name
        if not self._holds.polygons or item.mask is None:
            account.lose("masks", f"masks, of which {name} holds the box alone", where)
            return replace(item, mask=None)
        polygons, holes = outlines(item.mask)
        if not self._holds.parts and len(polygons) > 1:
            account.lose("parts", f"masks of several parts, of which {name} holds the largest", where)
            polygons = (max(polygons, key=_extent),)
        if holes:
            account.lose("holes", f"holes in masks, which {name} does not hold", where, count=holes)
        if polygons:
            account.change("masks-as-outlines", f"masks, which {name} holds as outlines", where)
        return replace(item, mask=None, polygons=polygons)


def _numbered(record: FrameRecord, numbers: Mapping[int, int]) -> FrameRecord:
    """The frame with its classes under other numbers."""
    if record.labels is not None:
        table = np.full(256, NO_CATEGORY, np.uint8)
        for one, other in numbers.items():
            table[one] = other
        return replace(record, labels=table[record.labels])
    return replace(
        record, objects=tuple(replace(item, category_id=numbers[item.category_id]) for item in record.objects)
    )


def _extent(polygon: tuple[float, ...]) -> float:
    x1, y1, x2, y2 = bounds((polygon,))
    return (x2 - x1) * (y2 - y1)


def describe(item: Annotation, record: FrameRecord, names: Mapping[int, str]) -> str:
    """Which object it is, for people."""
    name = names.get(item.category_id, str(item.category_id))
    x1, y1, x2, y2 = item.box
    picture = "" if record.name is None else f" ({record.name})"
    return f"frame {record.index}{picture}, {name}, x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
