"""What `dff detect` and `dff segment` share: from options to a run, shown as it goes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from dffcli.categories import recolored
from dffcli.cli.batch import find_videos, outputs_for, run_batch
from dffcli.cli.console import Console, print_report
from dffcli.cli.options import parse_seconds, parse_weights, split_names
from dffcli.cli.window import Window
from dffcli.core.types import FrameResult, SourceInfo, Task
from dffcli.errors import VideoDecodeError
from dffcli.formats.sink import OutputOptions
from dffcli.models.registry import BuiltModel
from dffcli.models.weights.downloads import reporting
from dffcli.run.config import RunConfig
from dffcli.run.report import RunReport
from dffcli.run.runner import Progress, annotate


def run(task: Task, **options: Any) -> None:
    """Annotate, show progress and the summary, write the report.

    Raises:
        DFFError: as `dffcli.run.runner.annotate`.
    """
    videos = find_videos(options["source"])
    if videos:
        _run_all(task, videos, **options)
        return
    config = make_config(task, **options)
    report = _annotate(config, quiet=options["quiet"], show=options["show"])
    if not options["quiet"]:
        print_report(report, outputs=config.outputs)
    if report.broke is not None:
        raise VideoDecodeError(f"{report.broke}; the {report.frames} frames before are written")


def _annotate(config: RunConfig, *, quiet: bool, show: bool) -> RunReport:
    with ExitStack() as stack:
        window = stack.enter_context(Window(opacity=config.output.opacity)) if show else None
        console = stack.enter_context(Console(quiet=quiet))
        stack.enter_context(reporting(console.download))

        def start(info: SourceInfo, built: BuiltModel) -> None:
            console.start(info, built)
            if window is not None:
                window.start(info, recolored(built.model.categories, config.output.palette))

        def advance(result: FrameResult, progress: Progress) -> None:
            console.advance(result, progress)
            if window is not None:
                window.show(result)

        return annotate(config, on_start=start, on_frame=advance)


def _run_all(task: Task, videos: list[Path], **options: Any) -> None:
    if options["report"] is not None:
        raise typer.BadParameter("--report is for one video; its figures are in the summary of several")

    def run_one(video: Path, output: str) -> RunReport:
        config = make_config(task, **{**options, "source": str(video), "output": [output]})
        return _annotate(config, quiet=options["quiet"], show=options["show"])

    outputs = outputs_for(videos, options["output"], format=options["format"])
    run_batch(videos, outputs, run_one, quiet=options["quiet"])


def make_config(task: Task, **options: Any) -> RunConfig:
    """The run that the options describe.

    Raises:
        SettingError: an option is out of its range.
    """
    start, end = (None if text is None else parse_seconds(text) for text in (options["start"], options["end"]))
    defaults = RunConfig(source="", outputs=(), task=task)
    return RunConfig(
        source=options["source"],
        outputs=tuple(options["output"] or [default_output(options["source"])]),
        task=task,
        model=options["model"],
        weights=parse_weights(options["weights"]),
        device=options["device"],
        runtime=options.get("runtime", defaults.runtime),
        schedule=options["schedule"],
        key_interval=options["key_interval"],
        max_interval=options["max_interval"],
        causal=options["causal"],
        flow=options["flow"],
        score_threshold=options.get("score_threshold", defaults.score_threshold),
        classes=split_names(options["classes"] or ""),
        start=start,
        end=end,
        max_pixels=options["max_pixels"],
        track=options.get("track", False),
        resume=options["resume"],
        report=options.get("report"),
        output=OutputOptions(
            opacity=options["opacity"],
            crf=options["crf"],
            overwrite=options["overwrite"],
            format=options["format"],
            mask_ids=options.get("mask_ids", "classes"),
            palette=options.get("palette", "own"),
        ),
    )


def default_output(source: str) -> str:
    """`clip.dff.mp4` in the current folder for `somewhere/clip.mp4`."""
    name = Path(source.rstrip("/").rsplit("/", 1)[-1] or "input")
    stem = name.stem if name.suffix else name.name
    cleaned = "".join(character if character not in '*?[]:"<>|' else "_" for character in stem)
    return f"{cleaned.lstrip('-') or 'input'}.dff.mp4"
