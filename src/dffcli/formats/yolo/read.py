"""Read YOLO folders in any of their usual layouts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from dffcli.categories import Category
from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.numbers import picture_size, printable, rate, whole
from dffcli.formats.pictures import size_of_picture
from dffcli.formats.reading import Annotated, Reading, inside, run_facts_of, sequence_read, understanding
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.sink import CLASSES_FILE, RunFacts
from dffcli.formats.tables import FRAMES_FILE, FrameRow, read_classes, read_frames, still_name
from dffcli.formats.yolo.layout import label_frames
from dffcli.formats.yolo.lines import Columns
from dffcli.formats.yolo.names import categories_of, read_names


@dataclass(frozen=True, slots=True)
class _File:
    """A frame and where its labels are."""

    index: int
    text: Path | None
    name: str | None
    size: tuple[int, int] | None
    time: Fraction | None = None
    reason: str | None = None
    picture: Path | None = None


def read(reading: Reading) -> list[Annotated]:
    """The labels of a folder.

    The size of each picture comes from the picture where it lies beside, from the table of frames where dff wrote the
    folder, else from the user.

    Args:
        reading: the folder, and what the user says of it.

    Raises:
        DataError: there are no labels, or a size is unknown.
    """
    path, given = reading.path, reading.given
    with understanding(path):
        if not path.is_dir():
            raise DataError(f"{path}: expected a folder of label files")
        columns = Columns()
        name, own_rate, run, size = path.name, None, None, given.size
        said: dict[str, Any] = {}
        if (path / CLASSES_FILE).is_file():
            categories, table = read_classes(path)
            name, own_rate, run, size = _of_table(table, size)
            columns.is_sixth_a_track = False
            columns.has_scores = table.get("has_scores")
        elif given.names:
            categories = categories_of(reading, dict(enumerate(given.names)))
        else:
            categories, said = read_names(reading, path)
        columns.keypoints = _keypoints(said)
        is_listed = (path / FRAMES_FILE).is_file()
        files = [_listed(path, row) for row in read_frames(path)] if is_listed else _found(reading)
        reading.check("frames", len(files), reading.budget.frames)
        first = size or next((file.size for file in files if file.size is not None), None)
        if first is None:
            raise DataError(f"{path}: holds shares of the picture, whose size it does not say: give --size")
        if not (path / CLASSES_FILE).is_file():
            for file in files:
                columns.look(_lines(reading, file))
                reading.check_time()
        sequence = sequence_read(
            name,
            first,
            Task.DETECT,
            categories,
            rate=given.rate or own_rate,
            run=run,
            frame_names=tuple(file.name for file in files if file.name is not None),
            is_video=is_listed and not any(file.name for file in files),
        )
        ids = _ids(categories, is_table=(path / CLASSES_FILE).is_file())
    return [Annotated(sequence, _records(reading, sequence, files, columns, ids))]


def _records(
    reading: Reading, sequence: Sequence, files: list[_File], columns: Columns, ids: dict[int, int]
) -> Iterator[FrameRecord]:
    for file in files:
        size = file.size or reading.given.size or sequence.info.size
        objects = []
        with understanding(file.text or reading.path):
            for number, line in enumerate(_lines(reading, file), start=1):
                try:
                    item, keypoints = columns.read(line, ids, size)
                except ValueError as error:
                    raise DataError(f"{file.text}, line {number}: {printable(str(error))[:160]}") from error
                if keypoints:
                    reading.account.lose("keypoints", "keypoints of objects", f"{file.text}, line {number}")
                objects.append(item)
        pts = file.index / sequence.rate if file.time is None else file.time
        yield FrameRecord(
            file.index, size, pts, tuple(objects), name=file.name, key_reason=file.reason, picture=file.picture
        )


def _lines(reading: Reading, file: _File) -> list[str]:
    if file.text is None:
        return []
    return [line for line in reading.text(file.text).splitlines() if line.strip()]


def _ids(categories: tuple[Category, ...], *, is_table: bool) -> dict[int, int]:
    """Ids of the categories by the class's number: its place in dff's own table, else its id less one."""
    if is_table:
        return {place: item.id for place, item in enumerate(categories)}
    return {item.id - 1: item.id for item in categories}


def _keypoints(said: dict[str, Any]) -> int:
    """How many numbers follow a box."""
    shape = said.get("kpt_shape")
    if not isinstance(shape, list) or len(shape) != 2:
        return 0
    count, each = (whole(value, what="kpt_shape", most=1000) for value in shape)
    return count * each


def _of_table(
    table: dict[str, Any], size: tuple[int, int] | None
) -> tuple[str, Fraction | None, RunFacts | None, tuple[int, int] | None]:
    info = table["info"]
    own = rate(info["frame_rate"]) if info.get("frame_rate") else None
    return str(info.get("video", "")), own, run_facts_of(info), size or picture_size(info["height"], info["width"])


def _listed(path: Path, row: FrameRow) -> _File:
    place = inside(path, row.file)
    name = still_name(row)
    picture = inside(path, f"images/{name or f'{row.index:06d}.jpg'}")
    found = picture if picture.is_file() else None
    return _File(row.index, place, name, row.size, row.time, row.key_reason, found)


def _found(reading: Reading) -> list[_File]:
    files = []
    for frame in label_frames(reading):
        size = None if frame.picture is None else size_of_picture(frame.picture)
        files.append(_File(frame.index, frame.text, frame.name, size, picture=frame.picture))
        reading.check_time()
    return files
