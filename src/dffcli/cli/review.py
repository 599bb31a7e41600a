"""`dff review`: a page that shows what happened on every frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import typer

from dffcli.cli.declare import declare
from dffcli.option import option


@dataclass(frozen=True, slots=True)
class Review:
    """What is looked at, and how.

    Attributes:
        result: annotations.
        video: the source they were made from.
        page: write the page as one file instead of serving it.
        corrections: where corrections are kept.
        port: on 127.0.0.1.
        is_browser_opened: show the page at once.
        overwrite: replace a page that exists.
    """

    result: Path = option(
        help="Annotations: .json, .xml, .txt or a folder of labels.", metavar="RESULT", is_argument=True
    )
    video: Path | None = option(
        None, help="The source; looked for beside RESULT if it is left out.", metavar="VIDEO", is_argument=True
    )
    page: Path | None = option(
        None,
        help="Write the page as one file instead of serving it.",
        flags=("--output", "-o"),
        metavar="PAGE.html",
        is_written=True,
    )
    corrections: Path | None = option(
        None, help="Where corrections are kept. (default: beside RESULT)", metavar="FILE.json", is_written=True
    )
    port: int = option(0, help="Port on 127.0.0.1; 0 takes a free one.", low=0, high=65535, metavar="N")
    is_browser_opened: bool = option(
        True, help="Say the address, open nothing.", flags=("--no-browser",), is_off_switch=True
    )
    overwrite: bool = option(False, help="Replace PAGE.html if it exists.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, review, panel="Annotate")


def review(asked: Review) -> None:
    """Look at a result frame by frame in the browser, and put it right track by track.

    [bold]dff review boxes.json street.mp4[/bold]    [bold]dff review boxes.json street.mp4 -o page.html[/bold]
    """
    from dffcli.cli.terminal import plain
    from dffcli.review.result import open_result

    opened = open_result(asked.result, video=asked.video, corrections=asked.corrections)
    if asked.page is not None:
        from dffcli.review.bundle import write_page

        for line in write_page(asked.page, opened, overwrite=asked.overwrite):
            typer.echo(plain(line))
        return
    from dffcli.review.server import ReviewServer, leading_file, serve

    with ExitStack() as stack:

        def ready(address: str) -> None:
            typer.echo(f"{plain(asked.result.name)}: {address}  (Ctrl-C ends)")
            if asked.is_browser_opened:
                import webbrowser

                webbrowser.open(stack.enter_context(leading_file(address)).as_uri())

        serve(ReviewServer(opened), port=asked.port, ready=ready)
