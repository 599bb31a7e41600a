"""Write CVAT for video 1.1.

Every box that is read is written. Those from which the others follow are key frames; CVAT keeps these alone and draws
the others anew. Where an object leaves, one more box says that it is outside. What has no track is a track of one
frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from math import gcd
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from dffcli.formats.cvat.read import MAP_MARK, UNTRACKED_FROM
from dffcli.formats.facts import RANDOM_WARNING
from dffcli.formats.files import RecordSink, file_sink
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.rle import Mask, mask_runs
from dffcli.formats.sparse import key_places, stretches
from dffcli.formats.target import Target
from dffcli.formats.track_spool import TrackSpool

_NUMBER_WIDTH = 16  # room left in the head for what is known only at the end

Shape = dict[str, Any]
"""A shape as it waits on disk: `frame`, `kind`, `at` (its place as XML attributes), `box` and what is said of it."""


def write(target: Target) -> RecordSink:
    """The sink of a file."""
    return file_sink(target, CvatWriter(target))


class CvatWriter:
    """The whole file; a `formats.files.TextWriter`."""

    def __init__(self, target: Target) -> None:
        """Describe what is to be written.

        Args:
            target: what is to be written, and how.
        """
        sequence = target.sequence
        self._target = target
        self._sequence = sequence
        self._tolerance = target.options.keyframe_tolerance
        self._labels = {item.id: quoteattr(item.name) for item in sequence.categories}
        self._frames: list[int] = []
        self._untracked_count = 0

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write the head, with room for the numbers of frames."""
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
        self._flush_untracked(record.index)
        self._frames.append(record.index)
        for item in _objects(record):
            if item.category_id not in self._labels:
                continue
            shape = _shape(item, record)
            if shape is None:
                continue
            if item.track is None:
                self._untracked.append((item.category_id, shape))
            else:
                self._spool.add(item.track, [item.category_id, shape])

    def finish(self) -> None:
        """Write the tracks, and the numbers of frames into the head."""
        self._flush_untracked(None)
        following = dict(pairwise(self._frames))
        for track, items in self._spool.tracks():
            self._write_track(track, items[0][0], [shape for _, shape in items], following)
        self._file.write(b"</annotations>\n")
        frames = self._frames or [0]
        step = gcd(*(after - before for before, after in pairwise(frames))) if len(frames) > 1 else 1
        size = (frames[-1] - frames[0]) // max(1, step) + 1 if self._frames else 0
        said = (size, frames[0], frames[-1], f"step={step}" if step > 1 else "")
        for place, text in zip(self._places, said, strict=True):
            self._file.seek(place)
            self._file.write(f"{text:<{_NUMBER_WIDTH}}".encode())
        self._target.write_beside(".labels.json", labels_json(self._sequence))

    def _flush_untracked(self, following: int | None) -> None:
        for category, shape in self._untracked:
            after = {} if following is None else {shape["frame"]: following}
            self._write_track(UNTRACKED_FROM + self._untracked_count, category, [shape], after)
            self._untracked_count += 1
        self._untracked = []

    def _write_track(self, track: int, category: int, shapes: list[Shape], following: dict[int, int]) -> None:
        lines = [f'  <track id="{track}" label={self._labels[category]} source="auto">\n']
        frames = [shape["frame"] for shape in shapes]
        for start, end in stretches(frames, following):
            stretch = shapes[start:end]
            kept = self._key_places(stretch)
            lines += [_element(shape, shape["frame"], is_key=place in kept) for place, shape in enumerate(stretch)]
            last = stretch[-1]
            if (after := following.get(last["frame"])) is not None:
                lines.append(_element(last, after, is_outside=True))
        lines.append("  </track>\n")
        self._file.write("".join(lines).encode("utf-8", "replace"))

    def _key_places(self, shapes: list[Shape]) -> set[int]:
        """Which shapes of a stretch CVAT has to keep; outlines and masks are never drawn between others."""
        if any(shape["kind"] != "box" for shape in shapes):
            return set(range(len(shapes)))
        forced = [
            shape["is_key"] or (place > 0 and _said(shape) != _said(shapes[place - 1]))
            for place, shape in enumerate(shapes)
        ]
        frames, boxes = [shape["frame"] for shape in shapes], [shape["box"] for shape in shapes]
        return key_places(frames, boxes, forced, tolerance=self._tolerance)


def _said(shape: Shape) -> tuple[Any, ...]:
    return shape["rotation"], shape["occluded"], {**shape["attributes"], "score": None}


