"""Copy what a file says about itself: title, place, time, chapters, time code."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from av.container import InputContainer

if TYPE_CHECKING:
    from av.container.core import Chapter

OWN = frozenset(
    ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "vendor_id", "number_of_frames")
)
"""What a muxer writes of its own accord, or what is no longer true."""

COMMON = frozenset(
    (
        *("title", "artist", "album_artist", "album", "comment", "genre", "date", "year", "copyright", "description"),
        *("synopsis", "show", "episode_id", "network", "composer", "lyrics", "creation_time", "timecode", "location"),
        *("track", "disc", "language", "handler_name"),
    )
)
"""What mp4 has a place for without its free form of labels."""

MAX_LABEL = 65_536  # characters; longer ones are no labels
MILLISECOND = Fraction(1, 1000)


def labels_of(container: InputContainer, picture: Any) -> tuple[dict[str, str], list[str]]:
    """The labels of a file that are worth keeping, and a line about those that are not."""
    kept, long = {}, []
    for name, value in container.metadata.items():
        if name.lower() in OWN or name.lower().startswith("_statistics"):
            continue
        if len(value) > MAX_LABEL:
            long.append(name)
        else:
            kept[name.lower() if name.lower() in COMMON else name] = value
    tracks = [picture, *(stream for stream in container.streams if stream.type == "data")]
    for stream in tracks:
        for name, value in stream.metadata.items():
            if name.lower() == "timecode":
                kept.setdefault("timecode", value)
    said = [f"labels of more than {MAX_LABEL} characters were left out: {', '.join(long)}"] if long else []
    return kept, said


def chapters_of(container: InputContainer, *, shift: Fraction, end: Fraction | None) -> list[Chapter]:
    """The chapters, on the clock of what is written.

    Args:
        container: the source.
        shift: taken from every time, in seconds.
        end: where the part that is written ends, on the source's clock.
    """
    kept: list[Chapter] = []
    for chapter in container.chapters():
        tick = Fraction(chapter["time_base"] or MILLISECOND)
        start, stop = chapter["start"] * tick, chapter["end"] * tick
        stop = stop if end is None else min(stop, end)
        start, stop = max(start - shift, Fraction(0)), stop - shift
        if stop > start:
            kept.append(
                {
                    "id": chapter["id"],
                    "start": round(start / MILLISECOND),
                    "end": round(stop / MILLISECOND),
                    "time_base": MILLISECOND,
                    "metadata": dict(chapter["metadata"]),
                }
            )
    return kept


def lost_labels(wanted: dict[str, str], written: InputContainer) -> list[str]:
    """The names of labels that a written file does not have."""
    found = {name.lower() for name in written.metadata}
    for stream in written.streams:
        found |= {name.lower() for name in stream.metadata}
    return [name for name in wanted if name.lower() not in found and name.lower().split("-")[0] not in found]


def needs_free_labels(labels: dict[str, str]) -> bool:
    """mp4 has to write them in its free form, which says every name."""
    return any(name.lower().split("-")[0] not in COMMON for name in labels)
