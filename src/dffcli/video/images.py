"""Frames of a folder of images, in natural order."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dffcli.core.types import Frame, SourceInfo, UInt8Array
from dffcli.errors import VideoDecodeError, VideoOpenError
from dffcli.video.clock import DEFAULT_RATE
from dffcli.video.source import MAX_PIXELS, SourceNotes, Span, check_pixels

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2"))
_TRANSPOSED = frozenset((5, 6, 7, 8))  # values of the EXIF orientation that swap width and height
_ORIENTATION_TAG = 0x0112
_DAMAGE = (OSError, ValueError, SyntaxError, struct.error, EOFError)  # what PIL raises for damaged files


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts `f2` before `f10`, and upper and lower case together."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name)]


def images_of(folder: Path) -> list[Path]:
    """The images of a folder, hidden ones and other files left aside, in natural order.

    Raises:
        VideoOpenError: it holds none, or cannot be listed.
    """
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    except OSError as error:
        raise VideoOpenError(f"{folder}: cannot be listed: {(error.strerror or str(error)).lower()}") from error
    if not paths:
        wanted = " ".join(sorted(IMAGE_SUFFIXES))
        raise VideoOpenError(f"{folder}: no images in this folder (looked for {wanted})")
    return sorted(paths, key=lambda path: natural_key(path.name))


class ImageSequence:
    """Stills as a video. They have no times of their own, so a rate gives them one.

    All must have the same size: a result in the coordinates of a letterboxed still would not fit the file it is about.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        path: Path | None = None,
        rate: Fraction = DEFAULT_RATE,
        span: Span | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Look at the header of every image.

        Args:
            paths: the images in order.
            name: of the whole sequence.
            path: the folder they come from, if it is one.
            rate: frames per second they are given.
            span: the part that is wanted.
            max_pixels: refuse larger pictures.

        Raises:
            VideoOpenError: one cannot be read, or has another size than the first.
            InputError: they are too large.
        """
        span = span or Span()
        first_size = None
        for image_path in paths:
            size = _upright_size(image_path)
            check_pixels(str(image_path), size, max_pixels=max_pixels)
            first_size = first_size or size
            if size != first_size:
                raise VideoOpenError(
                    f"{image_path}: expected {first_size[1]} x {first_size[0]} pixels like {paths[0].name}, got "
                    f"{size[1]} x {size[0]}: a folder is read as one video, whose pictures have one size"
                )
        if first_size is None:
            raise VideoOpenError(f"{name}: no images")
        first = 0 if span.start is None else -int(-span.start * rate // 1)
        stop = len(paths) if span.end is None else min(len(paths), -int(-span.end * rate // 1))
        if first >= stop:
            raise VideoOpenError(f"{name}: no image {span}: there are {len(paths)}, at {float(rate):g} a second")
        self._paths = list(paths[first:stop])
        self._first = first
        self._rate = rate
        self._frames = 0
        self._stopped = False
        self.info = SourceInfo(
            name=name,
            size=first_size,
            time_base=1 / rate,
            average_rate=rate,
            frame_count=len(self._paths),
            duration_seconds=len(self._paths) / rate,
            path=None if path is None else str(path),
            start_seconds=span.start,
            end_seconds=span.end,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open between images."""

    @property
    def notes(self) -> SourceNotes:
        """What was noticed so far."""
        return SourceNotes(frames=self._frames)

    def tracks(self) -> None:
        """Images have no sound."""

    def stop(self) -> None:
        """End with the next picture."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            if self._stopped:
                return
            image = _read(path)
            if image.shape[:2] != self.info.size:
                raise VideoDecodeError(f"{path}: changed while it was being read")
            self._frames = index + 1
            yield Frame(
                index=index,
                image=image,
                pts_seconds=(self._first + index) / self._rate,
                duration_seconds=1 / self._rate,
                name=path.name,
            )


def _upright_size(path: Path) -> tuple[int, int]:
    with _opened(path, VideoOpenError) as image:
        w, h = image.size
        return (w, h) if _orientation(image) in _TRANSPOSED else (h, w)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, without decoding the picture (`getexif` would, for PNG)."""
    if image.format == "TIFF":
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    return int(exif.get(_ORIENTATION_TAG, 1))


def _read(path: Path) -> UInt8Array:
    with _opened(path, VideoDecodeError) as image:
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits a pixel, which PIL would clip
                grey = (np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.array(upright.convert("RGB"))
        except _DAMAGE as error:
            raise VideoDecodeError(f"{path}: this image is damaged ({error})") from error


def _opened(path: Path, error_type: type[VideoOpenError | VideoDecodeError]) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # the limit is --max-pixels
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        raise error_type(f"{path}: not an image, or in a format that cannot be read") from error
    except _DAMAGE as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise error_type(f"{path}: {reason.lower()}") from error
