"""Pictures saved beside their labels, under the names that the labels have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2

from dffcli.core.types import UInt8Array
from dffcli.errors import OutputError
from dffcli.formats.numbers import file_name
from dffcli.formats.record import FrameRecord

QUALITY = 95  # of JPEG


class SavedPictures:
    """A folder of pictures in the making."""

    def __init__(self, folder: Path, *, suffix: str) -> None:
        """Begin.

        Args:
            folder: where they go; made when the first one comes.
            suffix: `.jpg` or `.png`.
        """
        self._folder = folder
        self._suffix = suffix
        self._counts_from_one = folder.name == "img1"  # MOTChallenge's

    def save(self, image: UInt8Array, record: FrameRecord) -> FrameRecord:
        """Save a frame's picture, RGB `[H, W, 3]`.

        Returns:
            The record under the name of its picture.

        Raises:
            OutputError: it cannot be written.
        """
        stem = f"{record.index:06d}"
        if self._counts_from_one:
            stem = f"{record.index + 1:06d}"
        elif record.name is not None:
            stem = str(PurePosixPath(file_name(record.name) or stem).with_suffix(""))
        name = stem + self._suffix
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        is_encoded, data = cv2.imencode(
            self._suffix,
            cv2.cvtColor(image, cv2.COLOR_RGB2BGR),  # OpenCV writes BGR
            [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if self._suffix == ".jpg" else [],
        )
        if not is_encoded:
            raise OutputError(f"{place}: this picture cannot be encoded")
        place.write_bytes(data.tobytes())
        return record if self._counts_from_one else replace(record, name=name)
