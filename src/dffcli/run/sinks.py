"""The sink for each output of a run."""

from __future__ import annotations

from dffcli.categories import Category, recolored
from dffcli.core.types import SourceInfo, Task
from dffcli.formats.record import Sequence
from dffcli.formats.registry import open_record_sink
from dffcli.formats.sink import OutputOptions, RunFacts, Sink
from dffcli.render.overlay import Overlay
from dffcli.run.overlay_sink import OverlaySink
from dffcli.run.plan import PlannedOutput
from dffcli.run.standard import LINES, STANDARD_OUTPUT, VIDEOS
from dffcli.run.standard_output import JsonLines, OpenOutput
from dffcli.video.feed import TrackFeed
from dffcli.video.source import Source
from dffcli.video.writer import VideoWriter


def open_sink(
    output: PlannedOutput,
    *,
    info: SourceInfo,
    task: Task,
    categories: tuple[Category, ...],
    run: RunFacts,
    options: OutputOptions,
    source: Source | None = None,
) -> Sink:
    """The sink for one output; it is begun on entering its context.

    Args:
        output: where, and in which format.
        info: the source.
        task: what the model answers.
        categories: what it can name.
        run: what the output is to say of the run.
        options: how it is written.
        source: where the pictures come from, for what lies beside them.
    """
    categories = recolored(categories, options.palette)
    if output.path == STANDARD_OUTPUT and output.format == LINES:
        return JsonLines(Sequence(info, task, categories, run))
    if output.format in ("video", *VIDEOS):
        tracks = None if source is None else source.tracks()
        parts = overlay_parts(
            output.path, info=info, categories=categories, options=options, tracks=tracks, kind=output.format
        )
        return OverlaySink(*parts)
    return open_record_sink(output.path, output.format, Sequence(info, task, categories, run), options=options)


def overlay_parts(
    path: str,
    *,
    info: SourceInfo,
    categories: tuple[Category, ...],
    options: OutputOptions,
    tracks: TrackFeed | None = None,
    kind: str = "video",
) -> tuple[Overlay, VideoWriter]:
    """What draws on a source's frames, and what encodes them."""
    is_standard = path == STANDARD_OUTPUT
    writer = VideoWriter(
        f"standard output.{kind}" if is_standard else path,
        info=info,
        crf=options.crf,
        tracks=tracks,
        audio=options.audio,
        stream=OpenOutput if is_standard else None,
    )
    return Overlay(categories, opacity=options.opacity), writer
