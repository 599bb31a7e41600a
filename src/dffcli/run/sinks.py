"""The sink for each output of a run."""

from __future__ import annotations

from dffcli.categories import Category, recolored
from dffcli.core.types import SourceInfo, Task
from dffcli.formats.record import Sequence
from dffcli.formats.registry import check_fit, is_video, open_record_sink, output_format
from dffcli.formats.sink import OutputOptions, RunFacts, Sink
from dffcli.run.overlay_sink import OverlaySink


def open_sink(
    path: str,
    *,
    info: SourceInfo,
    task: Task,
    categories: tuple[Category, ...],
    has_masks: bool,
    run: RunFacts,
    options: OutputOptions,
) -> Sink:
    """The sink for one output.

    Args:
        path: its name, which says what it is to be unless `options.format` does.
        info: the source.
        task: what the model answers.
        categories: what it can name.
        has_masks: whether a detector gives instance masks.
        run: what the output is to say of the run.
        options: how it is written.

    Raises:
        OutputError: the name asks for nothing known, or for what the model does not give.
    """
    categories = recolored(categories, options.palette)
    name = output_format(path, format=None if is_video(path) else options.format)
    check_fit(path, name, task=task, has_masks=has_masks, model=run.model)
    if name == "video":
        return OverlaySink(path, info=info, categories=categories, options=options)
    return open_record_sink(path, name, Sequence(info, task, categories, run), options=options)
