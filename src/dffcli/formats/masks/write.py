"""Write folders of masks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Task, UInt8Array
from dffcli.errors import OutputError
from dffcli.formats.account import Account
from dffcli.formats.files import RecordSink, folder_sink
from dffcli.formats.masks.tables import INSTANCE_COLUMNS, INSTANCES_FILE
from dffcli.formats.palette import category_palette, cityscapes_table, voc_palette
from dffcli.formats.png import encode_png
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.sink import MaskIds
from dffcli.formats.tables import CsvTable, FileNames, FramesTable, write_classes
from dffcli.formats.target import Target


def write(target: Target) -> RecordSink:
    """The sink of a folder: label maps of a segmenter, instances of a detector."""
    if target.sequence.task is Task.SEGMENT:
        return folder_sink(target, LabelMaskWriter(target.sequence, mask_ids=target.options.mask_ids))
    return folder_sink(target, InstanceMaskWriter(target.sequence, account=target.fitter.account))


class LabelMaskWriter:
    """A category for every pixel; a `formats.files.FolderWriter`."""

    def __init__(self, sequence: Sequence, *, mask_ids: MaskIds = "classes") -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
            mask_ids: what the pixel values are.

        Raises:
            OutputError: the classes have no ids of that kind.
        """
        self._sequence = sequence
        self._mask_ids = mask_ids
        palettes = {"classes": category_palette(sequence.categories), "voc": voc_palette()}
        self._palette = palettes.get(mask_ids)
        self._table = cityscapes_table(sequence.categories) if mask_ids == "cityscapes" else None
        self._names = FileNames(sequence, suffix="_gtFine_labelIds.png" if mask_ids == "cityscapes" else ".png")
        self._frames: FramesTable | None = None

    def begin(self, folder: Path) -> None:
        """Write the class table."""
        self._folder = folder
        more = {"mask_ids": self._mask_ids}
        if self._table is not None:
            ids = {item.name: int(self._table[item.id]) for item in self._sequence.categories}
            write_classes(folder, self._sequence, **more, cityscapes_ids=ids)
        else:
            write_classes(folder, self._sequence, **more)
        self._frames = FramesTable(folder)

    def write(self, record: FrameRecord) -> None:
        """Write one frame's mask."""
        if record.labels is None:
            raise OutputError("expected a category for every pixel, got boxes")
        labels: UInt8Array = record.labels
        if self._table is not None:
            labels = np.asarray(cv2.LUT(labels, self._table), np.uint8)
        name = self._name(record)
        (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(encode_png(labels, palette=self._palette))
        if self._frames is not None:
            self._frames.add(record, name)

    def finish(self) -> None:
        """Nothing is left to write."""

    def close(self) -> None:
        """Close the table of frames."""
        if self._frames is not None:
            self._frames.close()

    def _name(self, record: FrameRecord) -> str:
        if self._mask_ids != "cityscapes":
            return self._names.of(record)
        if record.name:
            return self._names.of(record).replace("_leftImg8bit_gtFine", "_gtFine")
        city = Path(self._sequence.info.name).stem.replace("_", "-")
        return f"{city}_000000_{record.index:06d}_gtFine_labelIds.png"


class InstanceMaskWriter:
    """Which object each pixel belongs to; a `formats.files.FolderWriter`.

    Pixel values are the object's number on that frame, counted from 1, best first (8 bits, coloured), or its track
    where there are tracks (16 bits, grey). 0 is no object. Where objects overlap, the better one is seen.
    """

    def __init__(self, sequence: Sequence, *, account: Account) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
            account: where objects that others hide wholly are noted.
        """
        self._sequence = sequence
        self._account = account
        self._palette = voc_palette()
        self._names = FileNames(sequence, suffix=".png")
        self._tables: list[CsvTable] = []

    def begin(self, folder: Path) -> None:
        """Write the class table."""
        self._folder = folder
        write_classes(folder, self._sequence, mask_ids="instances")
        self._frames = FramesTable(folder)
        self._tables.append(self._frames)
        self._instances = CsvTable(folder / INSTANCES_FILE, columns=INSTANCE_COLUMNS)
        self._tables.append(self._instances)

    def write(self, record: FrameRecord) -> None:
        """Write one frame's mask."""
        numbers, is_wide = _numbers(record)
        name = self._names.of(record)
        picture = self._painted(record, numbers)
        data = encode_png(picture) if is_wide else encode_png(picture.astype(np.uint8), palette=self._palette)
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        self._frames.add(record, name)
        names = self._sequence.names
        for item, number in zip(record.objects, numbers, strict=True):
            track = "" if item.track is None else item.track
            score = "" if item.score is None else f"{item.score:.4f}"
            category = item.category_id
            self._instances.append(record.index, name, number, category, names.get(category, ""), score, track)

    def finish(self) -> None:
        """Nothing is left to write."""

    def close(self) -> None:
        """Close the tables."""
        for table in self._tables:
            table.close()

    def _painted(self, record: FrameRecord, numbers: list[int]) -> NDArray[np.uint16]:
        """The picture, the best object painted last; what is hidden is noted."""
        picture = np.zeros(record.size, np.uint16)
        areas: dict[int, int] = {}
        order = sorted(range(len(numbers)), key=lambda row: _score(record.objects[row]))
        for row in order:
            mask = record.objects[row].mask
            if mask is not None:
                picture[mask.array] = numbers[row]
                areas[numbers[row]] = mask.area
        if not areas:
            return picture
        seen = np.bincount(picture.ravel(), minlength=max(areas) + 1)
        for number, area in areas.items():
            where = f"frame {record.index}, object {number}"
            if not seen[number]:
                self._account.lose_object("hidden", "objects that others hide wholly, of which no mask tells", where)
            elif seen[number] < area:
                self._account.lose("hidden-parts", "parts of objects that others hide, of which no mask tells", where)
        return picture


def _score(item: Annotation) -> float:
    return 1.0 if item.score is None else item.score


def _numbers(record: FrameRecord) -> tuple[list[int], bool]:
    """The pixel value of every object, and whether these need 16 bits: tracks do.

    Where only some objects have tracks, the others have the numbers above the highest.

    Raises:
        OutputError: there are too many objects for a PNG's pixels.
    """
    tracks = [item.track for item in record.objects]
    is_wide = any(track is not None for track in tracks)
    shift = 1 if any(track == 0 for track in tracks) else 0  # 0 is no object
    free = max((track + shift for track in tracks if track is not None), default=0)
    numbers = []
    for track in tracks:
        if track is None:
            free += 1
        numbers.append(free if track is None else track + shift)
    limit = 0xFFFF if is_wide else 0xFF
    if numbers and max(numbers) > limit:
        raise OutputError(f"expected at most {limit} objects for the pixels of a PNG, got {max(numbers)}")
    return numbers, is_wide
