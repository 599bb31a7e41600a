"""`dff convert`: annotations from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dffcli.cli import options as o

Given = Annotated[str, typer.Argument(metavar="IN", help="A .json, .xml or .txt file, or a folder of masks or labels.")]
Wanted = Annotated[str, typer.Argument(metavar="OUT", help="What to write; its name says the format, as with -o.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="NAME", help="Format of IN, where its name and content do not say.")
]
Size = Annotated[
    str | None, typer.Option(metavar="WxH", help="Size of the picture in pixels, for files that do not say it.")
]
Rate = Annotated[
    str | None, typer.Option(metavar="FPS", help="Frames per second, like 25 or 30000/1001, where the file is silent.")
]
Corrections = Annotated[
    Path | None, typer.Option(metavar="FILE.json", help="What was put right in IN with `dff review`, to be applied.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Annotate")
    def convert(
        source: Given,
        target: Wanted,
        format: o.Format = None,
        source_format: From = None,
        size: Size = None,
        rate: Rate = None,
        mask_ids: o.MaskIdsOption = o.MaskIdsName.CLASSES,
        corrections: Corrections = None,
        overwrite: o.Overwrite = False,
        quiet: o.Quiet = False,
    ) -> None:
        """Turn annotations into another format: COCO, CocoVID, CVAT, MOT, YOLO, Label Studio, YouTube-VIS, masks.

        [bold]dff convert boxes.json boxes.xml[/bold]    [bold]dff convert boxes.xml labels/ --format yolo[/bold]
        """
        from dffcli.formats.convert import convert as run
        from dffcli.formats.reading import Given as Known
        from dffcli.formats.sink import OutputOptions

        known = Known(None if size is None else parse_size(size), None if rate is None else o.parse_rate(rate))
        options = OutputOptions(format=format, overwrite=overwrite, mask_ids=mask_ids.value)
        read, written, frames = run(
            source, target, given=known, options=options, source_format=source_format, corrections=corrections
        )
        if not quiet:
            typer.echo(f"{frames} frames: {read} -> {written}, {target}")


def parse_size(text: str) -> tuple[int, int]:
    """`(height, width)` from `1280x720`."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) < 1_000_000 and 0 < int(height) < 1_000_000):
        raise typer.BadParameter(f"expected a size like 1280x720, got {text!r}")
    return int(height), int(width)