def _head(sequence: Sequence) -> Iterator[str | None]:
    """The file up to its first track; None where the number, the first, the last and the step of frames belong."""
    h, w = sequence.info.size
    name = escape(sequence.info.name)
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
    yield f"      <name>{name}</name>\n      <size>"
    yield None
    yield "</size>\n      <mode>interpolation</mode>\n      <overlap>0</overlap>\n      <flipped>False</flipped>\n"
    yield "      <start_frame>"
    yield None
    yield "</start_frame>\n      <stop_frame>"
    yield None
    yield "</stop_frame>\n      <frame_filter>"
    yield None
    yield "</frame_filter>\n      <labels>\n"
    attributes = "".join(_attribute_head(said) for said in ("score", *sequence.attributes))
    for item in sequence.categories:
        color = "#{:02x}{:02x}{:02x}".format(*item.color)
        yield f"        <label>\n          <name>{escape(item.name)}</name>\n          <color>{color}</color>\n"
        yield f"          <attributes>\n{attributes}          </attributes>\n        </label>\n"
    yield f"      </labels>\n      <original_size>\n        <width>{w}</width>\n        <height>{h}</height>\n"
    yield f"      </original_size>\n    </task>\n    <source>{name}</source>\n"
    yield f"    <{MAP_MARK}>{sequence.task}</{MAP_MARK}>\n  </meta>\n"
    if sequence.run is not None:
        said = f"written by dff with {sequence.run.model}, weights: {sequence.run.weights}"
        said += f"; {RANDOM_WARNING}" if sequence.run.is_random else ""
        yield f"  <!-- {escape(said).replace('--', '- -')} -->\n"


def labels_json(sequence: Sequence) -> str:
    """The labels of a task that takes the file, as CVAT's raw editor of labels has them."""
    attributes = [
        {"name": name, "mutable": True, "input_type": "text", "default_value": "", "values": [""]}
        for name in ("score", *sequence.attributes)
        if name not in ("group_id", "z_order")
    ]
    labels = [
        {"name": item.name, "color": "#{:02x}{:02x}{:02x}".format(*item.color), "attributes": attributes}
        for item in sequence.categories
    ]
    return json.dumps(labels, indent=2, ensure_ascii=False) + "\n"


def _attribute_head(name: str) -> str:
    return (
        f"            <attribute>\n              <name>{escape(name)}</name>\n"
        "              <mutable>True</mutable>\n              <input_type>text</input_type>\n"
        "              <default_value></default_value>\n              <values></values>\n"
        "            </attribute>\n"
    )


def _objects(record: FrameRecord) -> Iterator[Annotation]:
    """Everything on a frame; of a label map a mask for each class."""
    if record.labels is None:
        yield from record.objects
        return
    for value in np.unique(record.labels):
        yield Annotation(int(value), (0.0, 0.0, 0.0, 0.0), mask=Mask.of_array(record.labels == value))


def _shape(item: Annotation, record: FrameRecord) -> Shape | None:
    """A shape as it is to be written; None for an empty mask of a label map."""
    shape: Shape = {
        "frame": record.index,
        "kind": "box",
        "box": [round(side, 2) for side in item.box],
        "rotation": round(item.rotation, 2),
        "occluded": item.is_occluded,
        "is_key": record.key_reason is not None,
        "attributes": dict(item.attributes),
    }
    if item.score is not None:
        shape["attributes"]["score"] = str(round(item.score, 4))
    if item.mask is not None:
        place = _mask_place(item.mask)
        if place is None:
            return None if record.labels is not None else shape
        shape |= {"kind": "mask", "at": place}
    elif item.polygons:
        (polygon,) = item.polygons
        pairs = zip(polygon[0::2], polygon[1::2], strict=True)
        shape |= {"kind": "polygon", "at": 'points="' + ";".join(f"{x:.2f},{y:.2f}" for x, y in pairs) + '"'}
    return shape


def _mask_place(mask: Mask) -> str | None:
    """Run lengths within the mask's box, and the box; None for an empty mask."""
    left, top, right, bottom = (int(side) for side in mask.box)
    if right <= left or bottom <= top:
        return None
    runs = ", ".join(map(str, mask_runs(mask.array[top:bottom, left:right])))
    return f'rle="{runs}" left="{left}" top="{top}" width="{right - left}" height="{bottom - top}"'


def _element(shape: Shape, frame: int, *, is_key: bool = True, is_outside: bool = False) -> str:
    kind = shape["kind"]
    if kind == "box":
        x1, y1, x2, y2 = shape["box"]
        place = f'xtl="{x1:.2f}" ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}"'
        place += f' rotation="{shape["rotation"]:.2f}"' if shape["rotation"] else ""
    else:
        place = shape["at"]
    said = dict(shape["attributes"])
    z_order, group = said.pop("z_order", "0"), said.pop("group_id", None)
    place += f" z_order={quoteattr(z_order)}" + ("" if group is None else f" group_id={quoteattr(group)}")
    common = f'frame="{frame}" keyframe="{int(is_key)}" outside="{int(is_outside)}" occluded="{int(shape["occluded"])}"'
    inner = "".join(f"<attribute name={quoteattr(name)}>{escape(value)}</attribute>" for name, value in said.items())
    return f"    <{kind} {common} {place}>{inner}</{kind}>\n"
