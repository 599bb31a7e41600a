"""The account of a conversion: what was read, what was written, and what became of the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dffcli.formats.record import Annotation, FrameRecord

MAX_EXAMPLE = 200  # characters


@dataclass(slots=True)
class Tally:
    """How much there is of everything.

    Attributes:
        frames: frames, labelled or not.
        kinds: objects by kind (`box`, `mask` ...), and `map` for frames with a category for every pixel.
        classes: objects by class name.
        tracks: identities.
        scores: objects with a score.
        attributes: attributes on objects.
    """

    frames: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    tracks: set[int] = field(default_factory=set)
    scores: int = 0
    attributes: int = 0

    @property
    def objects(self) -> int:
        """Objects and maps of all kinds."""
        return self.kinds.total()

    def add(self, record: FrameRecord, names: dict[int, str]) -> None:
        """Count a frame and what is on it."""
        self.frames += 1
        if record.labels is not None:
            self.kinds["map"] += 1
        for item in record.objects:
            self.add_object(item, names)

    def add_object(self, item: Annotation, names: dict[int, str]) -> None:
        """Count one object."""
        self.kinds[item.kind] += 1
        self.classes[names.get(item.category_id, str(item.category_id))] += 1
        if item.track is not None:
            self.tracks.add(item.track)
        self.scores += item.score is not None
        self.attributes += len(item.attributes)

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "frames": self.frames,
            "objects": self.objects,
            "kinds": dict(self.kinds),
            "classes": dict(self.classes),
            "tracks": len(self.tracks),
            "scores": self.scores,
            "attributes": self.attributes,
        }


@dataclass(slots=True)
class Line:
    """One kind of thing that happened on the way.

    Attributes:
        what: in words.
        count: how often.
        example: where it happened first.
        is_object: whole objects are gone, not only something that was said of them.
    """

    what: str
    count: int
    example: str
    is_object: bool = False

    def as_json(self, kind: str) -> dict[str, Any]:
        """For a file."""
        return {
            "kind": kind,
            "what": self.what,
            "count": self.count,
            "first": self.example,
            "whole_objects": self.is_object,
        }


@dataclass(slots=True)
class Account:
    """What was read and written, one line for each kind of loss and of change.

    A loss is something that was in the file read and is not in the file written. A change is the same thing in another
    form (a mask as its outline, a class under another number). What the user asked to leave out is neither.

    Attributes:
        read: what was understood; objects that were not are among the losses.
        written: what the file written holds.
        losses: by kind.
        changes: by kind.
        asked: what the user's own filters left out.
    """

    read: Tally = field(default_factory=Tally)
    written: Tally = field(default_factory=Tally)
    losses: dict[str, Line] = field(default_factory=dict)
    changes: dict[str, Line] = field(default_factory=dict)
    asked: dict[str, Line] = field(default_factory=dict)

    def lose(self, kind: str, what: str, example: str, *, count: int = 1) -> None:
        """Something that was said of an object, a frame or the file is gone."""
        _note(self.losses, kind, what, example, count)

    def lose_object(self, kind: str, what: str, example: str, *, count: int = 1) -> None:
        """Whole objects are gone."""
        _note(self.losses, kind, what, example, count, is_object=True)

    def change(self, kind: str, what: str, example: str, *, count: int = 1) -> None:
        """Something is said in another form."""
        _note(self.changes, kind, what, example, count)

    def leave_out(self, kind: str, what: str, example: str, *, count: int = 1) -> None:
        """Objects were left out because the user asked for it."""
        _note(self.asked, kind, what, example, count, is_object=True)

    @property
    def lost_objects(self) -> int:
        """Objects that are in the file read and not in the file written, against the user's wish."""
        return sum(line.count for line in self.losses.values() if line.is_object)

    def as_json(self) -> dict[str, Any]:
        """For a file: everything that is known."""
        lines = {"losses": self.losses, "changes": self.changes, "left_out": self.asked}
        return {
            "read": self.read.as_json(),
            "written": self.written.as_json(),
            "lost_objects": self.lost_objects,
            **{name: [line.as_json(kind) for kind, line in found.items()] for name, found in lines.items()},
        }

    def lines(self) -> list[str]:
        """For people: a table of what was read and written, and a line for each kind of loss, change and filter."""
        read, written = self.read, self.written
        rows = [("", "read", "written"), ("frames", read.frames, written.frames)]
        kinds = list(dict.fromkeys((*read.kinds, *written.kinds)))
        rows += [(_PLURALS[kind], read.kinds[kind], written.kinds[kind]) for kind in kinds]
        pairs = [
            ("tracks", len(read.tracks), len(written.tracks)),
            ("scores", read.scores, written.scores),
            ("attributes", read.attributes, written.attributes),
        ]
        rows += [row for row in pairs if row[1] or row[2]]
        classes = list(dict.fromkeys((*read.classes, *written.classes)))
        rows += [(f"class {name}", read.classes[name], written.classes[name]) for name in classes]
        wide = max(len(str(row[0])) for row in rows)
        text = [f"  {row[0]!s:<{wide}} {row[1]!s:>9} {row[2]!s:>9}" for row in rows]
        for title, found in (("lost", self.losses), ("changed", self.changes), ("left out", self.asked)):
            text += [f"  {title}: {line.count} x {line.what}; first: {line.example}" for line in found.values()]
        return text


_PLURALS = {
    "box": "boxes",
    "rotated box": "rotated boxes",
    "polygon": "polygons",
    "mask": "masks",
    "map": "label maps",
}


def _note(lines: dict[str, Line], kind: str, what: str, example: str, count: int, *, is_object: bool = False) -> None:
    line = lines.get(kind)
    if line is None:
        lines[kind] = Line(what, count, example[:MAX_EXAMPLE], is_object)
    else:
        line.count += count
