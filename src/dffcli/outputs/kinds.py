"""Which sink an output's name asks for."""

from __future__ import annotations

from pathlib import Path

from dffcli.errors import OutputError
from dffcli.outputs.coco import CocoSink
from dffcli.outputs.masks import MaskSink
from dffcli.outputs.sink import OutputOptions, RunFacts, Sink
from dffcli.outputs.video import OverlaySink
from dffcli.types import Category, SourceInfo, Task

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm")


def output_kind(path: str) -> str:
    """`video`, `coco` or `masks`, from an output's name.

    Raises:
        OutputError: the name asks for nothing known.
    """
    suffix = Path(path).suffix.lower()
    if path.endswith("/") or Path(path).is_dir() or not suffix:
        return "masks"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix == ".json":
        return "coco"
    raise OutputError(f"{path}: expected {' '.join(VIDEO_SUFFIXES)}, .json or a folder, got {suffix!r}")


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
        path: its name, which says what it is to be.
        info: the source.
        task: what the model answers.
        categories: what it can name.
        has_masks: whether a detector gives instance masks.
        run: what the output is to say of the run.
        options: how it is written.

    Raises:
        OutputError: the name asks for nothing known, or for what the model does not give.
    """
    kind = output_kind(path)
    if kind == "video":
        return OverlaySink(path, info=info, categories=categories, options=options)
    if kind == "coco":
        return CocoSink(path, info=info, categories=categories, run=run)
    if task is Task.DETECT and not has_masks:
        raise OutputError(
            f"{path}: a folder takes masks, and {run.model} gives boxes alone; "
            "write .json or .mp4, use --model maskrcnn_resnet50_fpn_v2, or run dff segment"
        )
    return MaskSink(path, categories=categories, run=run)
