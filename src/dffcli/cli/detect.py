"""`dff detect`: boxes (and instance masks) on every frame."""

from __future__ import annotations

from typing import Annotated

import typer

from dffcli.cli import options as o
from dffcli.core.types import Task

ScoreThreshold = Annotated[
    float, typer.Option(min=0.0, max=1.0, rich_help_panel=o.WHAT, help="Drop boxes with a lower score.")
]
Track = Annotated[
    bool, typer.Option("--track", rich_help_panel=o.WHAT, help="Give each object one id through the video.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Annotate")
    def detect(
        source: o.Source,
        output: o.Outputs = None,
        model: o.Model = None,
        weights: o.WeightsOption = "default",
        device: o.Device = "auto",
        runtime: o.Runtime = "torch",
        score_threshold: ScoreThreshold = 0.5,
        classes: o.Classes = None,
        track: Track = False,
        start: o.Start = None,
        end: o.End = None,
        max_pixels: o.MaxPixels = o.MAX_PIXELS,
        key_interval: o.KeyInterval = None,
        schedule: o.Schedule = None,
        max_interval: o.MaxInterval = None,
        causal: o.Causal = False,
        flow: o.Flow = None,
        format: o.Format = None,
        opacity: o.Opacity = 0.5,
        crf: o.Crf = 20,
        overwrite: o.Overwrite = False,
        resume: o.Resume = False,
        report: o.Report = None,
        show: o.Show = False,
        quiet: o.Quiet = False,
    ) -> None:
        """Find the objects on every frame.

        [bold]dff detect street.mp4 -o out.mp4 -o boxes.json --classes car,person[/bold]
        """
        from dffcli.cli.annotate import run

        run(Task.DETECT, **{name: value for name, value in locals().items() if name != "run"})
