"""A result opened for review: its columns, its findings, its video, and where corrections are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from dffcli.core.types import KeyReason
from dffcli.errors import DataError
from dffcli.formats.convert import one_sequence
from dffcli.formats.corrections import Corrections, digest_of, read_corrections
from dffcli.formats.reading import Reading
from dffcli.review.columns import Columns, gather, pack
from dffcli.review.findings import Finding, findings

SUFFIX = ".corrections.json"
PLAYABLE = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm", ".mkv": "video/webm"}
"""What browsers may play, if they know the codec; all else is shown as pictures that the server decodes."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One result.

    Attributes:
        path: the result.
        columns: what it holds.
        video: the source it was made from, if it is here.
        clock_zero_seconds: what a browser's clock shows as 0: where the video file's own clock begins.
        corrections_path: where corrections are kept.
        corrections: those made so far.
        findings: what is worth a look.
    """

    path: Path
    columns: Columns
    video: Path | None
    clock_zero_seconds: Fraction
    corrections_path: Path
    corrections: Corrections
    findings: tuple[Finding, ...] = ()

    def header(self, *, media: dict[str, Any] | None) -> dict[str, Any]:
        """What the page is told beside the arrays.

        Args:
            media: where the picture comes from: `{"kind": "video" | "frames", "url": ...}`; None where it does not.
        """
        sequence = self.columns.sequence
        run = sequence.run
        return {
            "result": self.path.name,
            "video": sequence.info.name,
            "task": str(sequence.task),
            "size": list(self.columns.size),
            "rate": float(sequence.rate),
            "categories": [{"id": c.id, "name": c.name, "color": list(c.color)} for c in sequence.categories],
            "reasons": [sentence_of(reason) for reason in self.columns.reasons],
            "run": None if run is None else {"model": run.model, "weights": run.weights, "settings": run.settings},
            "findings": [asdict(finding) for finding in self.findings],
            "media": media,
            "corrections": self.corrections.to_json(),
        }

    def packed(self, *, media: dict[str, Any] | None) -> bytes:
        """All the page reads, in one block."""
        columns = self.columns
        arrays = {**columns.frames, **columns.objects, "runs": columns.runs}
        return pack(self.header(media=media), arrays)


def sentence_of(reason: str) -> str:
    """Why a frame is a key frame, for people; another tool's word as it is."""
    try:
        return KeyReason(reason).sentence
    except ValueError:
        return reason


def open_result(path: Path, *, video: Path | None = None, corrections: Path | None = None) -> Reviewed:
    """Read a result for review.

    Args:
        path: annotations in any format dff reads.
        video: the source; looked for beside the result if absent.
        corrections: where corrections are kept; beside the result if absent.

    Raises:
        DataError: the result cannot be read, or the corrections are another result's.
        VideoOpenError: the video cannot be read.
    """
    _, sequence, records = one_sequence(Reading(path))
    columns = gather(sequence, records)
    if not len(columns):
        raise DataError(f"{path}: expected frames to look at, found none")
    place = corrections or path.with_name(path.name.rstrip("/") + SUFFIX)
    digest = digest_of(path)
    made = Corrections(path.name, digest)
    if place.exists():
        made = read_corrections(place, of=path)
    found = video or _beside(path, sequence.info.name)
    zero = Fraction(0) if found is None or found.is_dir() else clock_zero(found)
    return Reviewed(path, columns, found, zero, place, made, tuple(findings(columns)))


def clock_zero(video: Path) -> Fraction:
    """Where a file's clock begins, in seconds; browsers count from there."""
    import av

    try:
        with av.open(str(video), options={"protocol_whitelist": "file"}) as container:
            start = container.start_time
    except (OSError, ValueError):  # the reader says what is wrong with it
        return Fraction(0)
    return Fraction(0) if start is None else Fraction(start, av.time_base)


def _beside(path: Path, name: str) -> Path | None:
    """The source where a user would have left it: by its name beside the result or in the current folder."""
    plain = Path(name).name
    if not plain:
        return None
    return next((place for place in (path.parent / plain, Path(plain)) if place.exists()), None)
