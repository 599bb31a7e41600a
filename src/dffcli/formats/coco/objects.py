"""Read the objects of COCO files one by one: what can be read is, what cannot is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dffcli.formats.numbers import MAX_ID, printable, real, whole
from dffcli.formats.reading import Reading
from dffcli.formats.record import Annotation, Box, Polygon, bounds
from dffcli.formats.rle import Mask, check_polygon

Entry = dict[str, Any]

_KNOWN_ATTRIBUTES = ("track_id", "keyframe", "occluded", "rotation")
"""What CVAT and datumaro write among the attributes, and is no attribute here."""


def normal_id(value: Any) -> int | str:
    """An id as a number if it is one, in whatever notation, else as a text.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else value
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_ID:
        return int(value)
    if type(value) is not int or abs(value) > MAX_ID:
        raise ValueError(f"expected an id, got {str(value)[:40]!r}")
    return value


class Objects:
    """Reads objects, and notes in the account what cannot be read of them."""

    def __init__(self, reading: Reading, names: dict[int, str], *, is_ours: bool) -> None:
        """Begin.

        Args:
            reading: the file.
            names: of the categories by id.
            is_ours: dff wrote the file; its old ones give objects without a track an `instance_id` all the same.
        """
        self._account = reading.account
        self._names = names
        self._is_ours = is_ours
        self._tracks: dict[str, int] = {}
        self._numbers: set[int] = set()
        self._attributes: dict[str, None] = {}

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Every attribute that an object bears."""
        return tuple(self._attributes)

    def by_image(self, annotations: Iterable[Entry], images: Iterable[Any]) -> dict[int | str, list[Entry]]:
        """Objects by picture; those of no picture are lost."""
        known = {normal_id(image) for image in images}
        found: dict[int | str, list[Entry]] = defaultdict(list)
        for entry in annotations:
            try:
                image = normal_id(entry["image_id"])
                if image not in known:
                    raise ValueError(f"image {repr(image)[:40]} is not in the list of images")
            except (ValueError, KeyError, TypeError) as error:
                self._lose(entry, "of-no-image", "objects of an image that is not there", error)
                continue
            for name in attributes_of(entry):
                self._attributes[name] = None
            track = self._track_of(entry)
            if type(track) is int:
                self._numbers.add(track)
            found[image].append(entry)
        return found

    def read(self, entry: Entry, size: tuple[int, int]) -> Annotation | None:
        """One object; None if it cannot be read, which is noted."""
        try:
            category = normal_id(entry["category_id"])
            if category not in self._names:
                raise ValueError(f"category {repr(category)[:40]} is not in the list of categories")
            box = self._box(entry)
            mask, polygons = self._shape(entry, size)
            if box is None:
                if mask is None and not polygons:
                    raise ValueError("expected a bbox or a segmentation")
                box = mask.box if mask is not None else bounds(polygons)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._lose(entry, "unreadable", "objects that cannot be read", error)
            return None
        rotation = self._rotation(entry) if mask is None and not polygons else 0.0
        if entry.get("keypoints"):
            self._account.lose("keypoints", "keypoints of objects", _who(entry))
        attributes = entry.get("attributes")
        return Annotation(
            int(category),
            box,
            self._score(entry),
            self._track(entry),
            mask,
            polygons,
            rotation,
            is_crowd=bool(entry.get("iscrowd")),
            is_ignored=bool(entry.get("ignore")),
            is_occluded=isinstance(attributes, dict) and attributes.get("occluded") is True,
            attributes=attributes_of(entry),
        )

    def mask(self, entry: Entry, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels of one class of a label map.

        Raises:
            ValueError: it has none, or its category is not in the list.
        """
        if normal_id(entry["category_id"]) not in self._names:
            raise ValueError(f"{_who(entry)}: a category that is not in the list of categories")
        return Mask.of_coco(entry["segmentation"], size=size).array

    def _box(self, entry: Entry) -> Box | None:
        """The box; None if there is none, or it is broken and a segmentation can stand in."""
        values = entry.get("bbox")
        if values is None or values == []:
            return None
        try:
            if not isinstance(values, list | tuple) or len(values) != 4:
                raise ValueError(f"expected a bbox of four numbers, got {str(values)[:40]}")
            x, y, w, h = (real(side, what="bbox") for side in values)
            if w < 0 or h < 0:
                raise ValueError(f"expected a width and a height from 0, got {w:g} x {h:g}")
        except ValueError as error:
            if not entry.get("segmentation"):
                raise
            self._detail(entry, "boxes-from-outlines", "boxes that cannot be read, taken from the outlines", error)
            return None
        return x, y, x + w, y + h

    def _shape(self, entry: Entry, size: tuple[int, int]) -> tuple[Mask | None, tuple[Polygon, ...]]:
        """The mask or the polygons; a part that cannot be read is lost, and the box remains."""
        segmentation = entry.get("segmentation")
        if not segmentation:
            return None, ()
        try:
            if isinstance(segmentation, dict):
                return Mask.of_coco(segmentation, size=size), ()
            if not isinstance(segmentation, list):
                raise ValueError(f"expected run lengths or polygons, got {str(segmentation)[:40]!r}")
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._detail(entry, "unreadable-masks", "masks that cannot be read; their boxes are kept", error)
            return None, ()
        if not isinstance(segmentation[0], list | tuple):
            segmentation = [segmentation]  # some tools leave the outer list out
        polygons = []
        for part in segmentation:
            try:
                polygon = tuple(real(value, what="segmentation") for value in part)
                check_polygon(polygon, size=size)
                polygons.append(polygon)
            except (ValueError, TypeError, OverflowError) as error:
                self._detail(entry, "unreadable-outlines", "outlines, or parts of them, that cannot be read", error)
        return None, tuple(polygons)

    def _score(self, entry: Entry) -> float | None:
        value = entry.get("score")
        if value is None:
            return None
        try:
            return real(value, what="score")
        except ValueError as error:
            self._detail(entry, "unreadable-scores", "scores that cannot be read", error)
            return None

    def _rotation(self, entry: Entry) -> float:
        """Of a box that CVAT or datumaro exported: turned about its middle, which COCO itself knows nothing of."""
        attributes = entry.get("attributes")
        value = attributes.get("rotation") if isinstance(attributes, dict) else None
        try:
            return 0.0 if value is None else real(value, what="rotation", most=1e4) % 360
        except ValueError as error:
            self._detail(entry, "unreadable-rotations", "rotations that cannot be read", error)
            return 0.0

    def _track_of(self, entry: Entry) -> Any:
        attributes = entry.get("attributes")
        track = entry.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
        if track is None and not self._is_ours:
            track = entry.get("instance_id")
        return track

    def _track(self, entry: Entry) -> int | None:
        """The track, under a number; words get numbers that no other track has."""
        value = self._track_of(entry)
        if value is None or value == "" or value == -1:
            return None
        try:
            number = normal_id(value)
            if isinstance(number, int):
                return whole(number, what="track", most=MAX_ID)
        except ValueError as error:
            self._detail(entry, "unreadable-tracks", "tracks that cannot be read", error)
            return None
        if number not in self._tracks:
            free = max(self._numbers, default=0) + 1
            self._numbers.add(free)
            self._tracks[number] = free
            self._account.change("tracks-numbered", "tracks named by words, now numbered", printable(number))
        return self._tracks[number]

    def _lose(self, entry: Any, kind: str, what: str, error: Exception) -> None:
        self._account.lose_object(kind, what, f"{_who(entry)}: {_said(error)}")

    def _detail(self, entry: Entry, kind: str, what: str, error: Exception) -> None:
        self._account.lose(kind, what, f"{_who(entry)}: {_said(error)}")


def attributes_of(entry: Entry) -> dict[str, str]:
    """What is said of an object beyond what dff itself understands."""
    found = entry.get("attributes")
    if not isinstance(found, dict):
        return {}
    return {
        printable(str(name)): printable(str(value))
        for name, value in found.items()
        if name not in _KNOWN_ATTRIBUTES and value is not None
    }


def _who(entry: Any) -> str:
    number = entry.get("id") if isinstance(entry, dict) else None
    return f"annotation {printable(str(number))[:40]}"


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"expected {error}"
    return printable(str(error))[:120]
