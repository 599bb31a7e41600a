"""Read COCO annotation files, CocoVID and YouTube-VIS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dffcli.categories import Category, bright_color
from dffcli.core.types import SegmentationMap, Task
from dffcli.errors import DataError
from dffcli.formats.palette import NO_CATEGORY
from dffcli.formats.reading import (
    Given,
    ReadBox,
    detections,
    load_json,
    picture_size,
    real,
    run_facts_of,
    sequence_read,
    understanding,
    whole,
)
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import decode_mask

Entry = dict[str, Any]


def read_coco(path: Path, given: Given) -> tuple[Sequence, Iterator[FrameRecord]]:
    """Annotations of one video; masks are unpacked frame by frame.

    Args:
        path: the file.
        given: what the user says of it.

    Raises:
        DataError: it is not such a file, or holds several videos.
    """
    with understanding(path):
        data = load_json(path)
        if isinstance(data, list):
            raise DataError(f"{path}: a list of results names neither pictures nor classes: give the annotation file")
        if not isinstance(data, dict) or not isinstance(data.get("categories"), list):
            raise DataError(f"{path}: expected a COCO file with images, annotations and categories")
        videos = data.get("videos") or []
        if len(videos) > 1:
            raise DataError(f"{path}: expected one video, found {len(videos)}: split the file by video")
        categories = tuple(_category(entry) for entry in data["categories"])
        info = data.get("info")
        task = Task.SEGMENT if isinstance(info, dict) and info.get("task") == "segment" else Task.DETECT
        is_youtube = bool(videos) and "images" not in data
        frames = _youtube_frames(videos[0]) if is_youtube else _image_frames(data["images"])
        if not frames:
            raise DataError(f"{path}: holds no frames")
        size = given.size or picture_size(frames[0]["height"], frames[0]["width"])
        rate = given.rate or _rate(videos, info)
        name = _name(videos, info) or path.stem
        sequence = sequence_read(name, size, task, categories, rate=rate, run=run_facts_of(info))
        by_frame = _youtube_objects(data) if is_youtube else _objects(data, frames)
    return sequence, _records(path, sequence, frames, by_frame)


def _records(
    path: Path, sequence: Sequence, frames: list[Entry], by_frame: dict[int, list[Entry]]
) -> Iterator[FrameRecord]:
    known = sequence.names
    for frame in frames:
        index = frame["index"]
        with understanding(path):
            size = picture_size(frame["height"], frame["width"])
            where = f"{path}, frame {index}"
            entries = by_frame.get(index, [])
            unknown = {entry["category_id"] for entry in entries} - set(known)
            if unknown:
                raise DataError(f"{where}: a category {min(unknown)} that is not in the list of categories")
            if sequence.task is Task.SEGMENT:
                labels = np.full(size, NO_CATEGORY, np.uint8)
                for entry in entries:
                    labels[decode_mask(entry["segmentation"], size=size, where=where)] = entry["category_id"]
                prediction: Any = SegmentationMap(labels)
            else:
                prediction = detections(_read_box(entry, size, where) for entry in entries)
            time = frame["time"]
            pts = index / sequence.rate if time is None else time
            record = FrameRecord(index, size, pts, prediction, frame["name"], frame["reason"], frame["keys"])
        yield record


def _image_frames(images: Any) -> list[Entry]:
    """Frames in order, numbered by `frame_id` where all have their own, else by their place."""
    numbers = [image.get("frame_id") for image in images]
    is_numbered = all(isinstance(number, int) for number in numbers) and len(set(numbers)) == len(numbers)
    frames = []
    for place, image in enumerate(images):
        exact, seconds = image.get("time_exact"), image.get("time_seconds")
        time = Fraction(str(exact)) if exact is not None else None
        if time is None and seconds is not None:
            time = Fraction(str(real(seconds, what="time_seconds", most=1e9)))
        name = image.get("file_name")
        is_made_up = "frame_id" in image and name == f"{image['frame_id']:06d}.jpg"
        frames.append(
            {
                "index": whole(image["frame_id"], what="frame_id") if is_numbered else place,
                "id": image["id"],
                "height": image["height"],
                "width": image["width"],
                "name": None if name is None or is_made_up else Path(str(name)).name,
                "time": time,
                "reason": image.get("key_reason"),
                "keys": tuple(whole(key, what="key frame") for key in image.get("key_frame_ids") or ()),
            }
        )
    return sorted(frames, key=lambda frame: int(frame["index"]))


def _objects(data: Entry, frames: list[Entry]) -> dict[int, list[Entry]]:
    """Annotations by frame; regions of crowds are left aside."""
    index_of = {frame["id"]: frame["index"] for frame in frames}
    is_ours = run_facts_of(data.get("info")) is not None
    by_frame: dict[int, list[Entry]] = defaultdict(list)
    for annotation in data["annotations"]:
        if annotation.get("iscrowd"):
            continue
        attributes = annotation.get("attributes")
        track = annotation.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
        if track is None and not is_ours:
            track = annotation.get("instance_id")
        if annotation["image_id"] not in index_of:
            raise DataError(f"annotation {annotation.get('id')}: expected the id of an image, got another")
        by_frame[index_of[annotation["image_id"]]].append({**annotation, "track": track})
    return by_frame


def _youtube_frames(video: Entry) -> list[Entry]:
    names = video["file_names"]
    length = whole(video.get("length", len(names)), what="length")
    if len(names) != length:
        raise DataError(f"expected {length} file names, got {len(names)}")
    common = {"height": video["height"], "width": video["width"], "time": None, "reason": None, "keys": ()}
    frames = []
    for index, name in enumerate(names):
        kept = None if name == f"{index:06d}.jpg" else Path(str(name)).name
        frames.append({**common, "index": index, "id": index, "name": kept})
    return frames


def _youtube_objects(data: Entry) -> dict[int, list[Entry]]:
    by_frame: dict[int, list[Entry]] = defaultdict(list)
    for track in data["annotations"]:
        masks, boxes = track["segmentations"], track["bboxes"]
        for index, (mask, box) in enumerate(zip(masks, boxes, strict=True)):
            if mask is None:
                continue
            entry = {"category_id": track["category_id"], "bbox": box, "segmentation": mask, "track": track["id"] - 1}
            by_frame[index].append(entry | {"score": track.get("score", 1.0)})
    return by_frame


def _read_box(entry: Entry, size: tuple[int, int], where: str) -> ReadBox:
    x, y, w, h = (real(side, what="bbox") for side in entry["bbox"])
    segmentation = entry.get("segmentation")
    return ReadBox(
        whole(entry["category_id"], what="category_id"),
        (x, y, x + w, y + h),
        real(entry.get("score", 1.0), what="score"),
        None if entry["track"] is None else whole(entry["track"], what="track", most=2**53),
        decode_mask(segmentation, size=size, where=where) if segmentation else None,
    )


def _category(entry: Entry) -> Category:
    number = whole(entry["id"], what="category id")
    color = entry.get("color")
    if isinstance(color, list) and len(color) == 3:
        red, green, blue = (whole(value, what="color", most=255) for value in color)
        return Category(number, str(entry["name"]), (red, green, blue))
    return Category(number, str(entry["name"]), bright_color(number))


def _rate(videos: list[Entry], info: Any) -> Fraction | None:
    video = videos[0] if videos else {}
    if video.get("fps_num") and video.get("fps_den"):
        return Fraction(whole(video["fps_num"], what="fps_num"), whole(video["fps_den"], what="fps_den", least=1))
    if video.get("fps"):
        return Fraction(str(real(video["fps"], what="fps"))).limit_denominator(1001)
    if isinstance(info, dict) and info.get("frame_rate"):
        return Fraction(str(info["frame_rate"]))
    return None


def _name(videos: list[Entry], info: Any) -> str | None:
    if videos and videos[0].get("name"):
        return str(videos[0]["name"])
    if isinstance(info, dict) and info.get("video"):
        return str(info["video"])
    return None
