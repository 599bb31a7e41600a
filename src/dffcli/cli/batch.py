"""Every video of a folder or glob in turn: one bad file does not stop the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import rich.console
import typer
from rich.table import Table

from dffcli.errors import DFFError, InputError
from dffcli.formats.registry import FORMATS
from dffcli.run.report import RunReport

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".flv")


@dataclass(frozen=True, slots=True)
class Done:
    """How one video of a batch ended: with a report or with an error."""

    video: Path
    report: RunReport | None
    error: str | None


def find_videos(source: str) -> list[Path]:
    """The videos that a folder or a glob holds, in natural order; none where it names anything else."""
    place = Path(source)
    if place.is_dir():
        found = [path for path in place.iterdir() if path.is_file()]
        if not any(path.suffix.lower() in VIDEO_SUFFIXES for path in found):
            return []
        found = [path for path in found if path.suffix.lower() in VIDEO_SUFFIXES]
    elif not place.exists() and any(character in source for character in "*?["):
        found = [Path(name) for name in glob(source, recursive=True)]
        if not found or any(path.suffix.lower() not in VIDEO_SUFFIXES for path in found):
            return []
    else:
        return []
    return sorted(found, key=_natural)


def outputs_for(videos: list[Path], output: tuple[str, ...], *, format: str | None) -> list[str]:
    """One output for each video, in the folder that was named; a video beside the others without one.

    Raises:
        typer.BadParameter: not one folder was named.
    """
    stems = Counter(video.stem for video in videos)
    names = [video.stem if stems[video.stem] == 1 else video.name for video in videos]
    if not output:
        return [f"{name.lstrip('-')}.dff.mp4" for name in names]
    if len(output) != 1 or Path(output[0]).suffix:
        raise typer.BadParameter(f"several videos: expected one folder for -o, got {' '.join(output)}")
    suffixes = FORMATS[format or "video"].suffixes if format in (None, *FORMATS) else ()
    return [f"{Path(output[0]) / name}{suffixes[0] if suffixes else '/'}" for name in names]


def run_batch(
    videos: list[Path], outputs: list[str], run_one: Callable[[Path, str], RunReport], *, quiet: bool
) -> None:
    """Annotate one video after the other, then tell how each ended.

    Args:
        videos: what to read.
        outputs: where each goes.
        run_one: annotates one.
        quiet: only tell what failed.

    Raises:
        InputError: some failed; the others are done.
    """
    console = rich.console.Console(stderr=True, soft_wrap=True, highlight=False)
    done: list[Done] = []
    for video, output in zip(videos, outputs, strict=True):
        try:
            report = run_one(video, output)
        except DFFError as error:
            console.print(f"error: {error}", style="red", markup=False)
            done.append(Done(video, None, str(error)))
        else:
            if report.broke is not None:
                console.print(f"error: {report.broke}", style="red", markup=False)
            done.append(Done(video, report, report.broke))
    if not quiet:
        _print_summary(done)
    failed = sum(entry.error is not None for entry in done)
    if failed:
        raise InputError(f"{failed} of {len(done)} videos failed; the others are done")


def _print_summary(done: list[Done]) -> None:
    table = Table("video", "frames", "key frames", "fps", "network speed-up", "ended")
    for entry in done:
        if entry.report is None:
            table.add_row(entry.video.name, "", "", "", "", "failed")
            continue
        report = entry.report
        table.add_row(
            entry.video.name,
            str(report.frames),
            f"{report.key_frames / report.frames:.0%}",
            f"{report.fps:.1f}",
            f"{report.network_speed_up:.1f}x",
            "well" if entry.error is None else "broke in the middle",
        )
    rich.console.Console(highlight=False).print(table)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Numbers in a name compare as numbers."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
