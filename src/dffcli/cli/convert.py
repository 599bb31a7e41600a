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
from dffcli.run.read import rate, size


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be converted, and what its file may not say.

    Attributes:
        source: a file or a folder.
        target: what to write.
        source_format: the source's format.
        size: `(height, width)` of the picture.
        rate: frames per second.
        corrections: what was put right in the source.
        quiet: say nothing.
    """

    source: str = option(
        help="A .json, .xml or .txt file, or a folder of masks or labels.", metavar="IN", is_argument=True
    )
    target: str = option(help="What to write; its name says the format, as with -o.", metavar="OUT", is_argument=True)
    source_format: str | None = option(
        None, help="Format of IN, where its name and content do not say.", flags=("--from",), metavar="NAME"
    )
    size: tuple[int, int] | None = option(
        None, help="Size of the picture in pixels, for files that do not say it.", metavar="WIDTHxHEIGHT", read=size
    )
    rate: Fraction | None = option(
        None, help="Frames per second, like 25 or 30000/1001, where the file is silent.", metavar="FPS", read=rate
    )
    corrections: Path | None = option(
        None, help="What was put right in IN with `dff review`, to be applied.", metavar="FILE.json", read=Path
    )
    quiet: bool = option(False, QUIET)


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, convert, panel="Annotate", task=Task.SEGMENT)


def convert(conversion: Conversion, options: OutputOptions) -> None:
    """Turn annotations into another format: COCO, CocoVID, CVAT, MOT, YOLO, Label Studio, YouTube-VIS, masks.

    [bold]dff convert boxes.json boxes.xml[/bold]    [bold]dff convert boxes.xml labels/ --format yolo[/bold]
    """
    from dffcli.formats.convert import convert as run
    from dffcli.formats.reading import Given

    given = Given(conversion.size, conversion.rate)
    read, written, frames = run(
        conversion.source,
        conversion.target,
        given=given,
        options=options,
        source_format=conversion.source_format,
        corrections=conversion.corrections,
    )
    if not conversion.quiet:
        say(f"{frames} frames: {read} -> {written}, {conversion.target}")
