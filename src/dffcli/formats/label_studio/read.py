"""Read Label Studio's exports: every task, videos and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.between import DrawnTrack, frame_by_frame
from dffcli.formats.label_studio.regions import Regions
from dffcli.formats.numbers import file_name, picture_size, printable, rate, real, whole
from dffcli.formats.reading import Annotated, Labels, Reading, is_ours, run_facts_of, sequence_read, understanding
from dffcli.formats.record import Annotation, FrameRecord

Entry = dict[str, Any]

_RATES = ("fps", "frame_rate", "frameRate", "framerate", "frames_per_second")


@dataclass(slots=True)
class _Still:
    name: str
    size: tuple[int, int]
    objects: list[Annotation]


@dataclass(slots=True)
class _Found:
    """What has been read so far."""

    labels: Labels = field(default_factory=Labels)
    stills: list[_Still] = field(default_factory=list)
    videos: list[tuple[Entry, Entry, tuple[int, int], list[DrawnTrack], int, Fraction | None]] = field(
        default_factory=list
    )


def read(reading: Reading) -> list[Annotated]:
    """Every video of a file, and all its pictures as one folder of stills.

    Of each task the last annotation that was not cancelled is read, or else the first prediction. Sides are percent:
    the picture's size has to be known, from the file or from the user.

    Args:
        reading: the file, and what the user says of it.

    Raises:
        DataError: it is not such a file, or a size is unknown.
    """
    path = reading.path
    with understanding(path):
        data = reading.json()
        tasks = data if isinstance(data, list) else [data]
        if not tasks or not all(isinstance(task, dict) for task in tasks):
            raise DataError(f"{path}: expected Label Studio tasks")
        reading.check("tasks", len(tasks), reading.budget.frames)
        found = _Found()
        for number, task in enumerate(tasks, start=1):
            _read_task(reading, task, number, found)
            reading.check_time()
        sequences = [_video(reading, found, *video) for video in found.videos]
        if found.stills:
            sequences.append(_stills(reading, found))
        if not sequences:
            raise DataError(f"{path}: expected Label Studio tasks with annotations or predictions")
    return sequences


def _read_task(reading: Reading, task: Entry, number: int, found: _Found) -> None:
    results = _results(reading, task, number)
    data = task.get("data")
    if not isinstance(data, dict):
        raise DataError(f"{reading.path}: task {number} has no data: JSON_MIN is not read, export as JSON")
    meta: Entry = task["meta"] if isinstance(task.get("meta"), dict) else {}
    for name in meta.get("classes") or ():
        found.labels.id_of(str(name))
    is_video = "video" in data or any(_type(result).startswith(("video", "timeline")) for result in results)
    regions = Regions(reading.account, found.labels, f"task {number}", is_ours=is_ours(meta))
    if not is_video:
        _read_still(reading, data, meta, results, regions, number, found)
        return
    size = _size(reading, results, meta)
    if size is None and not results:
        what = "videos on which nothing is labelled and whose size nobody says, left aside"
        reading.account.change("videos-without-labels", what, f"task {number}")
        return
    if size is None:
        raise DataError(f"{reading.path}: holds percent of the picture, whose size it does not say: give --size")
    frames = whole(meta.get("frames") or 0, what="frames")
    own = next((rate(place[key]) for place in (meta, data) for key in _RATES if place.get(key)), None)
    for result in results:
        value = result.get("value") or {}
        frames = max(frames, whole(value.get("framesCount") or 0, what="framesCount"))
        if own is None and value.get("duration") and frames:
            seconds = real(value["duration"], what="duration")
            own = rate(Fraction(frames) / Fraction(seconds).limit_denominator(1_000_000)) if seconds > 0 else None
    tracks = regions.tracks(results, size)
    frames = max([frames, *(one.frame + 1 for track in tracks for one in track.drawn)])
    reading.check("frames", frames, reading.budget.frames)
    tracks = [DrawnTrack(track.drawn, frames) for track in tracks]
    found.videos.append((data, meta, size, tracks, frames, own))


def _results(reading: Reading, task: Entry, number: int) -> list[Entry]:
    """The regions of the annotation, or else the prediction, that counts."""
    if "annotations" not in task and "predictions" not in task and "completions" not in task:
        raise DataError(
            f"{reading.path}: task {number} has neither annotations nor predictions; "
            "if this is Label Studio's JSON_MIN, export as JSON"
        )
    drawn = [one for one in task.get("annotations") or task.get("completions") or [] if isinstance(one, dict)]
    valid = [one for one in drawn if not one.get("was_cancelled")]
    chosen: Entry = {}
    if valid:
        chosen = valid[-1]
        others = [one for one in drawn if one is not chosen and one.get("result")]
        if others:
            what = "earlier or cancelled annotations of a task, of which the last counts"
            reading.account.change("other-annotations", what, f"task {number}", count=len(others))
    elif predictions := [one for one in task.get("predictions") or [] if isinstance(one, dict)]:
        chosen = predictions[0]
        if len(predictions) > 1:
            what = "further predictions of a task, of which the first counts"
            reading.account.change("other-predictions", what, f"task {number}", count=len(predictions) - 1)
    results = chosen.get("result") or []
    if not all(isinstance(result, dict) for result in results):
        raise ValueError(f"task {number}: expected a list of regions")
    return list(results)


def _read_still(
    reading: Reading, data: Entry, meta: Entry, results: list[Entry], regions: Regions, number: int, found: _Found
) -> None:
    place = next((value for key, value in data.items() if key in ("image", "img", "picture", "ocr")), None)
    if place is None:
        words = [str(value) for value in data.values() if isinstance(value, str)]
        place = next((word for word in words if "." in word.rpartition("/")[2]), None)
    if place is None:
        raise DataError(f"{reading.path}: task {number} is of neither a video nor an image")
    name = file_name(str(place).partition("?")[2].rpartition("d=")[2] or str(place).rpartition("/")[2])
    size = _size(reading, results, meta)
    if size is None and results:
        raise DataError(f"{reading.path}: task {number} does not say the picture's size: give --size WIDTHxHEIGHT")
    found.stills.append(_Still(name, size or (0, 0), regions.objects(results, size or (1, 1))))


def _type(result: Entry) -> str:
    return str(result.get("type") or "")


def _size(reading: Reading, results: list[Entry], meta: Entry) -> tuple[int, int] | None:
    for result in results:
        if result.get("original_width") and result.get("original_height"):
            return picture_size(result["original_height"], result["original_width"])
    if reading.given.size is not None:
        return reading.given.size
    return picture_size(meta["height"], meta["width"]) if meta.get("width") and meta.get("height") else None


def _video(
    reading: Reading,
    found: _Found,
    data: Entry,
    meta: Entry,
    size: tuple[int, int],
    tracks: list[DrawnTrack],
    frames: int,
    own_rate: Fraction | None,
) -> Annotated:
    reading.check("objects on all frames", sum(track.count(1) for track in tracks), reading.budget.objects)
    start = whole(meta.get("first_frame") or 0, what="first_frame")
    sequence = sequence_read(
        str(meta.get("video") or PurePosixPath(str(data.get("video") or reading.path.stem)).name),
        size,
        Task.DETECT,
        found.labels.categories(),
        rate=reading.given.rate or own_rate,
        run=run_facts_of(meta),
    )
    size = sequence.info.size
    records = (
        FrameRecord(index, size, index / sequence.rate, tuple(objects))
        for index, objects in frame_by_frame(tracks, range(start, frames))
    )
    return Annotated(sequence, records)


def _stills(reading: Reading, found: _Found) -> Annotated:
    stills = found.stills
    first = next((still.size for still in stills if still.size != (0, 0)), reading.given.size)
    if first is None:
        raise DataError(f"{reading.path}: does not say the pictures' size: give --size WIDTHxHEIGHT")
    sequence = sequence_read(
        reading.path.stem,
        first,
        Task.DETECT,
        found.labels.categories(),
        rate=reading.given.rate,
        frame_names=tuple(still.name for still in stills if still.name),
        is_video=False,
    )

    def records() -> Iterator[FrameRecord]:
        for index, still in enumerate(stills):
            size = first if still.size == (0, 0) else still.size
            name = printable(still.name) or None
            yield FrameRecord(index, size, index / sequence.rate, tuple(still.objects), name=name)

    return Annotated(sequence, records())
