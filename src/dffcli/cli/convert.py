"""`dff convert`: annotations from one format to another."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import typer

from dffcli.cli.declare import declare
from dffcli.cli.screen import QUIET
from dffcli.cli.terminal import say
from dffcli.core.task import Task
from dffcli.formats.sink import OutputOptions
from dffcli.option import option
from dffcli.run.read import names, rate, size

READ, KEEP, WRITE = "What is read", "What is kept", "What is written"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be converted, and what its file may not say.

    Attributes:
        source: a file or a folder.
        target: what to write.
        source_format: the source's format.
        size: `(height, width)` of the picture.
        rate: frames per second.
        video: which of several videos.
        budget: how many times as much is read as otherwise.
        corrections: what was put right in the source.
        classes: names of the classes to keep.
        score_threshold: objects with a lower score are left out.
        min_track: tracks seen on fewer frames are left out.
        strict: any loss is an error.
        report: where the account is written as JSON.
        quiet: say nothing.
    """

    source: str = option(
        help="A .json, .xml or .txt file, or a folder of masks or labels.", metavar="IN", is_argument=True
    )
    target: str = option(help="What to write; its name says the format, as with -o.", metavar="OUT", is_argument=True)
    source_format: str | None = option(
        None,
        help="Format of IN, where its name and content do not say.",
        flags=("--from",),
        metavar="NAME",
        panel=READ,
    )
    size: tuple[int, int] | None = option(
        None,
        help="Size of the picture in pixels, for files that do not say it.",
        metavar="WIDTHxHEIGHT",
        panel=READ,
        read=size,
    )
    rate: Fraction | None = option(
        None,
        help="Frames per second, like 25 or 30000/1001, where the file is silent.",
        metavar="FPS",
        panel=READ,
        read=rate,
    )
    video: str | None = option(None, help="Which video of a file that holds several.", metavar="NAME", panel=READ)
    budget: float = option(
        1.0,
        help="Take N times as much upon itself: bytes, frames, objects, files, seconds (see docs/formats.md).",
        metavar="N",
        panel=READ,
        low=0.001,
        high=1000,
    )
    corrections: Path | None = option(
        None,
        help="What was put right in IN with `dff review`, to be applied.",
        metavar="FILE.json",
        panel=READ,
        read=Path,
    )
    classes: tuple[str, ...] = option((), help="Only these classes, by name.", metavar="A,B", panel=KEEP, read=names)
    score_threshold: float = option(0.0, help="Leave out objects with a lower score.", panel=KEEP, low=0, high=1)
    min_track: int = option(1, help="Leave out tracks seen on fewer than N frames.", metavar="N", panel=KEEP, low=1)
    strict: bool = option(False, help="Write nothing if anything is lost.", panel=WRITE)
    report: Path | None = option(
        None,
        help="Write what was read, written and lost, in full.",
        metavar="FILE.json",
        panel=WRITE,
        read=Path,
        is_written=True,
    )
    quiet: bool = option(False, QUIET)


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, convert, panel="Annotate", task=Task.SEGMENT)


def convert(conversion: Conversion, options: OutputOptions) -> None:
    """Turn annotations into another format: COCO, CocoVID, CVAT, MOT, YOLO, Label Studio, YouTube-VIS, masks.

    It ends with what was read and written of every class and kind, and a line for each kind of loss.

    [bold]dff convert boxes.json boxes.xml[/bold]    [bold]dff convert boxes.xml labels/ --format yolo[/bold]
    """
    from dffcli.formats.convert import ConvertOptions, LossError
    from dffcli.formats.convert import convert as run
    from dffcli.formats.filters import Filters
    from dffcli.formats.reading import Budget, Given

    try:
        done = run(
            conversion.source,
            conversion.target,
            ConvertOptions(
                given=Given(conversion.size, conversion.rate, conversion.video),
                source_format=conversion.source_format,
                corrections=conversion.corrections,
                filters=Filters(conversion.classes, conversion.score_threshold),
                is_strict=conversion.strict,
                budget=Budget().times(conversion.budget),
                report=conversion.report,
                min_track=conversion.min_track,
                output=options,
            ),
        )
    except LossError as error:
        if not conversion.quiet:
            for line in error.account.lines():
                say(line)
        raise
    if not conversion.quiet:
        video = f" ({done.video})" if done.video else ""
        frames = done.account.written.frames
        say(f"{frames} frames: {done.read_format}{video} -> {done.written_format}, {conversion.target}")
        for line in done.account.lines():
            say(line)
