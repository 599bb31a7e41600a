"""`dff eval detect`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dffcli.cli import options as o
from dffcli.cli.train_detect import SOURCE_HELP

if TYPE_CHECKING:
    from dffcli.core.protocols import Schedule
    from dffcli.evaluation.detection_metrics import DetectionReport

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help=f"{SOURCE_HELP} May be followed by ',only=A*|B*', ',without=C*' (names), "
        "',names=coco|FILE' (YOLO's classes).",
    ),
]
Intervals = Annotated[
    str, typer.Option(metavar="N,N,...", rich_help_panel=o.KEYS, help="Key intervals to measure; 1 is every frame.")
]
WithAdaptive = Annotated[
    bool, typer.Option("--adaptive", rich_help_panel=o.KEYS, help="Measure the adaptive schedule as well.")
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", rich_help_panel=o.LOOK, help="Write all numbers there.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(eval_detect)


def eval_detect(
    source: Source,
    model: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=o.WHAT, help="Which network.")] = "coco-det",
    weights: o.WeightsOption = "default",
    device: o.Device = "auto",
    intervals: Intervals = "1",
    adaptive: WithAdaptive = False,
    causal: o.Causal = False,
    flow: o.Flow = None,
    json_file: Json = None,
) -> None:
    """Average precision of boxes: COCO's, at IoU 0.5, by class, and by speed of motion where there are tracks.

    Classes are matched by name; those that only the model or only the data knows do not count. Videos run through the
    engine, two-sided unless --causal; stills have nothing to carry, whatever the interval.
    """
    import json

    from dffcli.core.engine import Engine
    from dffcli.core.schedule import PATIENCE, Adaptive, FixedInterval
    from dffcli.core.types import Task
    from dffcli.evaluation.detection_eval import category_names, run_over, translated
    from dffcli.evaluation.detection_metrics import judge
    from dffcli.evaluation.detection_source import parse_detection_source
    from dffcli.models.registry import build_model
    from dffcli.run.parts import choose_flow, resolve_device

    wanted = o.parse_intervals(intervals)
    data = parse_detection_source(source).read()
    place = resolve_device(device)
    built = build_model(model, weights=o.parse_weights(weights), device=place, task=Task.DETECT)
    estimator = choose_flow(flow, built, device=place)
    names = category_names(built.model, data.categories)
    sequences = translated(data.sequences, data.categories, built.model.categories)
    schedules: dict[str, Callable[[], Schedule]] = {
        "every frame" if n == 1 else f"every {n}": partial(FixedInterval, n) for n in wanted
    }
    if adaptive:
        schedules["adaptive"] = partial(Adaptive, PATIENCE[Task.DETECT])
    scores: dict[str, dict[str, Any]] = {}
    for title, make_schedule in schedules.items():

        def engine(make_schedule: Callable[[], Schedule] = make_schedule) -> Engine:
            return Engine(built.model, estimator, make_schedule(), two_sided=not causal)

        run = run_over(sequences, engine)
        scores[title] = {"key_share": run.key_frames / run.frames, **_numbers(judge(run.pictures, names))}
    _print(scores, title=f"{model} ({built.weights_description}), flow {estimator.name}")
    if json_file is not None:
        facts = {"model": model, "weights": built.weights_description, "flow": estimator.name}
        facts |= {"propagation": "causal" if causal else "two-sided", "source": source}
        json_file.write_text(json.dumps({**facts, "scores": scores}, indent=2) + "\n", encoding="utf-8")


def _numbers(report: DetectionReport) -> dict[str, Any]:
    """A report as percentages; what does not occur is None, as JSON has no NaN."""

    def percent(value: float) -> float | None:
        return None if value != value else round(100 * value, 2)  # NaN differs from itself

    return {
        "pictures": report.pictures,
        "objects": report.objects,
        "AP": percent(report.ap),
        "AP50": percent(report.ap50),
        "recall50": percent(report.recall50),
        "class_AP50": {name: percent(value) for name, value in report.class_ap50.items()},
        "speed_AP50": {name: percent(value) for name, value in report.speed_ap50.items()},
    }


def _print(scores: dict[str, dict[str, Any]], *, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    def cells(values: list[float | None]) -> list[str]:
        return ["-" if value is None else f"{value:.1f}" for value in values]

    first = next(iter(scores.values()))
    table = Table(title=title, title_justify="left")
    table.add_column(f"{first['pictures']} pictures, {first['objects']} objects")
    for name in scores:
        table.add_column(name, justify="right")
    for group, label in (("class_AP50", "AP50 {}"), ("speed_AP50", "AP50 {} objects")):
        for key in first[group]:
            table.add_row(label.format(key), *cells([score[group].get(key) for score in scores.values()]))
        if first[group]:
            table.add_section()
    for key, label in (("AP50", "AP50"), ("AP", "AP (0.50 to 0.95)"), ("recall50", "recall at 0.50")):
        style = "bold" if key == "AP50" else None
        table.add_row(label, *cells([score[key] for score in scores.values()]), style=style)
    table.add_row("key frames", *(f"{score['key_share']:.0%}" for score in scores.values()))
    Console(highlight=False).print(table)
