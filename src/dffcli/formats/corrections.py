"""What a person put right: operations on tracks, kept beside a result and applied to its frames in order.

A corrections file never touches the result it belongs to. Its operations are applied one after the other to every
frame; objects are named by their track, or by `[frame, row]`: a frame's position in the result and a row of that frame.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dffcli.errors import DataError
from dffcli.formats.record import Annotation, FrameRecord

VERSION = 1
MOST_OPERATIONS = 100_000
LAST_FRAME = 2**31 - 1
NO_TRACK = -1

FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "delete": ((), ("track", "object", "first", "last")),
    "merge": (("tracks",), ()),
    "split": (("track", "frame", "new"), ()),
    "rename": (("track", "new"), ()),
    "class": (("category",), ("track", "object", "first", "last")),
    "checked": (("first", "last"), ()),
}
"""What each operation must say, and what it may."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing put right.

    Attributes:
        op: one of `FIELDS`.
        track: whose objects.
        tracks: those to be merged; the first one's number is kept.
        object: `(frame, row)` of a single object.
        frame: where a track is split: from there on it is `new`.
        new: a track's new number.
        category: a class's id.
        first, last: positions of the frames it is for, both included.
    """

    op: str
    track: int | None = None
    tracks: tuple[int, ...] = ()
    object: tuple[int, int] | None = None
    frame: int = 0
    new: int = NO_TRACK
    category: int = 0
    first: int = 0
    last: int = LAST_FRAME

    def to_json(self) -> dict[str, Any]:
        """The fields that this operation has."""
        must, may = FIELDS[self.op]
        values: dict[str, Any] = {"op": self.op}
        for name in (*must, *may):
            value = getattr(self, name)
            if value is not None and not (name == "last" and value == LAST_FRAME):
                values[name] = list(value) if isinstance(value, tuple) else value
        return values


@dataclass(frozen=True, slots=True)
class Corrections:
    """All that was put right in one result.

    Attributes:
        result: name of the result's file.
        digest: sha256 of the result, so that corrections are not applied to another one.
        operations: in the order in which they were made.
    """

    result: str
    digest: str
    operations: tuple[Operation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "dff": "corrections",
            "version": VERSION,
            "result": self.result,
            "sha256": self.digest,
            "operations": [operation.to_json() for operation in self.operations],
        }


def parse_corrections(value: Any, *, source: str) -> Corrections:
    """Corrections from what a file or a page said.

    Raises:
        DataError: it is none, or an operation makes no sense.
    """
    if not isinstance(value, Mapping) or value.get("dff") != "corrections":
        raise DataError(f"{source}: expected a corrections file of dff review")
    if value.get("version") != VERSION:
        raise DataError(f"{source}: expected corrections of version {VERSION}, got {value.get('version')!r:.40}")
    operations = value.get("operations")
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise DataError(f"{source}: expected a list of at most {MOST_OPERATIONS} operations")
    return Corrections(
        str(value.get("result", "")),
        str(value.get("sha256", "")),
        tuple(_operation(item, f"{source}: operation {number}") for number, item in enumerate(operations, 1)),
    )


def read_corrections(path: Path, *, of: Path | None = None) -> Corrections:
    """Read a corrections file.

    Args:
        path: the file.
        of: the result it must belong to.

    Raises:
        DataError: it is missing, none, or another result's.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file") from error
    found = parse_corrections(value, source=str(path))
    if of is not None and found.digest != digest_of(of):
        raise DataError(f"{path}: corrections of another result ({found.result}), not of {of.name} as it is now")
    return found


