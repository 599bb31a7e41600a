"""Read COCO annotation files and CocoVID."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dffcli.categories import Category, bright_color
from dffcli.core.types import KeyReason, Task
from dffcli.errors import DataError
from dffcli.formats.coco.objects import Objects, normal_id
from dffcli.formats.coco.write import ANNOTATIONS_FILE
from dffcli.formats.numbering import frame_numbers, in_order
from dffcli.formats.numbers import MAX_ID, file_name, fraction, picture_size, printable, rate, real, whole
from dffcli.formats.palette import NO_CATEGORY
from dffcli.formats.pictures import size_of_picture
from dffcli.formats.reading import (
    Annotated,
    Reading,
    inside,
    is_ours,
    run_facts_of,
    sequence_read,
    understanding,
)
from dffcli.formats.record import FrameRecord, Sequence

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Frame:
    index: int
    id: int | str
    size: tuple[int, int]
    name: str | None
    time: Fraction | None = None
    reason: str | None = None
    keys: tuple[int, ...] = ()
    is_labelled: bool = True
    is_size_known: bool = True


def read(reading: Reading) -> list[Annotated]:
    """The annotations of every video of a file, or of its stills; masks are unpacked when they are needed.

    Args:
        reading: the file, and what the user says of it.

    Raises:
        DataError: it is not such a file.
    """
    if reading.path.is_dir():
        reading = reading.within(ANNOTATIONS_FILE)
    path = reading.path
    with understanding(path):
        data = reading.json()
        if isinstance(data, list):
            raise DataError(f"{path}: a list of results names neither pictures nor classes: give the annotation file")
        if not isinstance(data, dict) or not isinstance(data.get("categories"), list) or "images" not in data:
            raise DataError(f"{path}: expected a COCO file with images, annotations and categories")
        categories = tuple(read_category(entry) for entry in data["categories"])
        for entry, item in zip(data["categories"], categories, strict=True):
            if str(entry["name"]) != item.name:
                what = "names of classes, without what is no text in them"
                reading.account.change("class-names-made-safe", what, f"class {item.id}, now {item.name!r}")
        groups = _by_video(data)
        if not any(images for _, images in groups):
            raise DataError(f"{path}: holds no frames")
        reading.check("images", len(data["images"]), reading.budget.frames)
        annotations = data.get("annotations") or []
        reading.check("annotations", len(annotations), reading.budget.objects)
        objects = Objects(reading, {item.id: item.name for item in categories}, is_ours=is_ours(data.get("info")))
        by_image = objects.by_image(annotations, [image["id"] for image in data["images"]])
        found = []
        for video, images in groups:
            if images:
                found.append(_annotated(reading, data, video, images, categories, objects, by_image))
    return found


def _annotated(
    reading: Reading,
    data: Entry,
    video: Entry,
    images: list[Entry],
    categories: tuple[Category, ...],
    objects: Objects,
    by_image: dict[int | str, list[Entry]],
) -> Annotated:
    info = data.get("info")
    is_map = isinstance(info, dict) and is_ours(info) and info.get("task") == "segment"
    task = Task.SEGMENT if is_map else Task.DETECT
    frames = _frames(reading, images, by_image)
    name = str(video.get("name") or (info.get("video") if isinstance(info, dict) else "") or reading.path.stem)
    sequence = sequence_read(
        name,
        reading.given.size or frames[0].size,
        task,
        categories,
        rate=reading.given.rate or video_rate(video, info),
        run=run_facts_of(info),
        attributes=objects.attribute_names,
        frame_names=tuple(frame.name for frame in frames if frame.name is not None),
        is_video=bool(video),
        is_size_known=all(frame.is_size_known for frame in frames),
    )
    return Annotated(sequence, _records(reading.path, sequence, frames, objects, by_image))


def _records(
    path: Path, sequence: Sequence, frames: list[_Frame], objects: Objects, by_image: dict[int | str, list[Entry]]
) -> Iterator[FrameRecord]:
    for frame in frames:
        entries = by_image.get(frame.id, [])
        pts = frame.index / sequence.rate if frame.time is None else frame.time
        record = FrameRecord(
            frame.index,
            frame.size,
            pts,
            name=frame.name,
            key_reason=frame.reason,
            key_indices=frame.keys,
            is_labelled=frame.is_labelled,
        )
        with understanding(path):
            if sequence.task is Task.SEGMENT:
                labels = np.full(frame.size, NO_CATEGORY, np.uint8)
                for entry in entries:
                    labels[objects.mask(entry, frame.size)] = normal_id(entry["category_id"])
                record = replace(record, labels=labels)
            else:
                found = [objects.read(entry, frame.size) for entry in entries]
                record = replace(record, objects=tuple(item for item in found if item is not None))
        yield record


def _by_video(data: Entry) -> list[tuple[Entry, list[Entry]]]:
    """Each video with its pictures; pictures of no video are one of their own."""
    videos = data.get("videos") or []
    by_id: dict[int | str | None, list[Entry]] = defaultdict(list)
    known = {normal_id(video["id"]) for video in videos}
    for image in data["images"]:
        video = image.get("video_id")
        number = None if video is None or not known else normal_id(video)
        if number is not None and number not in known:
            raise ValueError(f"image {image['id']}: its video {number} is not in the list of videos")
        by_id[number].append(image)
    found = [(video, by_id[normal_id(video["id"])]) for video in videos]
    if by_id[None]:
        found.insert(0, (videos[0] if len(videos) == 1 and not found[0][1] else {}, by_id[None]))
    return found


def _frames(reading: Reading, images: list[Entry], by_image: dict[int | str, list[Entry]]) -> list[_Frame]:
    """Frames in order: numbered by the file, else by their names, else in the natural order of their names."""
    names = [str(image.get("file_name") or "") for image in images]
    numbers = _own_numbers(images, "frame_id") or _own_numbers(images, "frame_index") or frame_numbers(names)
    frames = []
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        index = None if numbers is None else numbers[place]
        is_made_up = not name or ("frame_id" in image and index is not None and name == f"{index:06d}.jpg")
        kept = file_name(name)
        if not is_made_up and kept != name:
            said = f"names of pictures, made safe to use ({kept})"
            reading.account.change("names-made-safe", said, printable(repr(name)))
        exact, seconds = image.get("time_exact"), image.get("time_seconds")
        time = None if exact is None else fraction(exact, what="time_exact")
        if time is None and seconds is not None:
            time = fraction(real(seconds, what="time_seconds", most=1e9), what="time_seconds")
        reason = image.get("key_reason")
        size = _size(reading, image)
        frames.append(
            _Frame(
                index=place if index is None else index,
                id=normal_id(image["id"]),
                size=size or _reach(reading, by_image.get(normal_id(image["id"]), [])),
                is_size_known=size is not None,
                name=None if is_made_up or not kept else kept,
                time=time,
                reason=None if reason is None else KeyReason.slug(printable(str(reason))),
                keys=tuple(whole(key, what="key frame") for key in image.get("key_frame_ids") or ()),
                is_labelled=bool(image.get("is_vid_train_frame", True)),
            )
        )
    if len({frame.id for frame in frames}) != len(frames):
        raise ValueError("expected every image to have its own id")
    if numbers is None:
        frames = [replace(frame, index=place) for frame, place in zip(frames, in_order(names), strict=True)]
    return sorted(frames, key=lambda frame: frame.index)


def _own_numbers(images: list[Entry], key: str) -> list[int] | None:
    """The numbers the file itself gives its frames; None where it does not, or gives one twice."""
    found = [image.get(key) for image in images]
    if not all(type(number) is int for number in found) or len(set(found)) != len(found):
        return None
    return [whole(number, what=key) for number in found]


def _size(reading: Reading, image: Entry) -> tuple[int, int] | None:
    """What the file, the picture beside it or the user says."""
    if image.get("height") and image.get("width"):
        return picture_size(image["height"], image["width"])
    images, name = reading.given.images, image.get("file_name")
    if images is not None and name and (picture := inside(images, str(name))).is_file():
        return size_of_picture(picture)
    return reading.given.size


def _reach(reading: Reading, entries: list[Entry]) -> tuple[int, int]:
    """The size of a picture that nobody says: that of a mask, or as far as the boxes reach."""
    height = width = 1.0
    for entry in entries:
        segmentation = entry.get("segmentation")
        if isinstance(segmentation, dict) and isinstance(segmentation.get("size"), list):
            return picture_size(*segmentation["size"])
        with suppress(ValueError, TypeError):
            x, y, w, h = (real(side, what="bbox") for side in entry.get("bbox") or ())
            height, width = max(height, y + h), max(width, x + w)
    what = "size of the picture, taken from how far the boxes reach"
    reading.account.change("size-from-boxes", what, f"{math.ceil(width)} x {math.ceil(height)}")
    return picture_size(math.ceil(height), math.ceil(width))


def read_category(entry: Entry) -> Category:
    """A category with its own colour, or a made-up one."""
    number = whole(entry["id"], what="category id", most=MAX_ID)
    name = printable(str(entry["name"])) or f"class {number}"
    color = entry.get("color")
    if isinstance(color, list) and len(color) == 3:
        red, green, blue = (whole(value, what="color", most=255) for value in color)
        return Category(number, name, (red, green, blue))
    return Category(number, name, bright_color(number))


def video_rate(video: Entry, info: Any) -> Fraction | None:
    """Frames per second, as a video or the whole file says; None where neither does."""
    if video.get("fps_num") and video.get("fps_den"):
        most = 10**9
        numerator = whole(video["fps_num"], what="fps_num", least=1, most=most)
        return rate(Fraction(numerator, whole(video["fps_den"], what="fps_den", least=1, most=most)))
    if video.get("fps"):
        return rate(str(real(video["fps"], what="fps"))).limit_denominator(1001)
    if isinstance(info, dict) and info.get("frame_rate"):
        return rate(info["frame_rate"])
    return None
