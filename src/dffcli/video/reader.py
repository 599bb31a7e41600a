"""From what the user names to a source of frames."""

from __future__ import annotations

import glob
import re
import stat
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from dffcli.errors import VideoOpenError
from dffcli.video.camera import Camera
from dffcli.video.clock import DEFAULT_RATE
from dffcli.video.container import error_reason
from dffcli.video.images import ImageSequence, PagedImage, images_of, natural_key
from dffcli.video.live import STANDARD_INPUT
from dffcli.video.source import MAX_PIXELS, Source, Span
from dffcli.video.stills import IMAGE_SUFFIXES, about
from dffcli.video.video_file import VideoFile

PRINTF_NUMBER = re.compile(r"%0?\d*d")
MOVING_FORMATS = frozenset(("PNG", "AVIF"))  # of images in motion, which libav reads with their exact times
ADDRESS = re.compile(r"(rtsps?|https?|rtmps?|srt|udp|rtp|tcp)://", re.IGNORECASE)


def open_source(
    spec: str,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    stream: int | None = None,
    motion_vectors: bool = False,
    max_pixels: int = MAX_PIXELS,
    image_rate: Fraction = DEFAULT_RATE,
) -> Source:
    """Open what `spec` names: a video file, an image, a folder or glob of images, a camera's number or an address.

    A bare `-` is standard input.

    What exists on disk under that very name comes first, so that a file called `0` or `a*.mp4` can be read.

    Args:
        spec: what to read.
        start: seconds from the source's beginning at which to start.
        end: seconds from the source's beginning before which to stop.
        stream: number of the video stream, in a file of several; the one that is meant if None.
        motion_vectors: export the codec's motion vectors, where it has them.
        max_pixels: refuse larger pictures.
        image_rate: frames per second that images are given.

    Returns:
        A source, to be used as a context manager and iterated once.

    Raises:
        VideoOpenError: it cannot be opened or holds no picture.
        InputError: its pictures are too large, or `start` and `end` make no sense.
    """
    span = Span(start, end)
    if spec == STANDARD_INPUT:
        return VideoFile(spec, span=span, stream=stream, motion_vectors=motion_vectors, max_pixels=max_pixels)
    if ADDRESS.match(spec):
        return VideoFile(spec, stream=stream, motion_vectors=motion_vectors, max_pixels=max_pixels)
    path = Path(spec)
    if PRINTF_NUMBER.search(path.name) and not path.exists():
        pattern = path.with_name(PRINTF_NUMBER.sub("*", path.name))
        raise VideoOpenError(f"{spec}: no such file; for numbered images write a pattern in quotes: '{pattern}'")
    try:
        exists = "\0" not in spec and path.exists()
    except OSError as error:
        raise VideoOpenError(f"{spec}: {error_reason(error)}") from error
    if not exists and spec.isdecimal():
        return Camera(int(spec))
    if path.is_dir():
        return ImageSequence(
            images_of(path), name=path.resolve().name, path=path, rate=image_rate, span=span, max_pixels=max_pixels
        )
    if not exists and glob.has_magic(spec):
        return ImageSequence(_matches(spec), name=spec, rate=image_rate, span=span, max_pixels=max_pixels)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.suffix.lower() != ".gif":
        image = about(path)
        if image.pages == 1:
            return ImageSequence([path], name=path.name, rate=image_rate, span=span, max_pixels=max_pixels)
        if image.format not in MOVING_FORMATS:
            return PagedImage(path, rate=image_rate, span=span, max_pixels=max_pixels)
    return VideoFile(path, span=span, stream=stream, motion_vectors=motion_vectors, max_pixels=max_pixels)


def may_stall(spec: str) -> bool:
    """Whether `spec` names something that can be waited for in vain: a stream, a camera, a pipe."""
    if spec == STANDARD_INPUT:
        return True
    with suppress(OSError, ValueError):
        mode = Path(spec).stat().st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
    return ADDRESS.match(spec) is not None or (spec.isdecimal() and not Path(spec).exists())


def files_read(spec: str) -> list[Path]:
    """The files that `open_source` would read of what `spec` names, and so must not be written to; none of a stream."""
    path = Path(spec)
    try:
        if spec == STANDARD_INPUT or ADDRESS.match(spec) or "\0" in spec:
            return []
        if path.is_dir():
            return images_of(path)
        if path.exists():
            return [path] if path.is_file() else []  # a pipe can be read only once
        return _matches(spec) if glob.has_magic(spec) else [path]
    except (OSError, VideoOpenError):
        return []  # it cannot be opened either


def _matches(pattern: str) -> list[Path]:
    paths = [Path(name) for name in glob.glob(pattern, recursive=True)]
    images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    if not images:
        found = f"{len(paths)} files match, but none is an image" if paths else "nothing matches"
        raise VideoOpenError(f"{pattern}: {found}")
    return sorted(images, key=lambda path: natural_key(str(path)))
