"""Read the lines of MOTChallenge text, whose columns are a matter of custom.

| columns | what the eighth, ninth and tenth are |
|---|---|
| 6, 7 | not there |
| 8 | class |
| 9 | class, visibility |
| 10 | nothing, where all are -1 (detections); class, visibility and nothing, where the last alone is -1; else a place
  in the world, which dff does not hold |

A head that names its columns decides instead. A class or visibility below 0 is none.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dffcli.errors import DataError
from dffcli.formats.account import Account
from dffcli.formats.numbers import MAX_FRAMES, MAX_ID, MAX_SIDE, printable
from dffcli.formats.reading import Reading

_COLUMNS = {
    "frame": ("frame", "frameid", "framenumber", "frameindex", "frameno"),
    "id": ("id", "trackid", "objectid", "targetid", "track"),
    "x": ("x", "bbleft", "left", "xmin", "x1", "bboxleft", "bbox_left"),
    "y": ("y", "bbtop", "top", "ymin", "y1", "bboxtop"),
    "w": ("w", "bbwidth", "width", "bboxwidth"),
    "h": ("h", "bbheight", "height", "bboxheight"),
    "confidence": ("conf", "confidence", "score", "consider", "active", "flag"),
    "class": ("class", "classid", "cls", "category", "categoryid", "label", "type", "objectcategory"),
    "visibility": ("visibility", "vis", "visibilityratio"),
}
_NAMES = {name.replace("_", ""): column for column, names in _COLUMNS.items() for name in names}
_ORDER = tuple(_COLUMNS)

Rows = NDArray[np.float64]
"""Frame (from 0), id, x, y, width, height, confidence, class, visibility; `[N, 9]`, the last two -1 where unknown."""


def read_rows(reading: Reading, path: Path) -> Rows:
    """All boxes of a text file, in its order.

    Raises:
        DataError: a line is not one.
    """
    rows: list[list[float]] = []
    order: dict[str, int] | None = None
    for number, line in enumerate(reading.text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fields = _fields(line)
        try:
            if not rows and order is None and re.search("[a-df-zA-DF-Z]", line):
                order = _head(fields)
                continue
            rows.append(_row(fields, order, reading.account))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: not a MOT line ({printable(str(error))[:120]})") from error
        if len(rows) > reading.budget.objects:
            reading.check("boxes", len(rows), reading.budget.objects)
    found = np.array(rows, np.float64).reshape(-1, 9)
    if len(found) and not found[:, 0].min():
        what = "frames counted from 0, where the format counts from 1; taken as they are"
        reading.account.change("frames-from-0", what, f"{path.name}, frame 0")
    else:
        found[:, 0] -= 1
    return found


def _fields(line: str) -> list[str]:
    """The columns of a line: between commas, or else between blanks."""
    line = line.strip()
    if "," not in line:
        return line.split()
    return [field.strip() for field in line.rstrip(",").split(",")]


def _head(fields: list[str]) -> dict[str, int]:
    """The place of each column, by a head's names.

    Raises:
        ValueError: it lacks one, or is no head.
    """
    places: dict[str, int] = {}
    for place, field in enumerate(fields):
        column = _NAMES.get(re.sub("[^a-z0-9]", "", field.lower()))
        if column is not None:
            places.setdefault(column, place)
    missing = [column for column in _ORDER[:6] if column not in places]
    if missing:
        raise ValueError(f"expected numbers, or a head with columns {', '.join(_ORDER)}; missing {', '.join(missing)}")
    return places


def _row(fields: list[str], order: dict[str, int] | None, account: Account) -> list[float]:
    values = [float(field) for field in fields]
    if order is not None:
        if len(values) <= max(order.values()):
            raise ValueError(f"expected {max(order.values()) + 1} columns like the head, got {len(values)}")
        row = [values[order[column]] if column in order else _MISSING[column] for column in _ORDER]
    else:
        row = _by_custom(values, account)
    if not np.isfinite(row).all() or max(map(abs, row[2:7])) > MAX_SIDE or abs(row[1]) > MAX_ID:
        raise ValueError("a number out of range")
    if not 0 <= row[0] <= MAX_FRAMES or row[0] != int(row[0]):
        raise ValueError(f"expected a frame from 1 on, got {row[0]:g}")
    if row[1] != int(row[1]):
        raise ValueError(f"expected a whole id, got {row[1]:g}")
    if not -1 <= row[7] <= MAX_FRAMES or row[7] != int(row[7]):
        raise ValueError(f"expected a whole class, got {row[7]:g}")
    if row[4] < 0 or row[5] < 0:
        raise ValueError(f"expected a width and height from 0, got {row[4]:g} x {row[5]:g}")
    return row


_MISSING = {"confidence": 1.0, "class": -1.0, "visibility": -1.0}


def _by_custom(values: list[float], account: Account) -> list[float]:
    if not 6 <= len(values) <= 10:
        raise ValueError(f"expected 6 to 10 columns: frame,id,x,y,width,height,..., got {len(values)}")
    row = [*values[:6], values[6] if len(values) > 6 else 1.0, -1.0, -1.0]
    if len(values) in (8, 9):
        row[7] = values[7]
        row[8] = values[8] if len(values) == 9 else -1.0
    elif len(values) == 10 and values[7:] != [-1, -1, -1]:
        is_class = values[9] == -1 and values[7] >= 0 and values[7] == int(values[7]) and -1 <= values[8] <= 1
        if is_class:
            row[7:9] = values[7:9]
        else:
            said = f"frame {values[0]:g}, {values[7]:g}, {values[8]:g}, {values[9]:g}"
            account.lose("places-in-the-world", "places in the world, in the last three columns", said)
    return row
