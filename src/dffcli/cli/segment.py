"""`dff segment`: a class for every pixel of every frame."""

from __future__ import annotations

import typer

from dffcli.cli import options as o
from dffcli.core.types import Task


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Annotate")
    def segment(
        source: o.Source,
        output: o.Outputs = None,
        model: o.Model = None,
        weights: o.WeightsOption = "default",
        device: o.Device = "auto",
        runtime: o.Runtime = "torch",
        classes: o.Classes = None,
        start: o.Start = None,
        end: o.End = None,
        max_pixels: o.MaxPixels = o.MAX_PIXELS,
        key_interval: o.KeyInterval = None,
        schedule: o.Schedule = None,
        max_interval: o.MaxInterval = None,
        causal: o.Causal = False,
        flow: o.Flow = None,
        format: o.Format = None,
        mask_ids: o.MaskIdsOption = o.MaskIdsName.CLASSES,
        palette: o.Palette = o.PaletteName.OWN,
        opacity: o.Opacity = 0.5,
        crf: o.Crf = 20,
        overwrite: o.Overwrite = False,
        resume: o.Resume = False,
        report: o.Report = None,
        show: o.Show = False,
        quiet: o.Quiet = False,
    ) -> None:
        """Give every pixel of every frame a class: street scenes out of the box, other models by name.

        [bold]dff segment street.mp4 -o out.mp4 -o masks/[/bold]
        """
        from dffcli.cli.annotate import run

        run(Task.SEGMENT, **{name: value for name, value in locals().items() if name != "run"})
