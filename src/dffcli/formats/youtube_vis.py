"""YouTube-VIS JSON: one annotation a track, with a mask (or null) for every frame of the video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

from dffcli.categories import Category
from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.coco.objects import Objects, normal_id
from dffcli.formats.coco.read import read_category, video_rate
from dffcli.formats.coco.write import VIDEO_ID, coco_categories
from dffcli.formats.facts import file_info
from dffcli.formats.files import RecordSink, file_sink
from dffcli.formats.json_stream import JsonArray, compact_json
from dffcli.formats.numbering import frame_numbers
from dffcli.formats.numbers import file_name, picture_size
from dffcli.formats.reading import Annotated, Reading, is_ours, run_facts_of, sequence_read, understanding
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.target import Target
from dffcli.formats.track_spool import TrackSpool

Entry = dict[str, Any]


def read(reading: Reading) -> list[Annotated]:
    """The annotations of every video of a file.

    Args:
        reading: the file, and what the user says of it.

    Raises:
        DataError: it is not such a file.
    """
    with understanding(reading.path):
        data = reading.json()
        categories = tuple(read_category(entry) for entry in data["categories"])
        by_video: dict[int | str, list[Entry]] = defaultdict(list)
        for track in data.get("annotations") or []:
            by_video[normal_id(track.get("video_id", VIDEO_ID))].append(track)
        videos = {normal_id(video.get("id", VIDEO_ID)): video for video in data["videos"]}
        for number in set(by_video) - set(videos):
            what = "tracks of a video that is not there"
            count = sum(mask is not None for track in by_video[number] for mask in track.get("segmentations") or [])
            reading.account.lose_object("of-no-video", what, f"video {number}", count=count)
        return [_annotated(reading, data, video, by_video[number], categories) for number, video in videos.items()]


def _annotated(
    reading: Reading, data: Entry, video: Entry, tracks: list[Entry], categories: tuple[Category, ...]
) -> Annotated:
    info = data.get("info")
    names = [str(name) for name in video["file_names"]]
    length = int(video.get("length", len(names)))
    if len(names) != length:
        raise DataError(f"{reading.path}: expected {length} file names, got {len(names)}")
    reading.check("frames", length, reading.budget.frames)
    is_made_up = names == [f"{index:06d}.jpg" for index in range(length)]
    numbers = None if is_made_up else frame_numbers(names)
    numbers = None if numbers is not None and numbers != sorted(numbers) else numbers
    size = picture_size(video["height"], video["width"])
    ours = is_ours(info)
    entries: dict[int, list[Entry]] = defaultdict(list)
    objects = Objects(reading, {item.id: item.name for item in categories}, is_ours=ours)
    for track in tracks:
        number = normal_id(track["id"])
        number = number - 1 if ours and isinstance(number, int) else number
        for place, entry in enumerate(_of_track(track, length)):
            if entry is not None:
                entries[place].append({**entry, "image_id": 0, "track_id": number})
    reading.check("objects", sum(map(len, entries.values())), reading.budget.objects)
    objects.by_image((entry for found in entries.values() for entry in found), [0])
    kept = [None if is_made_up else file_name(name) for name in names]
    sequence = sequence_read(
        str(video.get("name") or (names[0].rpartition("/")[0] if names else "") or reading.path.stem),
        reading.given.size or size,
        Task.DETECT,
        categories,
        rate=reading.given.rate or video_rate(video, info),
        run=run_facts_of(info),
        frame_names=tuple(name for name in kept if name is not None),
    )

    def records() -> Iterator[FrameRecord]:
        for place in range(length):
            index = place if numbers is None else numbers[place]
            with understanding(reading.path):
                found = [objects.read(entry, size) for entry in entries.get(place, ())]
                record = FrameRecord(index, size, index / sequence.rate, name=kept[place])
                record = replace(record, objects=tuple(item for item in found if item is not None))
            yield record

    return Annotated(sequence, records())


def _of_track(track: Entry, length: int) -> Iterator[Entry | None]:
    """One object a frame, as in COCO; None where the track is not seen."""
    masks = track["segmentations"]
    boxes = track.get("bboxes") or [None] * len(masks)
    if len(masks) > length:
        raise ValueError(f"track {track['id']}: expected {length} masks, got {len(masks)}")
    common = {"id": track["id"], "category_id": track["category_id"], "score": track.get("score")}
    common |= {"iscrowd": track.get("iscrowd", 0)}
    for mask, box in zip(masks, boxes, strict=True):
        yield None if mask is None and not box else {**common, "bbox": box, "segmentation": mask}


def write(target: Target) -> RecordSink:
    """The sink of a file."""
    return file_sink(target, YouTubeVisWriter(target.sequence))


class YouTubeVisWriter:
    """The whole file; a `formats.files.TextWriter`."""

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._frames = 0

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write the head; tracks are as long as the video and come last."""
        self._file = file
        self._spool = TrackSpool(spool)
        file.write(b'{\n"info":' + compact_json(file_info(self._sequence)) + b',\n"categories":')
        file.write(compact_json(coco_categories(self._sequence)) + b',\n"videos":[')
        h, w = self._sequence.info.size
        video = {"id": VIDEO_ID, "name": self._sequence.info.name, "width": w, "height": h}
        file.write(compact_json(video)[:-1] + b',"file_names":')
        self._names = JsonArray(file)

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        while self._frames <= record.index:
            name = record.name if self._frames == record.index else None
            self._names.append(name or f"{self._frames:06d}.jpg")
            self._frames += 1
        for item in record.objects:
            if item.mask is None or item.track is None:
                continue
            x1, y1, x2, y2 = item.box
            box = [round(side, 2) for side in (x1, y1, x2 - x1, y2 - y1)]
            score = None if item.score is None else round(item.score, 4)
            self._spool.add(item.track, [record.index, item.category_id, score, box, item.mask.area, item.mask.rle])

    def finish(self) -> None:
        """Write the tracks."""
        self._names.close()
        self._file.write(f',"length":{self._frames}}}],\n"annotations":'.encode())
        annotations = JsonArray(self._file)
        h, w = self._sequence.info.size
        for track, entries in self._spool.tracks():
            segmentations: list[Any] = [None] * self._frames
            boxes, areas = list(segmentations), list(segmentations)
            for index, _, _, box, area, rle in entries:
                segmentations[index], boxes[index], areas[index] = rle, box, area
            scores = [entry[2] for entry in entries if entry[2] is not None]
            annotation = {
                "id": track + 1,
                "video_id": VIDEO_ID,
                "category_id": entries[0][1],
                "iscrowd": 0,
                "width": w,
                "height": h,
                "length": self._frames,
                "score": round(sum(scores) / len(scores), 4) if scores else None,
                "segmentations": segmentations,
                "bboxes": boxes,
                "areas": areas,
            }
            annotations.append({key: value for key, value in annotation.items() if (key, value) != ("score", None)})
        annotations.close()
        self._file.write(b"\n}\n")
