"""What may go to standard output."""

from __future__ import annotations

from dffcli.errors import OutputError

STANDARD_OUTPUT = "-"
LINES, VIDEOS = "jsonl", ("mkv", "mp4")


def standard_format(format: str | None) -> str:
    """What goes to standard output: JSON lines, unless a kind of video was asked for.

    Raises:
        OutputError: something else was asked for.
    """
    if format not in (None, LINES, *VIDEOS):
        raise OutputError(f"standard output: expected --format {LINES}, {' or '.join(VIDEOS)}, got {format!r}")
    return format or LINES
