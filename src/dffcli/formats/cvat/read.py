"""Read CVAT for video 1.1 and CVAT for images 1.1, of one task or of a project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml.ElementTree import iterparse

from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.between import Drawn, DrawnTrack, frame_by_frame
from dffcli.formats.cvat.shapes import SHAPES, read_shape
from dffcli.formats.numbers import MAX_FRAMES, MAX_ID, file_name, picture_size, printable, whole
from dffcli.formats.palette import NO_CATEGORY
from dffcli.formats.reading import Annotated, Labels, Reading, sequence_read, understanding
from dffcli.formats.record import Annotation, FrameRecord, Sequence

UNTRACKED_FROM = 1_000_000_000
"""Track ids from here on are what dff gives to objects that have no track, for CVAT's video files hold tracks alone."""

MAP_MARK = "dff_task"
"""An element in the head that tells a label map of dff's from masks that people drew."""


@dataclass(slots=True)
class _Task:
    """What the head says of one task, and what is in it."""

    name: str = ""
    size: tuple[int, int] | None = None
    start: int = 0
    stop: int | None = None
    step: int = 1
    tracks: list[DrawnTrack] = field(default_factory=list)
    images: dict[int, tuple[str, tuple[int, int], list[Annotation]]] = field(default_factory=dict)


@dataclass(slots=True)
class _File:
    """What has been read of a file so far."""

    reading: Reading
    labels: Labels = field(default_factory=Labels)
    tasks: dict[str, _Task] = field(default_factory=dict)
    attributes: dict[str, None] = field(default_factory=dict)
    is_map: bool = False
    shapes: int = 0
    track_ids: set[int] = field(default_factory=set)

    def task(self, element: Element) -> _Task:
        """The task an image or a track belongs to: its own in a project, else the only one."""
        number = element.attrib.get("task_id") or element.attrib.get("subset") if len(self.tasks) > 1 else None
        if number is None:
            return next(iter(self.tasks.values())) if self.tasks else self.tasks.setdefault("", _Task())
        return self.tasks.setdefault(number, _Task(name=printable(number)))


def read(reading: Reading) -> list[Annotated]:
    """The annotations of every task. Boxes and outlines between those that are written are interpolated, as CVAT does.

    Args:
        reading: the file, and what the user says of it.

    Raises:
        DataError: it is not such a file.
    """
    with understanding(reading.path):
        file = _parse(reading)
        categories = file.labels.categories()
        found = []
        for task in file.tasks.values():
            if task.images or task.tracks or len(file.tasks) == 1:
                found.append(_annotated(file, task, categories))
        if not found:
            raise DataError(f"{reading.path}: holds no tracks and no images")
    return found


def _annotated(file: _File, task: _Task, categories: Any) -> Annotated:
    reading = file.reading
    size = reading.given.size or task.size
    if size is None:
        raise DataError(f"{reading.path}: says nothing of the picture's size: give --size WIDTHxHEIGHT")
    frames = _frames(reading, task)
    if isinstance(frames, range):  # what is not said to leave stays to the end
        task.tracks = [replace(track, end=frames.stop) for track in task.tracks]
    names = tuple(name for name, _, _ in task.images.values() if name)
    objects = sum(track.count(task.step) for track in task.tracks)
    reading.check("objects on all frames", objects, reading.budget.objects)
    reading.check("frames", len(frames), reading.budget.frames)
    sequence = sequence_read(
        task.name or reading.path.stem,
        size,
        Task.SEGMENT if file.is_map else Task.DETECT,
        categories,
        rate=reading.given.rate,
        attributes=tuple(file.attributes),
        frame_names=names,
        is_video=not task.images,
    )
    records = _image_records(sequence, task, frames) if task.images else _video_records(reading, sequence, task, frames)
    return Annotated(sequence, records)


def _frames(reading: Reading, task: _Task) -> range | list[int]:
    if task.images and not task.tracks:
        return sorted(task.images)
    last = -1 if task.stop is None else task.stop
    drawn = max((one.frame for track in task.tracks for one in track.drawn if one.is_seen), default=-1)
    if task.stop is not None and drawn > last:
        said = f"frame {drawn}, after frame {last}"
        reading.account.change("frames-after-the-end", "shapes after the last frame that the task says it has", said)
    return range(task.start, max(last, drawn) + 1, task.step)


def _image_records(sequence: Sequence, task: _Task, frames: range | list[int]) -> Iterator[FrameRecord]:
    for index in frames:
        name, size, objects = task.images[index]
        yield FrameRecord(index, size, index / sequence.rate, tuple(objects), name=name or None)


def _video_records(
    reading: Reading, sequence: Sequence, task: _Task, frames: range | list[int]
) -> Iterator[FrameRecord]:
    def note(item: Annotation) -> None:
        what = "outlines and masks that were not interpolated between two frames, but kept"
        reading.account.change("kept-between-frames", what, f"track {item.track}")

    size, names = sequence.info.size, sequence.names
    wanted = frames if isinstance(frames, range) else range(frames[0], frames[-1] + 1)
    for index, objects in frame_by_frame(task.tracks, wanted, on_held=note):
        record = FrameRecord(index, size, index / sequence.rate)
        if sequence.task is Task.SEGMENT:
            labels = np.full(size, NO_CATEGORY, np.uint8)
            for item in objects:
                if item.mask is not None and item.category_id in names:
                    labels[item.mask.array] = item.category_id
            yield replace(record, labels=labels)
        else:
            yield replace(record, objects=tuple(objects))


