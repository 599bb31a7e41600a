"""COCO in three dresses: the annotation file, its video form CocoVID, and the plain list of results.

Frame numbers: `frame_id` counts from 0, image ids are one more. Boxes are `x, y, width, height`, corner pixel (0, 0).
Everything is written as it comes; only one entry per track is kept until the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Literal

from dffcli import __version__
from dffcli.core.types import Detections
from dffcli.formats.json_stream import JsonArray, compact_json, copy_spool
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import encode_label_map, encode_mask, rle_area, rle_box

VIDEO_ID = 1
RANDOM_WARNING = "RANDOM WEIGHTS: for timing only, these annotations mean nothing"


class CocoWriter:
    """Writes one of the forms; an `outputs.sink.TextWriter`."""

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
        if self._form == "video":
            image |= {"video_id": VIDEO_ID, "frame_index": record.index}
        return image

    def _complete(self, annotation: dict[str, Any], record: FrameRecord) -> dict[str, Any]:
        number = self._next_id
        self._next_id += 1
        polygons: list[float] = []  # none; readers miss the entry where it is left out
        whole = {"id": number, "image_id": record.index + 1, "segmentation": polygons, **annotation, "iscrowd": 0}
        track = annotation.get("track_id")
        if track is not None:
            whole["attributes"] = {"track_id": track, "keyframe": True, "occluded": False}
            self._tracks.setdefault(track, annotation["category_id"])
        if self._form == "video":
            whole |= {"video_id": VIDEO_ID, "instance_id": number if track is None else track}
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


def file_info(sequence: Sequence) -> dict[str, Any]:
    """The block that tells where a file's annotations come from."""
    run = sequence.run
    info: dict[str, Any] = {
        "description": f"{sequence.task} annotations of {sequence.info.name}",
        "version": __version__,
        "tool": "dff",
        "task": str(sequence.task),
        "video": sequence.info.name,
    }
    if sequence.info.average_rate is not None:
        info["frame_rate"] = str(sequence.info.average_rate)
    if run is None:
        return info
    if run.is_random:
        info["warning"] = RANDOM_WARNING
    return info | {
        "model": run.model,
        "weights": run.weights,
        "random_weights": run.is_random,
        "settings": dict(run.settings),
    }


def coco_categories(sequence: Sequence) -> list[dict[str, Any]]:
    """The list of categories as COCO has it, with colours."""
    return [
        {"id": category.id, "name": category.name, "supercategory": "", "color": list(category.color)}
        for category in sequence.categories
    ]


def _annotations_of(record: FrameRecord, sequence: Sequence) -> Iterator[dict[str, Any]]:
    """What all three forms say of each object, or of each category of a label map."""
    prediction = record.prediction
    if not isinstance(prediction, Detections):
        known = sequence.names
        for value, rle in encode_label_map(prediction.category_ids).items():
            if value in known:
                yield {"category_id": value, "bbox": rle_box(rle), "area": rle_area(rle), "segmentation": rle}
        return
    for row in range(len(prediction)):
        x1, y1, x2, y2 = (float(side) for side in prediction.boxes[row])
        width, height = round(x2 - x1, 2), round(y2 - y1, 2)
        annotation: dict[str, Any] = {
            "category_id": int(prediction.category_ids[row]),
            "bbox": [round(x1, 2), round(y1, 2), width, height],
            "area": round(width * height, 2),
            "score": round(float(prediction.scores[row]), 4),
        }
        if prediction.masks is not None:
            rle = encode_mask(prediction.masks[row])
            annotation |= {"segmentation": rle, "area": rle_area(rle)}
        if prediction.track_ids is not None:
            annotation["track_id"] = int(prediction.track_ids[row])
        yield annotation
