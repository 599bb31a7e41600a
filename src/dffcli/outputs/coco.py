"""COCO annotation JSON, written as it comes, with what is known of every frame's time and origin."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from pycocotools import mask as rle

from dffcli import __version__
from dffcli.io.atomic import atomic_path, writing
from dffcli.outputs.sink import RunFacts
from dffcli.types import Category, Detections, FrameResult, SegmentationMap, SourceInfo


class CocoSink:
    """One JSON file: images (a frame each, with exact time), annotations, categories.

    Boxes are `x, y, width, height` in frame pixels, not inclusive (x + width is the right edge). Segmentation gives
    one run-length mask a category and frame. Memory stays constant: annotations wait in a temporary file, images in
    the part of the final one.
    """

    def __init__(self, path: str, *, info: SourceInfo, categories: tuple[Category, ...], run: RunFacts) -> None:
        self._path = Path(path)
        self._head = {
            "info": {
                "description": f"{info.name}, annotated by dff {__version__}",
                "version": __version__,
                "source": info.name,
                "model": run.model,
                "weights": run.weights,
                "random_weights": run.is_random,
                "settings": run.settings,
            },
            "licenses": [],
            "categories": [{"id": category.id, "name": category.name, "supercategory": ""} for category in categories],
        }
        self._source_name = info.name
        self._stack = ExitStack()
        self._file: IO[str] | None = None
        self._annotations: IO[str] | None = None
        self._count = 0
        self._images = 0

    def __enter__(self) -> Self:
        part = self._stack.enter_context(atomic_path(self._path))
        with writing(self._path):
            self._file = self._stack.enter_context(part.open("w", encoding="utf-8"))
            self._annotations = self._stack.enter_context(TemporaryFile("w+", encoding="utf-8", dir=part.parent))
            self._file.write(json.dumps(self._head)[:-1] + ', "images": [')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with writing(self._path):
                    self._finish()
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(kind, error, trace)

    def write(self, result: FrameResult) -> None:
        """Add one frame and what is on it."""
        image = self._image(result)
        with writing(self._path):
            self._write(self._file, image, first=self._images == 0)
            self._images += 1
            for annotation in coco_annotations(result):
                self._count += 1
                numbered = {"id": self._count, "image_id": image["id"], **annotation}
                self._write(self._annotations, numbered, first=self._count == 1)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing to say."""
        return ()

    def _write(self, file: IO[str] | None, value: dict[str, Any], *, first: bool) -> None:
        if file is not None:
            file.write(("\n" if first else ",\n") + json.dumps(value))

    def _finish(self) -> None:
        if self._file is None or self._annotations is None:
            return
        self._file.write('\n], "annotations": [')
        self._annotations.seek(0)
        while block := self._annotations.read(1 << 20):
            self._file.write(block)
        self._file.write("\n]}\n")
        self._file.flush()

    def _image(self, result: FrameResult) -> dict[str, Any]:
        frame = result.frame
        h, w = frame.size
        return {
            "id": frame.index + 1,
            "file_name": frame.name or f"{self._source_name}/{frame.index:06d}",
            "width": w,
            "height": h,
            "frame_id": frame.index,
            "time_seconds": float(frame.pts_seconds),
            "time_exact": str(frame.pts_seconds),
            "is_key_frame": result.is_key,
            "key_reason": None if result.key_reason is None else str(result.key_reason),
            "key_frame_ids": list(result.key_indices),
        }


def coco_annotations(result: FrameResult) -> list[dict[str, Any]]:
    """COCO annotations of one frame, without ids."""
    if isinstance(result.prediction, SegmentationMap):
        return _regions(result.prediction)
    return _objects(result.prediction)


def _regions(prediction: SegmentationMap) -> list[dict[str, Any]]:
    ids = prediction.category_ids
    return [
        {"category_id": int(value), **_region(ids == value), "iscrowd": 0} for value in np.unique(ids) if value != 255
    ]


def _objects(prediction: Detections) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for row in range(len(prediction)):
        x1, y1, x2, y2 = (round(float(value), 2) for value in prediction.boxes[row])
        w, h = round(x2 - x1, 2), round(y2 - y1, 2)
        entry: dict[str, Any] = {"category_id": int(prediction.category_ids[row]), "bbox": [x1, y1, w, h]}
        entry |= {"area": round(w * h, 2), "iscrowd": 0, "score": round(float(prediction.scores[row]), 5)}
        if prediction.masks is not None:
            region = _region(prediction.masks[row])
            entry |= {"segmentation": region["segmentation"], "area": region["area"]}
        if prediction.track_ids is not None:
            entry["track_id"] = int(prediction.track_ids[row])
        found.append(entry)
    return found


def _region(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    encoded = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "segmentation": {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")},
        "area": int(rle.area(encoded)),
        "bbox": [float(value) for value in rle.toBbox(encoded)],
    }