def _parse(reading: Reading) -> _File:
    file = _File(reading)
    root: Element | None = None
    path = reading.check_file()
    for event, element in iterparse(path, events=("start", "end"), forbid_dtd=True):
        if root is None:
            root = element
            if element.tag != "annotations":
                raise DataError(f"{path}: expected CVAT's <annotations>, found <{printable(element.tag)[:40]}>")
        if event != "end":
            continue
        if element.tag == "meta":
            _read_meta(element, file)
        elif element.tag == "track":
            _read_track(element, file)
        elif element.tag == "image":
            _read_image(element, file)
        else:
            continue
        reading.check_time()
        reading.check("shapes", file.shapes, reading.budget.objects)
        root.clear()
    return file


def _read_meta(meta: Element, file: _File) -> None:
    for label in meta.iter("label"):
        name = (label.findtext("name") or "").strip()
        if name and (label.findtext("parent") or "").strip() == "":
            file.labels.id_of(name)
        for attribute in label.iter("attribute"):
            if said := printable(attribute.findtext("name") or ""):
                file.attributes[said] = None
    file.attributes.pop("score", None)
    file.is_map = (meta.findtext(MAP_MARK) or "").strip() == "segment"
    found = [*meta.iter("task")] or [child for kind in ("job", "project") for child in meta.iter(kind)]
    for number, element in enumerate(found):
        task = _Task(name=(element.findtext("name") or "").strip())
        size = (element.findtext("size") or "").strip()
        task.start = whole(element.findtext("start_frame") or 0, what="start_frame")
        task.step = _step(element.findtext("frame_filter") or "")
        if stop := (element.findtext("stop_frame") or "").strip():
            task.stop = whole(stop, what="stop_frame")
        elif size:
            task.stop = task.start + whole(size, what="size") * task.step - 1
        if size and task.stop is not None:  # some tools write a stop that is one too many
            task.stop = min(task.stop, max(task.start, task.start + whole(size, what="size") * task.step - 1))
        original = element.find("original_size")
        if original is None and len(found) == 1:
            original = meta.find("original_size")
        if original is not None:
            task.size = picture_size(original.findtext("height"), original.findtext("width"))
        file.tasks[(element.findtext("id") or "").strip() or str(number)] = task


def _step(text: str) -> int:
    """Of frames: CVAT's filter is `step=5`."""
    text = text.strip()
    if not text:
        return 1
    key, _, value = text.partition("=")
    if key.strip() != "step":
        raise ValueError(f"expected a frame filter like step=5, got {printable(text)[:40]!r}")
    return whole(value.strip(), what="step", least=1)


def _read_image(element: Element, file: _File) -> None:
    at = element.attrib
    task = file.task(element)
    index = whole(at["id"], what="image id") if "id" in at else len(task.images)
    if index in task.images:
        raise ValueError(f"expected every image to have its own id, found {index} twice")
    size = picture_size(at["height"], at["width"])
    name = file_name(at.get("name", ""))
    objects = []
    for child in element:
        if child.tag in SHAPES:
            file.shapes += 1
            where = f"image {index} ({printable(name)}), <{child.tag}> {printable(child.attrib.get('label', ''))!r}"
            category = file.labels.id_of(child.attrib.get("label", ""))
            item = read_shape(child, category, track=None, size=size, account=file.reading.account, where=where)
            if item is not None:
                objects.append(item)
                file.attributes |= dict.fromkeys(item.attributes)
    task.images[index] = (name, size, objects)
    task.size = task.size or size


def _read_track(element: Element, file: _File) -> None:
    """A track; shapes that are not held are lost with it."""
    task = file.task(element)
    label = element.attrib.get("label", "")
    category = file.labels.id_of(label)
    number = _track_number(element.attrib.get("id"), file)
    size = file.reading.given.size or task.size
    drawn: list[Drawn] = []
    for child in element:
        if child.tag not in SHAPES:
            continue
        file.shapes += 1
        frame = whole(child.attrib["frame"], what="frame", most=MAX_FRAMES)
        where = f"track {printable(element.attrib.get('id', ''))} {printable(label)!r}, frame {frame}"
        if size is None:
            raise DataError(f"{file.reading.path}: says nothing of the picture's size: give --size WIDTHxHEIGHT")
        is_seen = child.attrib.get("outside") != "1"
        account = file.reading.account
        item = read_shape(child, category, track=number, size=size, account=account, where=where) if is_seen else None
        if item is not None:
            file.attributes |= dict.fromkeys(item.attributes)
            drawn.append(Drawn(frame, item))
        elif not is_seen:
            drawn.append(Drawn(frame, Annotation(category, (0.0, 0.0, 0.0, 0.0)), is_seen=False))
    drawn.sort(key=lambda one: one.frame)
    if drawn:
        task.tracks.append(DrawnTrack(tuple(drawn), drawn[-1].frame + 1))


def _track_number(text: str | None, file: _File) -> int | None:
    """The track's own number, or a free one; None for objects that have none."""
    number = whole(text, what="track id", most=MAX_ID) if text and text.isdecimal() else None
    if number is not None and number >= UNTRACKED_FROM:
        return None
    if number is None or number in file.track_ids:
        if number is not None:
            what = "tracks of one id, now numbered apart"
            file.reading.account.change("tracks-of-one-id", what, f"track {number}")
        number = max(file.track_ids, default=-1) + 1
    file.track_ids.add(number)
    return number
