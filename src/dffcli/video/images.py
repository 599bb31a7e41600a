"""Frames of images: of a folder in natural order, of one file page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

from dffcli.core.types import Frame, SourceInfo
from dffcli.errors import VideoDecodeError, VideoOpenError
from dffcli.video.clock import DEFAULT_RATE
from dffcli.video.source import MAX_PIXELS, SourceNotes, Span, check_pixels
from dffcli.video.stills import IMAGE_SUFFIXES, about, page_sizes, pages


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts `f2` before `f10`, and upper and lower case together."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name)]


def images_of(folder: Path) -> list[Path]:
    """The images of a folder, hidden ones and other files left aside, in natural order.

    Raises:
        VideoOpenError: it holds none, or cannot be listed.
    """
    try:
        paths = [path for path in _named_like_images(folder) if path.is_file()]  # no pipes, devices or dead links
    except OSError as error:
        raise VideoOpenError(f"{folder}: cannot be listed: {(error.strerror or str(error)).lower()}") from error
    if not paths:
        wanted = " ".join(sorted(IMAGE_SUFFIXES))
        raise VideoOpenError(f"{folder}: no images in this folder (looked for {wanted})")
    return sorted(paths, key=lambda path: natural_key(path.name))


def _named_like_images(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]


class ImageSequence:
    """Stills as a video. They have no times of their own, so a rate gives them one.

    All must have the same size: a result in the coordinates of a letterboxed still would not fit the file it is about.
    An image of several pages gives all of them, one after the other.
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
        first_size: tuple[int, int] | None = None
        counts: list[int] = []
        for image_path in paths:
            image = about(image_path)
            check_pixels(str(image_path), image.size, max_pixels=max_pixels)
            first_size = first_size or image.size
            if image.size != first_size:
                raise VideoOpenError(
                    f"{image_path}: expected {first_size[1]} x {first_size[0]} pixels like {paths[0].name}, got "
                    f"{image.size[1]} x {image.size[0]}: a folder is read as one video, whose pictures have one size"
                )
            counts.append(image.pages)
        if first_size is None:
            raise VideoOpenError(f"{name}: no images")
        total = sum(counts)
        first = 0 if span.start is None else -int(-span.start * rate // 1)
        stop = total if span.end is None else min(total, -int(-span.end * rate // 1))
        if first >= stop:
            raise VideoOpenError(f"{name}: no image {span}: there are {total}, at {float(rate):g} a second")
        self._paths, self._counts = list(paths), counts
        self._first, self._stop = first, stop
        self._rate = rate
        self._frames = 0
        self._stopped = False
        self._remarks: list[str] = []
        if path is not None:
            others = sum(not other.is_file() for other in _named_like_images(path))
            if others:
                self._remarks.append(f"{others} entries named like images are no files: left aside")
        self.info = SourceInfo(
            name=name,
            size=first_size,
            time_base=1 / rate,
            average_rate=rate,
            frame_count=stop - first,
            duration_seconds=(stop - first) / rate,
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
        return SourceNotes(frames=self._frames, other=tuple(self._remarks))

    def tracks(self) -> None:
        """Images have no sound."""

    def stop(self) -> None:
        """End with the next picture."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        place = 0
        for path, count in zip(self._paths, self._counts, strict=True):
            if self._stopped or place >= self._stop:
                return
            if place + count > self._first:
                yield from self._pages_of(path, count, place)
            place += count

    def _pages_of(self, path: Path, count: int, place: int) -> Iterator[Frame]:
        for number, (image, _) in enumerate(pages(path, only_first=count == 1)):
            index = place + number
            if self._stopped or index >= self._stop:
                return
            if index < self._first:
                continue
            if image.shape[:2] != self.info.size:
                if number == 0:
                    raise VideoDecodeError(f"{path}: changed while it was being read")
                raise VideoDecodeError(
                    f"{path}: page {number + 1} has {image.shape[1]} x {image.shape[0]} pixels, the first has "
                    f"{self.info.size[1]} x {self.info.size[0]}: the pages of an image in a folder have one size"
                )
            self._frames += 1
            yield Frame(
                index=index - self._first,
                image=image,
                pts_seconds=index / self._rate,
                duration_seconds=1 / self._rate,
                name=path.name if count == 1 else f"{path.stem}-{number + 1:06d}{path.suffix}",
            )


class PagedImage:
    """The pages of one image as a video: an animated WebP with its own times, a TIFF at a rate.

    Pages of another size than the first (the previews in a TIFF) are left aside, and said.
    """

    def __init__(
        self,
        path: Path,
        *,
        rate: Fraction = DEFAULT_RATE,
        span: Span | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Look at its header.

        Args:
            path: the image.
            rate: pages per second, where they have no times.
            span: the part that is wanted.
            max_pixels: refuse larger pictures.

        Raises:
            VideoOpenError: it cannot be read.
            InputError: it is too large.
        """
        image = about(path)
        check_pixels(str(path), image.size, max_pixels=max_pixels)
        self._path, self._rate = path, rate
        self._has_times = image.is_animated
        self._frames = self._aside = 0
        self._stopped = False
        span = span or Span()
        count = image.pages
        if not self._has_times:
            sizes = page_sizes(path)
            count = sum(size == sizes[0] for size in sizes)
            self._aside = len(sizes) - count
        self.info = SourceInfo(
            name=path.name,
            size=image.size,
            time_base=Fraction(1, 1000) if self._has_times else 1 / rate,
            average_rate=None if self._has_times else rate,
            frame_count=count,
            duration_seconds=None if self._has_times else count / rate,
            start_seconds=span.start,
            end_seconds=span.end,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open."""

    @property
    def notes(self) -> SourceNotes:
        """What was noticed."""
        aside = (f"{self._aside} pages of another size were left aside",) if self._aside else ()
        return SourceNotes(frames=self._frames, other=aside)

    def tracks(self) -> None:
        """An image has no sound."""

    def stop(self) -> None:
        """End with the next picture."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        time, start, end = Fraction(0), self.info.start_seconds or 0, self.info.end_seconds
        for image, own in pages(self._path):
            if image.shape[:2] != self.info.size:
                continue
            if self._stopped or (end is not None and time >= end):
                break
            shown = own if self._has_times else 1 / self._rate
            if time >= start:
                index, self._frames = self._frames, self._frames + 1
                yield Frame(index=index, image=image, pts_seconds=time, duration_seconds=shown)
            time += shown
        if not self._frames:
            raise VideoDecodeError(f"{self._path}: no picture {Span(self.info.start_seconds, end)}")
