"""Read CVAT for video 1.1 (and boxes of CVAT for images 1.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, iterparse

import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import SegmentationMap, Task
from dffcli.errors import DataError
from dffcli.formats.palette import NO_CATEGORY
from dffcli.formats.reading import (
    Given,
    Labels,
    ReadBox,
    detections,
    picture_size,
    real,
    sequence_read,
    understanding,
    whole,
)
from dffcli.formats.record import FrameRecord, Sequence

Shape = dict[str, Any]
"""`frame`, `outside`, `score` (or None), `category_id`, `track`; `box`, or `mask` (rle, left, top, width, height)."""


def read_cvat(path: Path, given: Given) -> tuple[Sequence, Iterator[FrameRecord]]:
    """Annotations of one video. Boxes between those that are written are interpolated, as CVAT does.

    Masks without a score are taken for a label map, those with one for instances.

    Args:
        path: the file.
        given: what the user says of it.

    Raises:
        DataError: it is not such a file.
    """
    with understanding(path):
        _refuse_entities(path)
        labels, meta, by_frame = _parse(path)
        shapes = [shape for found in by_frame.values() for shape in found]
        size = given.size or meta.get("original_size")
        if size is None:
            raise DataError(f"{path}: says nothing of the picture's size: give --size WIDTHxHEIGHT")
        is_map = bool(shapes) and all("mask" in shape and shape["score"] is None for shape in shapes)
        task = Task.SEGMENT if is_map else Task.DETECT
        categories = labels.categories()
        sequence = sequence_read(meta.get("name") or path.stem, size, task, categories, rate=given.rate)
        frames = max([meta.get("size", 0), *(frame + 1 for frame in by_frame)])
        tracks: dict[int, int] = defaultdict(int)
        for shape in shapes:
            tracks[shape["track"]] += 1
        is_tracked = any(count > 1 for count in tracks.values())
    return sequence, _records(path, sequence, frames, by_frame, is_tracked=is_tracked)


def _records(
    path: Path, sequence: Sequence, frames: int, by_frame: dict[int, list[Shape]], *, is_tracked: bool
) -> Iterator[FrameRecord]:
    size = sequence.info.size
    for index in range(frames):
        shapes = by_frame.get(index, [])
        with understanding(path):
            if sequence.task is Task.SEGMENT:
                labels = np.full(size, NO_CATEGORY, np.uint8)
                for shape in shapes:
                    labels[_mask(shape["mask"], size)] = shape["category_id"]
                prediction: Any = SegmentationMap(labels)
            else:
                prediction = detections(_read_box(shape, size, is_tracked=is_tracked) for shape in shapes)
        yield FrameRecord(index, size, index / sequence.rate, prediction)


def _refuse_entities(path: Path) -> None:
    """Refuse document types: they are no part of the format, and can make a small file enormous."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if b"<!" in head.replace(b"<!--", b"") or b"\0" in head:
        raise DataError(f"{path}: expected plain UTF-8 XML without a document type")


def _parse(path: Path) -> tuple[Labels, dict[str, Any], dict[int, list[Shape]]]:
    labels, meta = Labels(), dict[str, Any]()
    by_frame: dict[int, list[Shape]] = defaultdict(list)
    tracks = images = 0
    root: Element | None = None
    for event, element in iterparse(path, events=("start", "end")):
        if root is None:
            root = element
            if element.tag != "annotations":
                raise DataError(f"{path}: expected CVAT's <annotations>, found <{element.tag}>")
        if event != "end":
            continue
        if element.tag == "meta":
            _read_meta(element, meta, labels)
        elif element.tag == "track":
            for shape in _filled(_track_shapes(element, labels.id_of(element.attrib["label"]), tracks)):
                by_frame[shape["frame"]].append(shape)
            tracks += 1
            root.remove(element)
        elif element.tag == "image":
            meta.setdefault("original_size", picture_size(element.attrib["height"], element.attrib["width"]))
            for child in element.iter("box"):
                category = labels.id_of(child.attrib["label"])
                by_frame[images].append(_shape(child, images, category, tracks))
                tracks += 1
            images += 1
            root.remove(element)
    meta["size"] = max(meta.get("size", 0), images)
    return labels, meta, by_frame


