"""What a format can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Holds:
    """What can be said in a format; whatever cannot is changed into something that can, or counted as lost.

    Attributes:
        maps: a category for every pixel.
        boxes: upright boxes without anything else.
        rotation: of boxes.
        polygons: outlines.
        parts: outlines of several parts.
        masks: pixels of objects.
        tracks: identities.
        untracked: objects that have none.
        scores: how sure the detector was; "track" where one is said of a whole track.
        by_track: it tells one track after the other, each with one class.
        crowds: COCO's mark.
        ignored: marks of objects that do not count.
        occluded: marks of objects that are partly hidden.
        shares: it says places as shares of the picture, whose size has to be known.
        outside: places outside the picture.
        attributes: whatever else is said of objects; all, or those of these names.
        times: when frames are shown, where their number does not say.
        key_frames: which were key frames, and why.
        names: of pictures.
        sizes: of pictures, where they differ.
        class_ids: the numbers of classes; formats without them know classes by name.
    """

    maps: bool = False
    boxes: bool = True
    rotation: bool = False
    polygons: bool = False
    parts: bool = False
    masks: bool = False
    tracks: bool = False
    untracked: bool = True
    scores: bool | Literal["track"] = False
    by_track: bool = False
    crowds: bool = False
    ignored: bool = False
    occluded: bool = False
    outside: bool = True
    shares: bool = False
    attributes: Literal[True] | tuple[str, ...] = ()
    times: bool = False
    key_frames: bool = False
    names: bool = False
    sizes: bool = False
    class_ids: bool = False
