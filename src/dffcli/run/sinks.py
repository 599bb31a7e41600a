"""The sink for each output of a run."""

from __future__ import annotations

from fractions import Fraction

from dffcli.categories import Category, recolored
from dffcli.core.types import SourceInfo, Task
from dffcli.formats.record import Sequence
from dffcli.formats.registry import open_record_sink
from dffcli.formats.sink import OutputOptions, RunFacts, Sink
from dffcli.render.overlay import Overlay
from dffcli.run.overlay_sink import OverlaySink
from dffcli.run.plan import PlannedOutput
from dffcli.run.rolling import RollingSink
from dffcli.run.standard import STANDARD_OUTPUT, VIDEOS
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
    roll: Fraction | None = None,
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
        roll: seconds after which a new file begins; None for one file.
    """
    categories = recolored(categories, options.palette)
    is_video = output.format in ("video", *VIDEOS)

    def make(path: str, info: SourceInfo, tracks: TrackFeed | None) -> Sink:
        if is_video:
            parts = overlay_parts(
                path, info=info, categories=categories, options=options, tracks=tracks, kind=output.format
            )
            return OverlaySink(*parts)
        sequence = Sequence(info, task, categories, run)
        return (
            JsonLines(sequence)
            if path == STANDARD_OUTPUT
            else open_record_sink(path, output.format, sequence, options=options)
        )

    if roll is not None:
        return RollingSink(output.path, make, info=info, seconds=roll, source=source if is_video else None)
    return make(output.path, info, source.tracks() if is_video and source is not None else None)


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
