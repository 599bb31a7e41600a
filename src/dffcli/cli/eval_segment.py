"""`dff eval segment`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dffcli.cli import options

if TYPE_CHECKING:
    from dffcli.evaluation.segment_eval import SegmentScore

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="camvid:ROOT, cityscapes:ROOT or folder:PICTURES:MASKS, and then ',split=val', ',video=yes' (the pictures "
        "are consecutive frames of one video), ',only=A*|B*', ',without=C*', ',every=6'.",
    ),
]
Intervals = Annotated[
    str,
    typer.Option(metavar="N,N,...", rich_help_panel=options.KEYS, help="Key intervals to measure; 1 is every frame."),
]
WithAdaptive = Annotated[
    bool, typer.Option("--adaptive", rich_help_panel=options.KEYS, help="Measure the adaptive schedule as well.")
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", rich_help_panel=options.LOOK, help="Write all numbers there.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("segment")(eval_segment)


def eval_segment(
    source: Source,
    model: options.Model = None,
    weights: options.WeightsOption = "default",
    device: options.Device = "auto",
    intervals: Intervals = "1",
    adaptive: WithAdaptive = False,
    causal: options.Causal = False,
    flow: options.Flow = None,
    json_file: Json = None,
) -> None:
    """Mean IoU and IoU of every class against masks, per frame and with features carried along the flow.

    Pictures of a video (video=yes) run through the engine, two-sided unless --causal. Cityscapes' snippets, of which
    one frame is labelled, are measured at every distance from a key frame up to the interval, causally.
    """
    import json

    from dffcli.core.schedule import Adaptive, FixedInterval
    from dffcli.core.types import Task
    from dffcli.evaluation import segment_eval
    from dffcli.evaluation.segment_source import parse_source
    from dffcli.models.registry import build_model
    from dffcli.run.parts import choose_flow, resolve_device
    from dffcli.run.plan import DEFAULT_MODELS

    wanted = options.parse_intervals(intervals)
    where = parse_source(source)
    pictures = where.pictures()
    place = resolve_device(device)
    built = build_model(
        model or DEFAULT_MODELS[Task.SEGMENT], weights=options.parse_weights(weights), device=place, task=Task.SEGMENT
    )
    estimator = choose_flow(flow, built, device=place)
    scores: dict[str, SegmentScore] = {}
    for interval in wanted:
        name = "every frame" if interval == 1 else f"every {interval}"
        if interval == 1:
            scores[name] = segment_eval.score_stills(built.model, pictures)
        elif where.video:
            scores[name] = segment_eval.score_video(
                built.model, pictures, flow=estimator, schedule=FixedInterval(interval), two_sided=not causal
            )
        elif all(picture.earlier for picture in pictures):
            scores[name] = segment_eval.score_snippets(built.model, pictures, flow=estimator, interval=interval)
        else:
            raise typer.BadParameter(f"an interval of {interval} needs a video: write {source},video=yes if it is one")
    if adaptive:
        if not where.video:
            raise typer.BadParameter(f"--adaptive needs a video: write {source},video=yes if it is one")
        scores["adaptive"] = segment_eval.score_video(
            built.model, pictures, flow=estimator, schedule=Adaptive(), two_sided=not causal
        )
    _print(scores, title=f"{built.model.name} ({built.weights_description}), flow {estimator.name}")
    if json_file is not None:
        facts = {"model": built.model.name, "weights": built.weights_description, "flow": estimator.name}
        content = {**facts, "source": source, "scores": {name: asdict(score) for name, score in scores.items()}}
        json_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _print(scores: dict[str, SegmentScore], *, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("IoU, %")
    for name in scores:
        table.add_column(name, justify="right")
    first = next(iter(scores.values()))
    for category in first.class_iou:
        cells = (score.class_iou[category] for score in scores.values())
        table.add_row(category, *("-" if value is None else f"{value:.1f}" for value in cells))
    table.add_section()
    table.add_row("mean", *(f"{score.mean_iou:.2f}" for score in scores.values()), style="bold")
    table.add_row("key frames", *(f"{score.key_share:.0%}" for score in scores.values()))
    Console(highlight=False).print(table)