def _read_meta(meta: Element, found: dict[str, Any], labels: Labels) -> None:
    task = next((child for kind in ("task", "job", "project") if (child := meta.find(kind)) is not None), meta)
    if (name := task.findtext("name")) is not None:
        found["name"] = name.strip()
    if (size := task.findtext("size")) is not None and size.strip():
        found["size"] = whole(size, what="size")
    original = task.find("original_size")
    if original is not None:
        found["original_size"] = picture_size(original.findtext("height"), original.findtext("width"))
    for label in task.iter("label"):
        labels.id_of((label.findtext("name") or "").strip())


def _track_shapes(track: Element, category: int, number: int) -> list[Shape]:
    shapes = []
    for child in track:
        if child.tag not in ("box", "mask"):
            raise DataError(f"a <{child.tag}> in a track: only boxes and masks can be read")
        shapes.append(_shape(child, whole(child.attrib["frame"], what="frame"), category, number))
    return sorted(shapes, key=lambda shape: int(shape["frame"]))


def _shape(element: Element, frame: int, category: int, track: int) -> Shape:
    at = element.attrib
    score = next((child.text for child in element if child.attrib.get("name") == "score"), None)
    shape: Shape = {
        "frame": frame,
        "outside": at.get("outside") == "1",
        "score": real(score, what="score") if score else None,
        "category_id": category,
        "track": track,
    }
    if element.tag == "box":
        shape["box"] = tuple(real(at[side], what=side) for side in ("xtl", "ytl", "xbr", "ybr"))
        return shape
    runs = [whole(run, what="rle") for run in at["rle"].split(",")]
    shape["mask"] = (runs, *(whole(at[side], what=side) for side in ("left", "top", "width", "height")))
    return shape


def _filled(shapes: list[Shape]) -> Iterator[Shape]:
    """The visible shapes of a track, with boxes interpolated where frames are left out."""
    for place, shape in enumerate(shapes):
        if shape["outside"]:
            continue
        yield shape
        after = shapes[place + 1] if place + 1 < len(shapes) else None
        if after is None or "box" not in shape or "box" not in after:
            continue
        gap = after["frame"] - shape["frame"]
        for step in range(1, gap):
            share = step / gap
            if after["outside"]:
                share = 0.0  # an object stays where it is until it leaves
            sides = zip(shape["box"], after["box"], strict=True)
            box = tuple((1 - share) * one + share * other for one, other in sides)
            yield {**shape, "frame": shape["frame"] + step, "box": box}


def _read_box(shape: Shape, size: tuple[int, int], *, is_tracked: bool) -> ReadBox:
    track = shape["track"] + 1 if is_tracked else None
    score = 1.0 if shape["score"] is None else shape["score"]
    if "box" in shape:
        return ReadBox(shape["category_id"], shape["box"], score, track)
    mask = _mask(shape["mask"], size)
    _, left, top, width, height = shape["mask"]
    return ReadBox(shape["category_id"], (left, top, left + width, top + height), score, track, mask)


def _mask(fields: tuple[Any, ...], size: tuple[int, int]) -> NDArray[np.bool_]:
    runs, left, top, width, height = fields
    if left + width > size[1] or top + height > size[0]:
        raise ValueError(f"expected a mask within {size[1]} x {size[0]}, got one up to {left + width}, {top + height}")
    if sum(runs) != width * height:
        raise ValueError(f"expected run lengths for {width * height} pixels, got {sum(runs)}")
    inside = np.zeros(len(runs), bool)
    inside[1::2] = True
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = np.repeat(inside, runs).reshape(height, width)
    return mask
