"""`dff review`: a page that shows what happened on every frame."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Result = Annotated[Path, typer.Argument(metavar="RESULT", help="Annotations: .json, .xml, .txt or a folder of labels.")]
Video = Annotated[
    Path | None, typer.Argument(metavar="[VIDEO]", help="The source; looked for beside RESULT if it is left out.")
]
Page = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="PAGE.html", help="Write the page as one file instead of serving it."),
]
CorrectionsFile = Annotated[
    Path | None,
    typer.Option("--corrections", metavar="FILE.json", help="Where corrections are kept. (default: beside RESULT)"),
]
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Port on 127.0.0.1; 0 takes a free one.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Say the address, open nothing.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace PAGE.html if it exists.")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Annotate")
    def review(
        result: Result,
        video: Video = None,
        page: Page = None,
        corrections: CorrectionsFile = None,
        port: Port = 0,
        no_browser: NoBrowser = False,
        overwrite: Overwrite = False,
    ) -> None:
        """Look at a result frame by frame in the browser, and put it right track by track.

        [bold]dff review boxes.json street.mp4[/bold]    [bold]dff review boxes.json street.mp4 -o page.html[/bold]
        """
        from dffcli.review.result import open_result

        opened = open_result(result, video=video, corrections=corrections)
        if page is not None:
            from dffcli.review.bundle import write_page

            for line in write_page(page, opened, overwrite=overwrite):
                typer.echo(line)
            return
        from dffcli.review.server import ReviewServer, serve

        def ready(address: str) -> None:
            typer.echo(f"{result.name}: {address}  (Ctrl-C ends)")
            if not no_browser:
                import webbrowser

                webbrowser.open(address)

        serve(ReviewServer(opened), port=port, ready=ready)
