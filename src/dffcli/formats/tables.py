"""The small tables that lie beside masks and label files: classes, frames, instances."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from dffcli.categories import Category
from dffcli.core.types import KeyReason
from dffcli.errors import DataError, OutputError
from dffcli.formats.facts import file_info
from dffcli.formats.numbers import MAX_ID, file_name, fraction, picture_size, printable, whole
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.sink import CLASSES_FILE

FRAMES_FILE = "frames.csv"
_FRAME_COLUMNS = (
    "index", "file", "time_exact", "time_seconds", "is_key_frame", "key_reason", "width", "height", "picture"
)  # fmt: skip
MAX_TABLE = 512 << 20  # bytes


class CsvTable:
    """A table that grows line by line."""

    def __init__(self, path: Path, *, columns: tuple[str, ...]) -> None:
        """Create the file and write its head.

        Args:
            path: the file.
            columns: names in the head.
        """
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(columns)

    def append(self, *values: object) -> None:
        """Write one line."""
        self._writer.writerow(values)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FramesTable(CsvTable):
    """Which file holds which frame, and when that frame is shown."""

    def __init__(self, folder: Path) -> None:
        """Create the table.

        Args:
            folder: where it is to lie.
        """
        super().__init__(folder / FRAMES_FILE, columns=_FRAME_COLUMNS)

    def add(self, record: FrameRecord, file: str) -> None:
        """Write one frame's line."""
        time = f"{float(record.pts_seconds):.6f}"
        is_key = int(record.key_reason is not None)
        h, w = record.size
        name = record.name or ""
        self.append(record.index, file, record.pts_seconds, time, is_key, record.key_reason or "", w, h, name)


class FileNames:
    """The names of a folder's files, one a frame: as the still's, with the folders above it, or the frame's number."""

    def __init__(self, sequence: Sequence, *, suffix: str) -> None:
        """Make sure that no two stills ask for one file.

        Args:
            sequence: what is annotated.
            suffix: of the files.

        Raises:
            OutputError: two do.
        """
        self._suffix = suffix
        self._taken: dict[str, str] = {}
        for name in sequence.frame_names:
            self._take(name)
        self._taken.clear()

    def of(self, record: FrameRecord) -> str:
        """The name of a frame's file.

        Raises:
            OutputError: another frame has it already.
        """
        return f"{record.index:06d}{self._suffix}" if record.name is None else self._take(record.name)

    def _take(self, name: str) -> str:
        wanted = str(PurePosixPath(file_name(name) or "_").with_suffix("")) + self._suffix
        other = self._taken.setdefault(wanted.casefold(), name)
        if other != name:
            raise OutputError(f"{name} and {other} would both have the file {wanted}: rename one, or write .json")
        return wanted


def write_classes(folder: Path, sequence: Sequence, **more: Any) -> None:
    """Write the class table: what pixel values mean, their colours, and where the annotations come from.

    Args:
        folder: where it is to lie.
        sequence: what is annotated.
        more: further entries of the table.
    """
    h, w = sequence.info.size
    table = {
        "info": file_info(sequence) | {"width": w, "height": h},
        "classes": [{"id": item.id, "name": item.name, "color": list(item.color)} for item in sequence.categories],
        **more,
    }
    (folder / CLASSES_FILE).write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_classes(folder: Path) -> tuple[tuple[Category, ...], dict[str, Any]]:
    """Categories and the whole class table of a folder.

    Raises:
        DataError: there is none, or it is not one.
    """
    path = folder / CLASSES_FILE
    try:
        table = json.loads(_text(path))
        categories = tuple(_category(item) for item in table["classes"])
    except FileNotFoundError as error:
        raise DataError(f"{folder}: expected a class table {CLASSES_FILE} beside the masks, found none") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not a class table ({type(error).__name__}: {printable(str(error))[:120]})") from error
    return categories, table


@dataclass(frozen=True, slots=True)
class FrameRow:
    """What a table of frames says of one.

    Attributes:
        index: counted from 0.
        file: its file in the folder.
        time: when it is shown.
        key_reason: why it was a key frame, if it was one.
        size: `(height, width)` of its picture; None in tables of old.
        picture: the name of its picture; None for frames of a video, and in tables of old.
    """

    index: int
    file: str
    time: Fraction
    key_reason: str | None
    size: tuple[int, int] | None = None
    picture: str | None = None


def read_frames(folder: Path) -> list[FrameRow]:
    """Every frame in a folder's table.

    Raises:
        DataError: there is none, or it is not one.
    """
    path = folder / FRAMES_FILE
    try:
        return [_frame_row(row) for row in csv.DictReader(_text(path).splitlines())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(f"{path}: not a table of frames ({type(error).__name__}: {printable(str(error))})") from error


def still_name(row: FrameRow) -> str | None:
    """The name of a frame's picture; of tables of old, by that of its file, unless it is named by its number."""
    if row.picture is not None:
        return file_name(row.picture) or None
    stem = PurePosixPath(row.file).stem
    return None if stem == f"{row.index:06d}" or stem.endswith("_gtFine_labelIds") else file_name(f"{stem}.jpg")


def _frame_row(row: dict[str, str]) -> FrameRow:
    has_size = bool(row.get("width")) and bool(row.get("height"))
    return FrameRow(
        whole(row["index"], what="index"),
        row["file"],
        fraction(row["time_exact"], what="time_exact"),
        KeyReason.slug(printable(row["key_reason"]) or None),
        picture_size(row["height"], row["width"]) if has_size else None,
        row.get("picture") or None,
    )


def _text(path: Path) -> str:
    if not path.is_file() and path.exists():
        raise DataError(f"{path}: expected a file, found something else")
    if path.stat().st_size > MAX_TABLE:
        raise DataError(f"{path}: expected at most {MAX_TABLE >> 20} MB")
    return path.read_text(encoding="utf-8-sig")


def _category(item: Any) -> Category:
    red, green, blue = (min(255, max(0, int(value))) for value in item["color"])
    number = whole(item["id"], what="id", most=MAX_ID)
    return Category(number, printable(str(item["name"])) or f"class {number}", (red, green, blue))
