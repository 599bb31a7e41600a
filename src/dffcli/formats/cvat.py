"""CVAT for video 1.1: XML, one track after the other.

Frames count from 0, as in the source. Every box is a key frame of its track, so that CVAT interpolates nothing, and
where an object leaves, one more box says that it is outside. What has no track is a track of one frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Detections
from dffcli.formats.coco import RANDOM_WARNING
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import mask_runs
from dffcli.formats.track_spool import TrackSpool

_NUMBER_WIDTH = 10  # room left in the head for the number of frames, known only at the end

Shape = dict[str, Any]
"""`frame`, `score` (or None), and either `box` (x1, y1, x2, y2) or `mask` (rle, left, top, width, height)."""


class CvatWriter:
    """The whole file; an `outputs.files.TextWriter`."""

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._labels = {item.id: quoteattr(item.name) for item in sequence.categories}
        self._frames = 0
        self._tracks = 0

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write the head, with room for the number of frames."""
        self._file = file
        self._spool = TrackSpool(spool)
        self._untracked: list[tuple[int, Shape]] = []  # of the last frame: their end is on the next, if there is one
        self._places: list[int] = []
        for piece in _head(self._sequence):
            if piece is None:
                self._places.append(file.tell())
                file.write(b" " * _NUMBER_WIDTH)
            else:
                file.write(piece.encode("utf-8", "replace"))

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        self._frames = record.index + 1
        self._flush_untracked()
        for category, track, shape in _shapes(record):
            if category not in self._labels:
                continue
            if track is None:
                self._untracked.append((category, shape))
            else:
                self._spool.add(track, [category, shape])

    def finish(self) -> None:
        """Write the tracks, and the number of frames into the head."""
        self._flush_untracked()
        for _, items in self._spool.tracks():
            self._write_track(items[0][0], [shape for _, shape in items])
        self._file.write(b"</annotations>\n")
        for place, number in zip(self._places, (self._frames, max(0, self._frames - 1)), strict=True):
            self._file.seek(place)
            self._file.write(f"{number:<{_NUMBER_WIDTH}}".encode())

    def _flush_untracked(self) -> None:
        for category, shape in self._untracked:
            self._write_track(category, [shape])
        self._untracked = []

    def _write_track(self, category: int, shapes: list[Shape]) -> None:
        lines = [f'  <track id="{self._tracks}" label={self._labels[category]} source="auto">\n']
        self._tracks += 1
        for place, shape in enumerate(shapes):
            lines.append(_element(shape, frame=shape["frame"], outside=0))
            following = shapes[place + 1]["frame"] if place + 1 < len(shapes) else self._frames
            if following > shape["frame"] + 1:
                lines.append(_element(shape, frame=shape["frame"] + 1, outside=1))
        lines.append("  </track>\n")
        self._file.write("".join(lines).encode("utf-8", "replace"))


def _head(sequence: Sequence) -> Iterator[str | None]:
    """The file up to its first track; None where the number of frames and the number of the last frame belong."""
    h, w = sequence.info.size
    name = escape(sequence.info.name)
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
    yield f"      <name>{name}</name>\n      <size>"
    yield None
    yield "</size>\n      <mode>interpolation</mode>\n      <overlap>0</overlap>\n      <flipped>False</flipped>\n"
    yield "      <start_frame>0</start_frame>\n      <stop_frame>"
    yield None
    yield "</stop_frame>\n      <frame_filter></frame_filter>\n      <labels>\n"
    for item in sequence.categories:
        color = "#{:02x}{:02x}{:02x}".format(*item.color)
        yield f"        <label>\n          <name>{escape(item.name)}</name>\n          <color>{color}</color>\n"
        yield "          <attributes>\n            <attribute>\n              <name>score</name>\n"
        yield "              <mutable>True</mutable>\n              <input_type>text</input_type>\n"
        yield "              <default_value></default_value>\n              <values></values>\n"
        yield "            </attribute>\n          </attributes>\n        </label>\n"
    yield f"      </labels>\n      <original_size>\n        <width>{w}</width>\n        <height>{h}</height>\n"
    yield f"      </original_size>\n    </task>\n    <source>{name}</source>\n  </meta>\n"
    if sequence.run is not None:
        said = f"written by dff with {sequence.run.model}, weights: {sequence.run.weights}"
        said += f"; {RANDOM_WARNING}" if sequence.run.is_random else ""
        yield f"  <!-- {escape(said).replace('--', '- -')} -->\n"


def _shapes(record: FrameRecord) -> Iterator[tuple[int, int | None, Shape]]:
    """Category, track and shape of everything on a frame."""
    found = record.prediction
    if not isinstance(found, Detections):
        for value in np.unique(found.category_ids):
            mask = _mask_fields(found.category_ids == value)
            yield int(value), None, {"frame": record.index, "score": None, "mask": mask}
        return
    for row in range(len(found)):
        shape: Shape = {"frame": record.index, "score": round(float(found.scores[row]), 4)}
        mask = None if found.masks is None else _mask_fields(found.masks[row])
        if mask is None:
            shape["box"] = [round(float(side), 2) for side in found.boxes[row]]
        else:
            shape["mask"] = mask
        track = None if found.track_ids is None else int(found.track_ids[row])
        yield int(found.category_ids[row]), track, shape


def _mask_fields(mask: NDArray[np.bool_]) -> list[Any] | None:
    """Run lengths within the mask's box, and the box; None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    runs = ", ".join(map(str, mask_runs(mask[top:bottom, left:right])))
    return [runs, left, top, right - left, bottom - top]


def _element(shape: Shape, *, frame: int, outside: int) -> str:
    common = f'frame="{frame}" keyframe="1" outside="{outside}" occluded="0"'
    if "mask" in shape:
        runs, left, top, width, height = shape["mask"]
        kind = "mask"
        place = f'rle="{runs}" left="{left}" top="{top}" width="{width}" height="{height}"'
    else:
        x1, y1, x2, y2 = shape["box"]
        kind, place = "box", f'xtl="{x1:.2f}" ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}"'
    if shape["score"] is None:
        return f'    <{kind} {common} {place} z_order="0"></{kind}>\n'
    score = f'<attribute name="score">{shape["score"]}</attribute>'
    return f'    <{kind} {common} {place} z_order="0">{score}</{kind}>\n'
