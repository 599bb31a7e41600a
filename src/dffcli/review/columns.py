"""An annotated video as binary columns: what the page reads in one go.

A file of columns is the magic, the length of a JSON header (uint32, little endian), the header, and the arrays, each
beginning at a multiple of eight bytes counted from the end of the padded header.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dffcli.core.agreement import disagreement
from dffcli.core.types import Detections, Prediction, SegmentationMap
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import encode_label_map, encode_mask

MAGIC = b"DFFCOLS1"
ALIGNMENT = 8  # bytes; a typed array of a browser begins at a multiple of its item's size
NO_TRACK = -1
_NAMES = {"f4": np.float32, "f8": np.float64, "u1": np.uint8, "u2": np.uint16, "u4": np.uint32, "i4": np.int32}


@dataclass(frozen=True, slots=True)
class Columns:
    """A whole result, one array a quantity.

    Attributes:
        sequence: what is annotated.
        frames: by frame, `[F]` each: `index` (in the source), `time` (seconds), `reason` (position in `reasons`, 255 on
            a propagated frame), `change` (disagreement with the frame before, 0..1), and `first`, `[F + 1]`: where the
            frame's objects begin.
        objects: by object, `[N]` each: `x1`, `y1`, `x2`, `y2` in frame pixels, `score` (NaN where unknown), `category`
            (id), `track` (-1 for none), and `mask`, `[N + 1]`: where its run lengths begin in `runs`.
        runs: COCO's compressed run lengths of all masks, one after the other, as bytes.
        reasons: why frames were made key frames.
        size: `(height, width)` of the picture.
    """

    sequence: Sequence
    frames: dict[str, NDArray[Any]]
    objects: dict[str, NDArray[Any]]
    runs: NDArray[np.uint8]
    reasons: tuple[str, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.frames["time"])

    def objects_of(self, frame: int) -> slice:
        """The rows of a frame's objects."""
        return slice(int(self.frames["first"][frame]), int(self.frames["first"][frame + 1]))


@dataclass(slots=True)
class _Growing:
    """Columns in the making."""

    index: array[int] = field(default_factory=lambda: array("l"))
    time: array[float] = field(default_factory=lambda: array("d"))
    reason: array[int] = field(default_factory=lambda: array("B"))
    change: array[float] = field(default_factory=lambda: array("f"))
    first: array[int] = field(default_factory=lambda: array("L", [0]))
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    categories: list[NDArray[np.int64]] = field(default_factory=list)
    tracks: list[NDArray[np.int64]] = field(default_factory=list)
    mask_ends: array[int] = field(default_factory=lambda: array("L", [0]))
    runs: bytearray = field(default_factory=bytearray)

    def add_objects(self, prediction: Prediction) -> int:
        if isinstance(prediction, SegmentationMap):
            found = encode_label_map(prediction.category_ids)
            ids = sorted(found)
            self._add(
                np.full((len(ids), 4), np.nan, np.float32),
                np.full(len(ids), np.nan, np.float32),
                np.array(ids, np.int64),
                np.full(len(ids), NO_TRACK, np.int64),
                [found[value]["counts"] for value in ids],
            )
            return len(ids)
        masks = [] if prediction.masks is None else [encode_mask(mask)["counts"] for mask in prediction.masks]
        tracks = prediction.track_ids
        self._add(
            prediction.boxes,
            prediction.scores,
            prediction.category_ids,
            np.full(len(prediction), NO_TRACK, np.int64) if tracks is None else tracks,
            masks or [""] * len(prediction),
        )
        return len(prediction)

    def _add(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        categories: NDArray[np.int64],
        tracks: NDArray[np.int64],
        counts: list[str],
    ) -> None:
        self.boxes.append(boxes)
        self.scores.append(scores)
        self.categories.append(categories)
        self.tracks.append(tracks)
        for text in counts:
            self.runs += text.encode("ascii")
            self.mask_ends.append(len(self.runs))


def gather(sequence: Sequence, records: Iterable[FrameRecord]) -> Columns:
    """The columns of a result, read once from its first frame to its last."""
    grown = _Growing()
    reasons: dict[str, int] = {}
    before: Prediction | None = None
    size = sequence.info.size
    for record in records:
        size = record.size if not grown.index else size
        grown.index.append(record.index)
        grown.time.append(float(record.pts_seconds))
        reason = record.key_reason
        grown.reason.append(255 if reason is None else reasons.setdefault(reason, len(reasons)))
        comparable = before is not None and type(before) is type(record.prediction)
        grown.change.append(disagreement(before, record.prediction).share if comparable and before is not None else 0.0)
        grown.first.append(grown.first[-1] + grown.add_objects(record.prediction))
        before = record.prediction
    boxes = np.concatenate(grown.boxes) if grown.boxes else np.zeros((0, 4), np.float32)
    return Columns(
        sequence,
        {
            "index": np.array(grown.index, np.uint32),
            "time": np.array(grown.time, np.float64),
            "reason": np.array(grown.reason, np.uint8),
            "change": np.array(grown.change, np.float32),
            "first": np.array(grown.first, np.uint32),
        },
        {
            **{name: np.ascontiguousarray(boxes[:, side]) for side, name in enumerate(("x1", "y1", "x2", "y2"))},
            "score": _joined(grown.scores, np.float32),
            "category": _joined(grown.categories, np.int32),
            "track": _joined(grown.tracks, np.int32),
            "mask": np.array(grown.mask_ends, np.uint32),
        },
        np.frombuffer(bytes(grown.runs), np.uint8),
        tuple(reasons),
        size,
    )


def _joined(parts: Iterable[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)


def detections_of(columns: Columns, frame: int) -> Detections:
    """A frame's boxes, without masks."""
    rows = columns.objects_of(frame)
    objects = columns.objects
    return Detections(
        np.stack([objects[name][rows] for name in ("x1", "y1", "x2", "y2")], 1),
        objects["score"][rows],
        objects["category"][rows].astype(np.int64),
        track_ids=objects["track"][rows].astype(np.int64),
    )


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A header and arrays as one block of bytes."""
    names = {np.dtype(kind): name for name, kind in _NAMES.items()}
    places: dict[str, Any] = {}
    parts: list[bytes] = []
    position = 0
    for name, values in arrays.items():
        data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        places[name] = {"kind": names[values.dtype.newbyteorder("=")], "offset": position, "length": len(values)}
        padded = data + bytes(-len(data) % ALIGNMENT)
        parts.append(padded)
        position += len(padded)
    text = json.dumps({**header, "arrays": places}, separators=(",", ":")).encode("utf-8")
    start = len(MAGIC) + 4 + len(text)
    return MAGIC + struct.pack("<I", len(text)) + text + bytes(-start % ALIGNMENT) + b"".join(parts)
