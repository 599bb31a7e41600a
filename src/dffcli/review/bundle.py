"""The page as one file that opens from disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dffcli.files.atomic import atomic_path, writing
from dffcli.files.check import check_outputs
from dffcli.review.page_files import one_file
from dffcli.review.result import PLAYABLE, Reviewed

MOST_EMBEDDED = 24_000_000  # bytes of a video; a larger one stays beside the page


def write_page(path: Path, reviewed: Reviewed, *, overwrite: bool = False) -> tuple[str, ...]:
    """Write a result's page.

    Args:
        path: of the page.
        reviewed: the result.
        overwrite: replace a page that exists.

    Returns:
        What a user should know of it, in lines.

    Raises:
        OutputError: it exists, is the result, or cannot be written.
    """
    check_outputs([path], inputs=[reviewed.path, reviewed.video, reviewed.corrections_path], overwrite=overwrite)
    video, media, note = None, None, "without a video: none was given or found"
    if reviewed.video is not None:
        kind = PLAYABLE.get(reviewed.video.suffix.lower())
        media, video, note = _media_of(reviewed, kind, path.parent)
    with atomic_path(path, overwrite=overwrite) as part, writing(path):
        part.write_text(one_file(reviewed.packed(media=media), video=video), encoding="utf-8")
    return (f"{path}: {note}",)


def _media_of(
    reviewed: Reviewed, kind: str | None, folder: Path
) -> tuple[dict[str, Any] | None, tuple[str, bytes] | None, str]:
    """How the page finds its video: what it is told, what is embedded, and what a user is told."""
    video = reviewed.video
    if video is None or kind is None or not video.is_file():
        return None, None, "without the video, which browsers do not play; `dff review` without -o shows it"
    zero = float(reviewed.clock_zero_seconds)
    if video.stat().st_size <= MOST_EMBEDDED:
        return {"video": "", "zero": zero}, (kind, video.read_bytes()), "the video is in it"
    beside = Path(os.path.relpath(str(video), str(folder))).as_posix()
    return {"video": beside, "zero": zero}, None, f"the video stays where it is: {beside}"