def digest_of(path: Path) -> str:
    """Sha256 of a file; of a folder, of the names and contents of its files in order."""
    digest = hashlib.sha256()
    files = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode() if path.is_dir() else b"")
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _operation(item: Any, source: str) -> Operation:
    if not isinstance(item, Mapping) or item.get("op") not in FIELDS:
        raise DataError(f"{source}: expected one of {', '.join(FIELDS)}, got {str(item)[:60]!r}")
    op = str(item["op"])
    must, may = FIELDS[op]
    given = set(item) - {"op"}
    if missing := [name for name in must if name not in given]:
        raise DataError(f"{source}: {op} needs {', '.join(missing)}")
    if unknown := sorted(str(name) for name in given - {*must, *may}):
        raise DataError(f"{source}: {op} does not take {', '.join(unknown)[:60]}")
    values: dict[str, Any] = {}
    for name in given:
        if name in ("tracks", "object"):
            values[name] = tuple(_whole(part, f"{source}: {name}") for part in _listed(item[name], f"{source}: {name}"))
        else:
            values[name] = _whole(item[name], f"{source}: {name}")
    if "object" in may and ("track" in given) == ("object" in given):
        raise DataError(f"{source}: {op} takes a track or an object")
    if "object" in values and len(values["object"]) != 2:
        raise DataError(f"{source}: expected an object as frame and row, got {list(values['object'])}")
    if op == "merge" and len(set(values["tracks"])) < 2:
        raise DataError(f"{source}: expected at least two tracks to merge")
    return Operation(op, **values)


def _listed(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_OPERATIONS:
        raise DataError(f"{what}: expected a list of numbers, got {str(value)[:40]!r}")
    return value


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LAST_FRAME:
        raise DataError(f"{what}: expected a whole number from 0 on, got {str(value)[:40]!r}")
    return value


@dataclass(slots=True)
class Applied:
    """What came of corrections: how many objects each did something to.

    Attributes:
        deleted: objects taken away.
        renumbered: objects that got another track.
        reclassed: objects that got another class.
        doubled: objects dropped because a merge put two of one track on a frame; the better one stays.
    """

    deleted: int = 0
    renumbered: int = 0
    reclassed: int = 0
    doubled: int = 0


def apply(
    operations: Iterable[Operation], records: Iterable[FrameRecord], *, tally: Applied | None = None
) -> Iterator[FrameRecord]:
    """The records with everything put right, one by one as they come.

    Args:
        operations: in their order.
        records: the result's frames, from its first on.
        tally: counts what was done.
    """
    operations = tuple(operation for operation in operations if operation.op != "checked")
    counted = tally or Applied()
    for position, record in enumerate(records):
        if operations and record.labels is None:
            record = replace(record, objects=_corrected(operations, record.objects, position, counted))
        yield record


def _corrected(
    operations: tuple[Operation, ...], found: tuple[Annotation, ...], position: int, tally: Applied
) -> tuple[Annotation, ...]:
    tracks = np.array([NO_TRACK if item.track is None else item.track for item in found], np.int64)
    categories = np.array([item.category_id for item in found], np.int64)
    scores = np.array([1.0 if item.score is None else item.score for item in found])
    kept = np.ones(len(found), np.bool_)
    merged: set[int] = set()
    for operation in operations:
        if not operation.first <= position <= operation.last:
            continue
        rows = _rows(operation, tracks, kept, position)
        match operation.op:
            case "delete":
                tally.deleted += int(rows.sum())
                kept &= ~rows
            case "class":
                tally.reclassed += int(rows.sum())
                categories[rows] = operation.category
            case _:
                new = operation.tracks[0] if operation.op == "merge" else operation.new
                tally.renumbered += int((rows & (tracks != new)).sum())
                tracks[rows] = new
                merged.add(new)
    for track in sorted(merged):
        doubles = np.flatnonzero(kept & (tracks == track))
        if len(doubles) > 1:
            worse = np.delete(doubles, scores[doubles].argmax())
            kept[worse] = False
            tally.doubled += len(worse)
    pairs = zip(tracks.tolist(), categories.tolist(), strict=True)
    changed = (
        replace(item, track=None if track == NO_TRACK else track, category_id=category)
        for item, (track, category) in zip(found, pairs, strict=True)
    )
    return tuple(item for item, is_kept in zip(changed, kept, strict=True) if is_kept)


def _rows(operation: Operation, tracks: NDArray[np.int64], kept: NDArray[np.bool_], position: int) -> NDArray[np.bool_]:
    """The objects of a frame that an operation is about."""
    if operation.object is not None:
        rows = np.zeros(len(tracks), np.bool_)
        frame, row = operation.object
        if frame == position and row < len(tracks):
            rows[row] = True
        return rows & kept
    if operation.op == "merge":
        return np.isin(tracks, operation.tracks) & kept
    if operation.op == "split" and position < operation.frame:
        return np.zeros(len(tracks), np.bool_)
    return np.asarray((tracks == operation.track) & kept, np.bool_)
