"""`dff eval detect`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from dffcli.cli.declare import declare
from dffcli.cli.eval_options import EvalOptions, numbers_held, parts_of, schedules_of, write_numbers
from dffcli.cli.terminal import plain_console
from dffcli.cli.train_detect import SOURCE_HELP
from dffcli.core.task import Task
from dffcli.option import option

if TYPE_CHECKING:
    from dffcli.core.engine import Engine
    from dffcli.evaluation.detection_metrics import DetectionReport
    from dffcli.run.plan import PlannedSchedule


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is measured on.

    Attributes:
        source: a data set, with choices behind it.
    """

    source: str = option(
        help=f"{SOURCE_HELP} May be followed by ',only=A*|B*', ',without=C*' (names), "
        "',names=coco|FILE' (YOLO's classes).",
        metavar="SOURCE",
        is_argument=True,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, eval_detect, name="detect", task=Task.DETECT, held=numbers_held)


def eval_detect(data: Labelled, options: EvalOptions) -> None:
    """Average precision of boxes: COCO's, at IoU 0.5, by class, and by speed of motion where there are tracks.

    Classes are matched by name; those that only the model or only the data knows do not count. Videos run through the
    engine, two-sided unless --causal; stills have nothing to carry, whatever the interval.
    """
    from dffcli.evaluation.detection_eval import category_names, run_over, translated
    from dffcli.evaluation.detection_metrics import judge
    from dffcli.evaluation.detection_source import parse_detection_source

    labelled = parse_detection_source(data.source).read()
    parts = parts_of(options)
    built, flow = parts.built, parts.flow
    names = category_names(built.model, labelled.categories)
    sequences = translated(labelled.sequences, labelled.categories, built.model.categories)

    def engine(schedule: PlannedSchedule) -> Engine:
        return parts.engine(schedule.make(), two_sided=not options.causal)

    scores: dict[str, dict[str, Any]] = {}
    for title, schedule in schedules_of(options).items():
        run = run_over(sequences, partial(engine, schedule))
        scores[title] = {"key_share": run.key_frames / run.frames, **_numbers(judge(run.pictures, names))}
    _print(scores, title=f"{built.model.name} ({built.weights_description}), flow {flow.name}")
    facts = {"model": built.model.name, "weights": built.weights_description, "flow": flow.name}
    facts |= {"propagation": "causal" if options.causal else "two-sided", "source": data.source}
    write_numbers(options, {**facts, "scores": scores})


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
    plain_console().print(table)
