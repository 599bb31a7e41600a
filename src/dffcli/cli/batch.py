"""Every video of a folder or glob in turn: one bad file does not stop the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import typer
from rich.table import Table

from dffcli.cli.terminal import complain, plain, plain_console
from dffcli.errors import DFFError, InputError
from dffcli.formats.registry import FORMATS
from dffcli.run.journal import journal_path
from dffcli.run.report import RunReport

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".flv")


@dataclass(frozen=True, slots=True)
class Done:
    """How one video of a batch ended: with a report, with an error, or with neither: it had been done before."""

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
    stems = Counter(video.stem.casefold() for video in videos)  # some systems do not tell `A.mp4` from `a.mp4`
    names = [video.stem if stems[video.stem.casefold()] == 1 else video.name for video in videos]
    if not output:
        return [f"{name.lstrip('-')}.dff.mp4" for name in names]
    if len(output) != 1 or Path(output[0]).suffix:
        raise typer.BadParameter(f"several videos: expected one folder for -o, got {' '.join(output)}")
    suffixes = FORMATS[format or "video"].suffixes if format in (None, *FORMATS) else ()
    return [f"{Path(output[0]) / name}{suffixes[0] if suffixes else '/'}" for name in names]


def run_batch(
    videos: list[Path],
    outputs: list[str],
    run_one: Callable[[Path, str], RunReport],
    *,
    quiet: bool,
    resume: bool = False,
) -> None:
    """Annotate one video after the other, then tell how each ended.

    Args:
        videos: what to read.
        outputs: where each goes.
        run_one: annotates one.
        quiet: only tell what failed.
        resume: leave alone what an interrupted batch has finished.

    Raises:
        InputError: some failed; the others are done.
    """
    console = plain_console(stderr=True, soft_wrap=True)
    done: list[Done] = []
    for video, output in zip(videos, outputs, strict=True):
        if resume and is_finished(output):
            if not quiet:
                console.print(f"{plain(video.name)}: done before, {plain(output)} is there")
            done.append(Done(video, None, None))
            continue
        try:
            report = run_one(video, output)
        except DFFError as error:
            complain("; ".join([str(error), *getattr(error, "__notes__", [])]))
            done.append(Done(video, None, str(error)))
        else:
            if report.broke is not None:
                complain(report.broke)
            done.append(Done(video, report, report.broke))
    if not quiet:
        _print_summary(done)
    failed = sum(entry.error is not None for entry in done)
    if failed:
        names = ", ".join(entry.video.name for entry in done if entry.error is not None)
        raise InputError(f"{failed} of {len(done)} videos failed: {names}; the others are done")


def is_finished(output: str) -> bool:
    """Whether an interrupted batch had finished this output: it is there, and no journal says that its run goes on."""
    place = Path(output)
    is_there = any(place.iterdir()) if place.is_dir() else place.exists()
    return is_there and not journal_path(output).exists()


def _print_summary(done: list[Done]) -> None:
    table = Table("video", "frames", "key frames", "fps", "network speed-up", "ended")
    for entry in done:
        if entry.report is None:
            table.add_row(plain(entry.video.name), "", "", "", "", "failed" if entry.error else "done before")
            continue
        report = entry.report
        table.add_row(
            plain(entry.video.name),
            str(report.frames),
            f"{report.key_frames / report.frames:.0%}",
            f"{report.fps:.1f}",
            f"{report.network_speed_up:.1f}x",
            "well" if entry.error is None else "broke in the middle",
        )
    plain_console().print(table)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Numbers in a name compare as numbers."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
