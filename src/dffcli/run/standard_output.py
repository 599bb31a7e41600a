"""Results on standard output, as they come: JSON lines, or the video with its annotation drawn in."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from dffcli.core.types import FrameResult
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import Mask


class OpenOutput:
    """Standard output as a file that can be written to and nothing else.

    Its text side is turned to stderr, so that nothing comes between the data.
    """

    def __init__(self) -> None:
        """Take it."""
        self._file: BinaryIO = sys.stdout.buffer

    def write(self, data: bytes) -> int:
        """Hand the data on at once."""
        self._file.write(data)
        self._file.flush()
        return len(data)


class JsonLines:
    """A line about the run, then a line a frame, each written as soon as it is known.

    A frame has its time in seconds, why it was a key frame, and its objects: category, score, track, box
    (`x1, y1, x2, y2` in frame pixels) and mask (COCO's run lengths). A map of categories is one object a category.
    """

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self._names = sequence.names

    def __enter__(self) -> Self:
        self._output = OpenOutput()
        info, run = self._sequence.info, self._sequence.run
        self._say(
            {
                "source": info.name,
                "width": info.size[1],
                "height": info.size[0],
                "frames_per_second": None if info.average_rate is None else float(info.average_rate),
                "categories": self._names,
                "model": None if run is None else run.model,
                "weights": None if run is None else run.weights,
                "random_weights": run is not None and run.is_random,
                "settings": {} if run is None else run.settings,
            }
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing comes after the last frame."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing to say."""
        return ()

    def write(self, result: FrameResult) -> None:
        """Say one frame."""
        record = FrameRecord.of(result)
        self._say(
            {
                "frame": record.index,
                "seconds": float(record.pts_seconds),
                **({} if record.name is None else {"name": record.name}),
                "key": record.key_reason,
                "objects": self._regions(record) if record.labels is not None else self._objects(record),
            }
        )

    def _objects(self, record: FrameRecord) -> list[dict[str, Any]]:
        return [
            {
                "category": self._names[item.category_id],
                "category_id": item.category_id,
                "score": None if item.score is None else round(float(item.score), 4),
                **({} if item.track is None else {"track": item.track}),
                "box": [round(float(side), 2) for side in item.box],
                **({} if item.mask is None else {"mask": item.mask.rle}),
            }
            for item in record.objects
        ]

    def _regions(self, record: FrameRecord) -> list[dict[str, Any]]:
        labels = record.labels
        if labels is None:
            return []
        return [
            {
                "category": self._names[number],
                "category_id": number,
                "pixels": int((labels == number).sum()),
                "mask": Mask.of_array(labels == number).rle,
            }
            for number in np.unique(labels).tolist()
            if number in self._names
        ]

    def _say(self, what: dict[str, Any]) -> None:
        self._output.write(json.dumps(what, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
