"""What every source of frames gives, and what it noticed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, Self

from dffcli.errors import InputError

if TYPE_CHECKING:
    from dffcli.core.types import Frame, SourceInfo
    from dffcli.video.feed import TrackFeed

MAX_PIXELS = 8192 * 8192
"""Pictures above this are refused unless asked for: a small file can claim gigabytes."""


@dataclass(frozen=True, slots=True)
class SourceNotes:
    """What was odd about a source, known once it has been read.

    Attributes:
        frames: delivered.
        corrupt: frames the decoder marked as damaged.
        failed_packets: packets of the stream that could not be decoded at all.
        size_changes: times the stored picture's size changed; what follows is letterboxed to the first size.
        times_made_up: frames without a timestamp, placed by the average rate.
        times_moved: frames whose timestamp did not come after the one before, moved forward.
        interlaced: frames made of two fields.
        is_mirrored: the file says its picture is mirrored, and it was turned back.
        is_hdr: the picture has a high dynamic range and was brought to the range of ordinary screens.
        is_time_reset: the clock jumped back by more than two frames and went on from there.
        other: anything else, in sentences.
    """

    frames: int = 0
    corrupt: int = 0
    failed_packets: int = 0
    size_changes: int = 0
    times_made_up: int = 0
    times_moved: int = 0
    interlaced: int = 0
    is_mirrored: bool = False
    is_hdr: bool = False
    is_time_reset: bool = False
    other: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What a user should know, one sentence each; nothing for a flawless source."""
        of = f"of {self.frames} frames"
        said = [
            (self.corrupt, f"{self.corrupt} {of} were damaged in the file"),
            (self.failed_packets, f"{self.failed_packets} packets of the video could not be decoded"),
            (self.size_changes, f"the picture size changed {self.size_changes} times: letterboxed to the first size"),
            (self.times_made_up, f"{self.times_made_up} {of} had no timestamp: placed by the frame rate"),
            (self.times_moved, f"{self.times_moved} {of} had a time not after the one before: moved forward"),
            (self.is_time_reset, "the clock of the file jumped back in the middle: later times were shifted on"),
            (self.interlaced, f"{self.interlaced} {of} are interlaced"),
            (self.is_hdr, "the video is HDR: its colours were brought to the range of ordinary screens"),
        ]
        return [line for matters, line in said if matters] + list(self.other)


class Source(Protocol):
    """Frames from somewhere: to be used as a context manager and iterated once."""

    def tracks(self) -> TrackFeed | None:
        """The sound, subtitles and labels beside the picture, for one writer; None where there can be none."""

    def stop(self) -> None:
        """End the iteration as if the source had ended, from any thread, also where it waits for a picture."""

    @property
    def info(self) -> SourceInfo:
        """What it says of itself, before its first frame."""

    @property
    def notes(self) -> SourceNotes:
        """What was noticed so far; complete after the iteration."""

    def __iter__(self) -> Iterator[Frame]:
        """The frames in order of presentation, times strictly increasing.

        Raises:
            VideoDecodeError: it broke on the way, after the frames that were good.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a source that is wanted, in seconds from its beginning; None means from or to the very end."""

    start: Fraction | None = None
    end: Fraction | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.start < 0:
            raise InputError(f"expected a start of at least 0 s, got {float(self.start):g} s")
        if self.end is not None and self.end <= (self.start or 0):
            raise InputError(
                f"expected an end after the start ({float(self.start or 0):g} s), got {float(self.end):g} s"
            )

    @property
    def is_whole(self) -> bool:
        """Everything is wanted."""
        return self.start is None and self.end is None

    def __str__(self) -> str:
        start = "the beginning" if self.start is None else f"{float(self.start):g} s"
        return f"between {start} and " + ("the end" if self.end is None else f"{float(self.end):g} s")


def check_pixels(what: str, size: tuple[int, int], *, max_pixels: int) -> None:
    """Refuse pictures of more than `max_pixels`.

    Raises:
        InputError: they are larger.
    """
    h, w = size
    if h * w > max_pixels:
        raise InputError(f"{what}: {w} x {h} pixels, more than --max-pixels {max_pixels} allows")
