"""The sink for each output of a run."""

from __future__ import annotations

from pathlib import Path

from dffcli.categories import Category, recolored
from dffcli.core.types import SourceInfo, Task
from dffcli.formats.record import Sequence
from dffcli.formats.registry import open_record_sink
from dffcli.formats.sink import OutputOptions, RunFacts, Sink
from dffcli.render.overlay import Overlay
from dffcli.run.overlay_sink import OverlaySink
from dffcli.run.plan import PlannedOutput
from dffcli.video.writer import VideoWriter


def open_sink(
    output: PlannedOutput,
    *,
    info: SourceInfo,
    task: Task,
    categories: tuple[Category, ...],
    run: RunFacts,
    options: OutputOptions,
) -> Sink:
    """The sink for one output; it is begun on entering its context.

    Args:
        output: where, and in which format.
        info: the source.
        task: what the model answers.
        categories: what it can name.
        run: what the output is to say of the run.
        options: how it is written.
    """
    categories = recolored(categories, options.palette)
    if output.format == "video":
        return OverlaySink(*overlay_parts(output.path, info=info, categories=categories, options=options))
    return open_record_sink(output.path, output.format, Sequence(info, task, categories, run), options=options)


def overlay_parts(
    path: str, *, info: SourceInfo, categories: tuple[Category, ...], options: OutputOptions
) -> tuple[Overlay, VideoWriter]:
    """What draws on a source's frames, and what encodes them."""
    is_file = info.path is not None and Path(info.path).is_file()  # a folder of images has no sound to copy
    writer = VideoWriter(path, info=info, crf=options.crf, source_path=info.path if is_file else None)
    return Overlay(categories, opacity=options.opacity), writer
