"""Labelled pictures for segmentation, found in the layouts data sets come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from dffcli.core.types import UInt8Array
from dffcli.errors import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture with a class id for every pixel.

    Attributes:
        image: the picture's file.
        mask: an 8-bit grey PNG of class ids, of the same size.
        earlier: the frames before it in its video, nearest first; empty for a still.
        remap: class by id in the file, where they differ; other ids are ignored.
    """

    image: Path
    mask: Path
    earlier: tuple[Path, ...] = ()
    remap: Mapping[int, int] | None = None


def read_image(path: Path) -> UInt8Array:
    """A picture as RGB.

    Raises:
        DataError: it is missing or broken.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path}: {'not a readable picture' if path.is_file() else 'no such picture'}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def read_labels(picture: LabelledPicture, *, size: tuple[int, int]) -> UInt8Array:
    """The class of every pixel of a picture of `size`, `[H, W]`; 255 where its ids are not classes."""
    mask = read_mask(picture.mask, size=size)
    if picture.remap is None:
        return mask
    table = np.full(256, 255, np.uint8)
    for found, wanted in picture.remap.items():
        table[found] = wanted
    return np.asarray(table[mask], np.uint8)


def read_mask(path: Path, *, size: tuple[int, int]) -> UInt8Array:
    """A mask of class ids `[H, W]`, checked against the size of its picture.

    Raises:
        DataError: it is missing, broken, in colour or of another size.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DataError(f"{path}: {'not a readable mask' if path.is_file() else 'no such mask'}")
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise DataError(f"{path}: expected an 8-bit mask of class ids, found {mask.dtype} {list(mask.shape)}")
    if mask.shape != size:
        found = f"{mask.shape[1]} x {mask.shape[0]}"
        raise DataError(f"{path}: expected the size of its picture, {size[1]} x {size[0]}, found {found}")
    return np.asarray(mask, np.uint8)


def images_in(folder: Path) -> list[Path]:
    """The pictures of a folder by name.

    Raises:
        DataError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise DataError(f"{folder}: no pictures in it ({', '.join(IMAGE_SUFFIXES)})")
    return found


def pictures_with_masks(images: Path, masks: Path) -> list[LabelledPicture]:
    """Every mask `NAME.png` of one folder with the picture `NAME.*` of another; pictures without a mask are left out.

    Raises:
        DataError: a folder is missing or empty, or a mask has no picture.
    """
    by_name = {path.stem: path for path in images_in(images)}
    pictures = []
    for mask in images_in(masks):
        if mask.stem not in by_name:
            raise DataError(f"{mask}: no picture named {mask.stem} in {images}")
        pictures.append(LabelledPicture(by_name[mask.stem], mask))
    return pictures


def camvid_split(root: Path, split: str) -> list[LabelledPicture]:
    """CamVid as SegNet's authors lay it out: `root/train/NAME`, `root/trainannot/NAME.png`."""
    return pictures_with_masks(root / split, root / f"{split}annot")


CITYSCAPES_TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
    31: 16, 32: 17, 33: 18,
}  # fmt: skip
"""Cityscapes' own label ids to the 19 evaluated classes, in their usual order."""


def cityscapes_split(root: Path, split: str) -> list[LabelledPicture]:
    """Cityscapes' own layout, stills or 30-frame snippets of which the 20th frame is labelled.

    `root/gtFine/SPLIT/CITY/CITY_SEQUENCE_FRAME_gtFine_labelTrainIds.png` (or `_labelIds.png`) labels
    `root/leftImg8bit_sequence/SPLIT/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png` (or the same below `leftImg8bit`).

    Raises:
        DataError: a folder or the picture of a label is missing, or nothing is labelled.
    """
    sequence = root / "leftImg8bit_sequence" / split
    images = sequence if sequence.is_dir() else root / "leftImg8bit" / split
    truth = root / "gtFine" / split
    for folder in (images, truth):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; Cityscapes keeps its {split} split there")
    pictures = []
    for kind, remap in (("labelTrainIds", None), ("labelIds", CITYSCAPES_TRAIN_IDS)):
        for mask in sorted(truth.glob(f"*/*_gtFine_{kind}.png")):
            stem = mask.name.removesuffix(f"_gtFine_{kind}.png")
            image = images / mask.parent.name / f"{stem}_leftImg8bit.png"
            if not image.is_file():
                raise DataError(f"{mask}: its picture is missing, expected {image}")
            earlier = _frames_before(image) if images is sequence else ()
            pictures.append(LabelledPicture(image, mask, earlier, remap))
        if pictures:
            return pictures
    raise DataError(f"{truth}: no label there (*/*_gtFine_labelTrainIds.png or _labelIds.png)")


def _frames_before(image: Path) -> tuple[Path, ...]:
    """The frames of the same snippet before this one, nearest first, as far as they follow on one another."""
    city, snippet, number, kind = image.name.split("_", 3)
    before = []
    for step in range(1, int(number) + 1):
        path = image.with_name(f"{city}_{snippet}_{int(number) - step:0{len(number)}}_{kind}")
        if not path.is_file():
            break
        before.append(path)
    return tuple(before)


def as_video(pictures: Sequence[LabelledPicture], *, max_offset: int) -> list[LabelledPicture]:
    """The same pictures as consecutive frames of one video, each knowing up to `max_offset` frames before it."""
    return [
        replace(picture, earlier=tuple(item.image for item in reversed(pictures[max(0, i - max_offset) : i])))
        for i, picture in enumerate(pictures)
    ]
