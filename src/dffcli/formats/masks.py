"""Masks as pictures: a PNG a frame, with the tables that explain them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Detections, UInt8Array
from dffcli.errors import OutputError
from dffcli.formats.palette import category_palette, cityscapes_table, voc_palette
from dffcli.formats.png import encode_png
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.sink import MaskIds
from dffcli.formats.tables import CsvTable, FramesTable, file_stem, write_classes

INSTANCES_FILE = "instances.csv"
_INSTANCE_COLUMNS = ("index", "file", "instance", "category_id", "category", "score", "track_id")


class LabelMaskWriter:
    """A category for every pixel; an `outputs.files.FolderWriter`."""

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
        if isinstance(record.prediction, Detections):
            raise OutputError("expected a category for every pixel, got boxes")
        labels: UInt8Array = record.prediction.category_ids
        if self._table is not None:
            labels = np.asarray(cv2.LUT(labels, self._table), np.uint8)
        name = self._name(record)
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
            return file_stem(record) + ".png"
        if record.name:
            return file_stem(record).removesuffix("_leftImg8bit") + "_gtFine_labelIds.png"
        city = Path(self._sequence.info.name).stem.replace("_", "-")
        return f"{city}_000000_{record.index:06d}_gtFine_labelIds.png"


class InstanceMaskWriter:
    """Which object each pixel belongs to; an `outputs.files.FolderWriter`.

    Pixel values are the object's number on that frame, counted from 1, best first (8 bits, coloured), or its track
    where there are tracks (16 bits, grey). 0 is no object. Where objects overlap, the better one is seen.
    """

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._palette = voc_palette()
        self._tables: list[CsvTable] = []

    def begin(self, folder: Path) -> None:
        """Write the class table."""
        self._folder = folder
        write_classes(folder, self._sequence, mask_ids="instances")
        self._frames = FramesTable(folder)
        self._tables.append(self._frames)
        self._instances = CsvTable(folder / INSTANCES_FILE, columns=_INSTANCE_COLUMNS)
        self._tables.append(self._instances)

    def write(self, record: FrameRecord) -> None:
        """Write one frame's mask."""
        found = record.prediction
        if not isinstance(found, Detections) or (found.masks is None and len(found)):
            raise OutputError(
                "this model finds boxes, which have no masks to write into a folder of PNGs: "
                "use maskrcnn_resnet50_fpn_v2, or `dff segment`, or write .json, .xml, .txt or a video"
            )
        is_tracked = found.track_ids is not None
        numbers = found.track_ids if found.track_ids is not None else np.arange(1, len(found) + 1)
        limit = 0xFFFF if is_tracked else 0xFF
        if len(numbers) and numbers.max() > limit:
            raise OutputError(f"expected at most {limit} objects for the pixels of a PNG, got {numbers.max()}")
        name = file_stem(record) + ".png"
        picture = _painted(found, numbers, record.size)
        data = encode_png(picture) if is_tracked else encode_png(picture.astype(np.uint8), palette=self._palette)
        (self._folder / name).write_bytes(data)
        self._frames.add(record, name)
        self._list(record, found, numbers, name)

    def finish(self) -> None:
        """Nothing is left to write."""

    def close(self) -> None:
        """Close the tables."""
        for table in self._tables:
            table.close()

    def _list(self, record: FrameRecord, found: Detections, numbers: NDArray[np.int64], name: str) -> None:
        names = self._sequence.names
        for row, number in enumerate(numbers):
            category = int(found.category_ids[row])
            track = "" if found.track_ids is None else int(found.track_ids[row])
            score = f"{found.scores[row]:.4f}"
            self._instances.append(record.index, name, int(number), category, names.get(category, ""), score, track)


def _painted(found: Detections, numbers: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint16]:
    picture = np.zeros(size, np.uint16)
    if found.masks is not None:
        for row in np.argsort(found.scores, kind="stable"):
            picture[found.masks[row]] = numbers[row]
    return picture
