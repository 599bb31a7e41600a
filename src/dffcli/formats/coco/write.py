"""Write COCO annotation files, CocoVID and lists of results.

Everything is written as it comes; only one entry per track is kept until the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Literal

from dffcli.formats.facts import file_info
from dffcli.formats.files import InFolder, RecordSink, file_sink, folder_sink
from dffcli.formats.json_stream import JsonArray, compact_json, copy_spool
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.rle import encode_label_map, rle_area, rle_box
from dffcli.formats.target import Target

VIDEO_ID = 1
ANNOTATIONS_FILE = "annotations.json"
"""In a folder of COCO, beside `images/`."""


def write(target: Target) -> RecordSink:
    """The sink of one of the forms, by the name of the format."""
    forms: dict[str, Literal["image", "video", "results"]] = {"cocovid": "video", "coco-results": "results"}
    writer = CocoWriter(target.sequence, form=forms.get(target.format, "image"))
    return file_sink(target, writer) if target.is_file else folder_sink(target, InFolder(writer, name=ANNOTATIONS_FILE))


class CocoWriter:
    """Writes one of the forms; a `formats.files.TextWriter`."""

    def __init__(self, sequence: Sequence, *, form: Literal["image", "video", "results"]) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
            form: `image` for a COCO annotation file, `video` for CocoVID, `results` for the bare list.
        """
        self._sequence = sequence
        self._form = form
        self._next_id = 1
        self._frames = 0
        self._tracks: dict[int, int] = {}  # category by track

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write what comes before the first frame."""
        self._file, self._spool = file, spool
        if self._form != "results":
            file.write(b'{\n"info":' + compact_json(file_info(self._sequence)) + b',\n"categories":')
            file.write(compact_json(coco_categories(self._sequence)) + b',\n"annotations":')
        self._annotations = JsonArray(file)
        self._images = JsonArray(spool)

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        if self._form != "results":
            self._images.append(self._image(record))
        for annotation in _annotations_of(record, self._sequence):
            if self._form == "results":
                annotation.setdefault("score", 1.0)
                result = {key: annotation[key] for key in _RESULT_KEYS if key in annotation}
                self._annotations.append({"image_id": record.index + 1, **result})
            else:
                self._annotations.append(self._complete(annotation, record))
        self._frames += 1

    def _image(self, record: FrameRecord) -> dict[str, Any]:
        h, w = record.size
        image: dict[str, Any] = {
            "id": record.index + 1,
            "file_name": record.name or f"{record.index:06d}.jpg",
            "width": w,
            "height": h,
            "frame_id": record.index,
            "time_seconds": round(float(record.pts_seconds), 6),
            "time_exact": str(record.pts_seconds),
            "is_key_frame": record.key_reason is not None,
            "key_reason": record.key_reason,
            "key_frame_ids": list(record.key_indices),
        }
        if not record.is_labelled:
            image["is_vid_train_frame"] = False
        if self._form == "video":
            image |= {"video_id": VIDEO_ID, "frame_index": record.index}
        return image

    def _complete(self, annotation: dict[str, Any], record: FrameRecord) -> dict[str, Any]:
        number = self._next_id
        self._next_id += 1
        polygons: list[float] = []  # none; readers miss the entry where it is left out
        head = {"id": number, "image_id": record.index + 1, "segmentation": polygons}
        more = annotation.pop("attributes", None)
        whole = head | annotation | {"iscrowd": annotation.get("iscrowd", 0)}
        if more is not None:
            whole["attributes"] = more
        track = annotation.get("track_id")
        if track is not None:
            self._tracks.setdefault(track, annotation["category_id"])
        if self._form == "video":
            whole["video_id"] = VIDEO_ID
            if track is not None:
                whole["instance_id"] = track
        return whole

    def finish(self) -> None:
        """Write what comes after the last frame."""
        file = self._file
        self._annotations.close()
        if self._form != "results":
            self._images.close()
            file.write(b',\n"images":')
            copy_spool(self._spool, file)
            if self._form == "video":
                tracks = [
                    {"id": track, "category_id": category, "video_id": VIDEO_ID}
                    for track, category in self._tracks.items()
                ]
                file.write(b',\n"videos":' + compact_json([self._video()]))
                file.write(b',\n"tracks":' + compact_json(tracks))
            file.write(b"\n}")
        file.write(b"\n")

    def _video(self) -> dict[str, Any]:
        info, rate = self._sequence.info, self._sequence.info.average_rate
        h, w = info.size
        return {
            "id": VIDEO_ID,
            "name": info.name,
            "width": w,
            "height": h,
            "length": self._frames,
            "fps": None if rate is None else round(float(rate), 6),
            "fps_num": None if rate is None else rate.numerator,
            "fps_den": None if rate is None else rate.denominator,
            "time_base": str(info.time_base),
            "rotation": info.rotation,
        }


_RESULT_KEYS = ("category_id", "bbox", "score", "segmentation", "track_id")


def coco_categories(sequence: Sequence) -> list[dict[str, Any]]:
    """The list of categories as COCO has it, with colours."""
    return [
        {"id": category.id, "name": category.name, "supercategory": "", "color": list(category.color)}
        for category in sequence.categories
    ]


def _annotations_of(record: FrameRecord, sequence: Sequence) -> Iterator[dict[str, Any]]:
    """What all three forms say of each object, or of each category of a label map."""
    if record.labels is not None:
        known = sequence.names
        for value, rle in encode_label_map(record.labels).items():
            if value in known:
                yield {"category_id": value, "bbox": rle_box(rle), "area": rle_area(rle), "segmentation": rle}
        return
    for item in record.objects:
        yield _annotation(item)


def _annotation(item: Annotation) -> dict[str, Any]:
    x1, y1, x2, y2 = item.box
    width, height = round(x2 - x1, 2), round(y2 - y1, 2)
    found: dict[str, Any] = {
        "category_id": item.category_id,
        "bbox": [round(x1, 2), round(y1, 2), width, height],
        "area": round(width * height, 2),
    }
    if item.score is not None:
        found["score"] = round(item.score, 4)
    if item.mask is not None:
        found |= {"segmentation": item.mask.rle, "area": item.mask.area}
    elif item.polygons:
        polygons = [[round(value, 2) for value in polygon] for polygon in item.polygons]
        found |= {"segmentation": polygons, "area": round(sum(map(polygon_area, item.polygons)), 2)}
    if item.is_crowd:
        found["iscrowd"] = 1
    if item.is_ignored:
        found["ignore"] = 1
    if item.track is not None:
        found["track_id"] = item.track
    if item.track is not None or item.is_occluded or item.attributes:
        more = {} if item.track is None else {"track_id": item.track, "keyframe": True}
        found["attributes"] = {**item.attributes, **more, "occluded": item.is_occluded}
    return found


def polygon_area(polygon: tuple[float, ...]) -> float:
    """The area inside a polygon."""
    xs, ys = polygon[0::2], polygon[1::2]
    turned = zip(xs, ys, (*xs[1:], xs[0]), (*ys[1:], ys[0]), strict=True)
    return abs(sum(x * next_y - next_x * y for x, y, next_x, next_y in turned)) / 2
