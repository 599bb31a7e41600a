"""Labelled pictures for segmentation, found in the layouts data sets come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dffcli.errors import DataError
from dffcli.types import UInt8Array

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture with a class id for every pixel.

    Attributes:
        image: the picture's file.
        mask: an 8-bit grey PNG of class ids, of the same size.
        earlier: the frames before it in its video, nearest first; empty for a still.
    """

    image: Path
    mask: Path
    earlier: tuple[Path, ...] = ()


def read_image(path: Path) -> UInt8Array:
    """A picture as RGB.

    Raises:
        DataError: it is missing or broken.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path}: {'not a readable picture' if path.is_file() else 'no such picture'}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


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
        raise DataError(f"{path}: expected the size of its picture, {size[1]} x {size[0]}, found {mask.shape[::-1]}")
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
