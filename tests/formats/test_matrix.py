"""What each format does with each kind of content, found by writing it; the table in docs/formats.md is made from it.

`DFF_WRITE_DOCS=1 pytest tests/formats/test_matrix.py` writes the table anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from dffcli.categories import Category
from dffcli.core.types import SourceInfo, Task
from dffcli.errors import OutputError
from dffcli.formats.account import Account
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.registry import check_fit, formats, open_record_sink
from dffcli.formats.rle import Mask
from dffcli.formats.sink import OutputOptions
from tests.formats.samples import SIZE, read_one
from tests.formats.test_account import PLACES

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- matrix: made by tests/formats/test_matrix.py -->\n", "<!-- end of matrix -->\n"

THINGS = (Category(1, "car", (0, 0, 142)), Category(3, "car", (0, 0, 200)))
SQUARE = (10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0)
BESIDE = (40.0, 10.0, 50.0, 10.0, 50.0, 20.0, 40.0, 20.0)
BOX = (10.0, 10.0, 30.0, 30.0)


def masked(*, hole: bool = False) -> Mask:
    array = np.zeros(SIZE, bool)
    array[10:30, 10:30] = True
    array[15:20, 15:20] = not hole
    return Mask.of_array(array)


MASK = masked()
OBJECT = Annotation(1, BOX, track=1, mask=MASK)
"""What every format holds in some form: beside it, only one thing more is said at a time."""

LARGE = np.ones((96, 128), bool)
LABELS = np.full(SIZE, 1, np.uint8)


def frame(*objects: Annotation, **more: object) -> list[FrameRecord]:
    return [replace(FrameRecord(0, SIZE, Fraction(0), objects), **more)]  # type: ignore[arg-type]


CONTENTS = {
    "boxes": (frame(Annotation(1, BOX, track=1)), ("boxes",)),
    "rotated boxes": (frame(Annotation(1, BOX, track=1, rotation=30)), ("rotations", "boxes")),
    "outlines": (frame(Annotation(1, BOX, track=1, polygons=(SQUARE,))), ("outlines",)),
    "outlines of several parts": (
        frame(Annotation(1, BOX, track=1, polygons=(SQUARE, BESIDE))),
        ("outlines", "parts"),
    ),
    "masks": (frame(OBJECT), ("masks",)),
    "holes in masks": (frame(replace(OBJECT, mask=masked(hole=True))), ("holes", "masks")),
    "a class for every pixel": (frame(labels=LABELS), ()),
    "tracks": (frame(OBJECT), ("tracks",)),
    "objects without a track": (frame(OBJECT, replace(OBJECT, track=None, mask=MASK)), ("untracked",)),
    "scores": (frame(replace(OBJECT, score=0.5)), ("scores",)),
    "scores that change within a track": (
        [*frame(replace(OBJECT, score=0.5)), replace(frame(replace(OBJECT, score=0.75))[0], index=1)],
        ("scores", "single-scores"),
    ),
    "classes that change within a track": (
        [*frame(OBJECT), replace(frame(replace(OBJECT, category_id=3))[0], index=1)],
        ("classes-within-tracks",),
    ),
    "two classes of one name": (frame(OBJECT), ("classes-of-one-name",)),
    "attributes": (frame(replace(OBJECT, attributes={"colour": "red"})), ("attributes",)),
    "marks of hidden objects": (frame(replace(OBJECT, is_occluded=True)), ("occlusion-marks",)),
    "marks of crowds": (frame(replace(OBJECT, is_crowd=True)), ("crowd-marks",)),
    "marks of objects to ignore": (frame(replace(OBJECT, is_ignored=True)), ("ignore-marks",)),
    "times of frames": (frame(OBJECT, pts_seconds=Fraction(7, 3)), ("times",)),
    "marks of key frames": (frame(OBJECT, key_reason="drift"), ("key-frames",)),
    "names of pictures": (frame(OBJECT, name="a/b.png"), ("names",)),
    "sizes of pictures that differ": (
        [
            *frame(OBJECT),
            FrameRecord(
                1, (96, 128), Fraction(1, 25), (replace(OBJECT, mask=Mask.of_array(np.ones((96, 128), bool))),)
            ),
        ],
        ("sizes",),
    ),
}
"""Each kind of content, and the kinds of loss that are about it."""

SHAPES = ("boxes", "rotated boxes", "outlines", "outlines of several parts", "masks", "holes in masks")

WORDS = {
    "rotated-boxes-as-outlines": "as an outline",
    "outlines-as-masks": "as a mask",
    "masks-as-outlines": "as an outline",
}
WRITTEN = [name for name, form in formats().items() if form.is_written and name != "video"]


def outcome(name: str, content: str) -> str:
    """What a format does with a kind of content."""
    records, kinds = CONTENTS[content]
    task = Task.SEGMENT if records[0].labels is not None else Task.DETECT
    info = SourceInfo("a.mp4", SIZE, Fraction(1, 25), average_rate=Fraction(25))
    sequence = Sequence(info, task, THINGS, attributes=("colour",))
    account = Account()
    try:
        check_fit("x", name, task=task, has_masks=True, model="x")
    except OutputError:
        return "refused"
    with TemporaryDirectory() as folder:
        path = Path(folder, PLACES[name])
        with open_record_sink(str(path), name, sequence, options=OutputOptions(), account=account) as sink:
            for record in records:
                sink.write_record(record)
        lost = [account.losses[kind] for kind in kinds if kind in account.losses]
        if lost:
            return "**reported**, the object too" if any(line.is_object for line in lost) else "reported"
        if formats()[name].is_read and not account.lost_objects:
            _, found = read_one(path, format=name)
            assert sum(len(record.objects) for record in found) == sum(len(record.objects) for record in records)
    changed = (word for kind, word in WORDS.items() if kind in account.changes)
    return next(changed, "carried") if content in SHAPES else "carried"


def table() -> str:
    lines = ["| | " + " | ".join(f"`{name}`" for name in WRITTEN) + " |", "|---" * (len(WRITTEN) + 1) + "|"]
    for content in CONTENTS:
        lines.append(f"| {content} | " + " | ".join(outcome(name, content) for name in WRITTEN) + " |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("content", CONTENTS)
def test_the_table_says_what_happens(content: str) -> None:
    row = next(line for line in DOCS.read_text().splitlines() if line.startswith(f"| {content} |"))
    assert [cell.strip() for cell in row.split("|")[2:-1]] == [outcome(name, content) for name in WRITTEN]


@pytest.mark.skipif("DFF_WRITE_DOCS" not in os.environ, reason="writes docs/formats.md when DFF_WRITE_DOCS is set")
def test_write_the_table() -> None:
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    DOCS.write_text(before + BEGIN + table() + END + rest.split(END)[1])
