"""The small tables that lie beside masks and label files: classes, frames, instances."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from dffcli.categories import Category
from dffcli.errors import DataError
from dffcli.formats.coco import file_info
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.sink import CLASSES_FILE

FRAMES_FILE = "frames.csv"
_FRAME_COLUMNS = ("index", "file", "time_exact", "time_seconds", "is_key_frame", "key_reason")


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
        self.append(record.index, file, record.pts_seconds, time, is_key, record.key_reason or "")


def file_stem(record: FrameRecord) -> str:
    """Name of a frame's file without suffix: the still's own, or the number of the frame counted from 0."""
    return Path(record.name).stem if record.name else f"{record.index:06d}"


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
        table = json.loads(path.read_text(encoding="utf-8"))
        categories = tuple(
            Category(int(item["id"]), str(item["name"]), _color(item["color"])) for item in table["classes"]
        )
    except FileNotFoundError as error:
        raise DataError(f"{folder}: expected a class table {CLASSES_FILE} beside the masks, found none") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not a class table ({type(error).__name__}: {error})") from error
    return categories, table


def read_frames(folder: Path) -> list[tuple[int, str, Fraction, str | None]]:
    """Index, file, time and key reason of every frame in a folder's table.

    Raises:
        DataError: there is none, or it is not one.
    """
    path = folder / FRAMES_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                (int(row["index"]), row["file"], Fraction(row["time_exact"]), row["key_reason"] or None)
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, csv.Error) as error:
        raise DataError(f"{path}: not a table of frames ({type(error).__name__}: {error})") from error


def _color(values: Any) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, int(value))) for value in values)
    return red, green, blue
