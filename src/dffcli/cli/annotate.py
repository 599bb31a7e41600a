"""What `dff detect` and `dff segment` share: a run, shown as it goes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import typer

from dffcli.categories import recolored
from dffcli.cli.batch import find_videos, outputs_for, run_batch
from dffcli.cli.console import Console, print_report
from dffcli.cli.screen import Screen
from dffcli.cli.signals import ending_gently
from dffcli.cli.window import Window
from dffcli.errors import VideoDecodeError
from dffcli.models.weights.downloads import reporting
from dffcli.run.config import RunConfig
from dffcli.run.plan import plan
from dffcli.run.report import RunReport
from dffcli.run.runner import started
from dffcli.run.standard import STANDARD_OUTPUT


def run(config: RunConfig, screen: Screen) -> None:
    """Annotate, show progress and the summary, write the report.

    Raises:
        DFFError: anything the user can act on.
    """
    videos = find_videos(config.source)
    if videos:
        _run_all(videos, config, screen)
        return
    config = replace(config, outputs=config.outputs or (default_output(config.source),))
    report = _annotate(config, screen)
    if not screen.quiet:
        print_report(report, outputs=config.outputs, stderr=STANDARD_OUTPUT in config.outputs)
    if report.broke is not None:
        raise VideoDecodeError(f"{report.broke}; the {report.frames} frames before are written")


def _annotate(config: RunConfig, screen: Screen) -> RunReport:
    planned = plan(config)
    with ExitStack() as stack:
        window = stack.enter_context(Window(opacity=config.output.opacity)) if screen.show else None
        console = stack.enter_context(Console(quiet=screen.quiet))
        stack.enter_context(reporting(console.download))
        run = stack.enter_context(started(planned))
        if run.source.info.may_stall:
            stack.enter_context(ending_gently(run.end))
        console.start(run.source.info, run.parts.built)
        console.note(run.known_notes)
        if window is not None:
            window.start(run.source.info, recolored(run.parts.built.model.categories, config.output.palette))
        for result in run:
            console.advance(result, run.progress)
            if window is not None:
                window.show(result)
                if run.source.info.is_live and not window.is_open:
                    run.end()
    return run.report


def _run_all(videos: list[Path], config: RunConfig, screen: Screen) -> None:
    if config.report is not None:
        raise typer.BadParameter("--report is for one video; its figures are in the summary of several")

    def run_one(video: Path, output: str) -> RunReport:
        return _annotate(replace(config, source=str(video), outputs=(output,)), screen)

    outputs = outputs_for(videos, config.outputs, format=config.output.format)
    run_batch(videos, outputs, run_one, quiet=screen.quiet, resume=config.resume)


def default_output(source: str) -> str:
    """`clip.dff.mp4` in the current folder for `somewhere/clip.mp4`."""
    name = Path(source.rstrip("/").rsplit("/", 1)[-1] or "input")
    stem = name.stem if name.suffix else name.name
    cleaned = "".join(character if character not in '*?[]:"<>|' else "_" for character in stem)
    return f"{cleaned.lstrip('-') or 'input'}.dff.mp4"
