"""`dff eval segment`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from dffcli.cli.declare import declare
from dffcli.cli.eval_options import EvalOptions, numbers_held, parts_of, schedules_of, write_numbers
from dffcli.cli.terminal import plain_console
from dffcli.core.task import Task
from dffcli.option import option

if TYPE_CHECKING:
    from dffcli.core.engine import Engine
    from dffcli.evaluation.segment_eval import SegmentScore
    from dffcli.run.plan import PlannedSchedule


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is measured on.

    Attributes:
        source: a data set, with choices behind it.
    """

    source: str = option(
        help="camvid:ROOT, cityscapes:ROOT or folder:PICTURES:MASKS, and then ',split=val', ',video=yes' (the pictures "
        "are consecutive frames of one video), ',only=A*|B*', ',without=C*', ',every=6'.",
        metavar="SOURCE",
        is_argument=True,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, eval_segment, name="segment", task=Task.SEGMENT, held=numbers_held)


def eval_segment(data: Labelled, options: EvalOptions) -> None:
    """Mean IoU and IoU of every class against masks, per frame and with features carried along the flow.

    Pictures of a video (video=yes) run through the engine, two-sided unless --causal. Cityscapes' snippets, of which
    one frame is labelled, are measured at every distance from a key frame up to the interval, causally.
    """
    from dffcli.evaluation import segment_eval
    from dffcli.evaluation.segment_source import parse_source

    where = parse_source(data.source)
    pictures = where.pictures()
    parts = parts_of(options)
    built, flow = parts.built, parts.flow

    def engine(schedule: PlannedSchedule, *, two_sided: bool) -> Engine:
        return parts.engine(schedule.make(), two_sided=two_sided)

    scores: dict[str, SegmentScore] = {}
    for name, schedule in schedules_of(options).items():
        interval = None if name == "adaptive" else schedule.key_interval
        if interval == 1:
            scores[name] = segment_eval.score_stills(built.model, pictures)
        elif where.video:
            scores[name] = segment_eval.score_video(engine(schedule, two_sided=not options.causal), pictures)
        elif interval is None:
            raise typer.BadParameter(f"--adaptive needs a video: write {data.source},video=yes if it is one")
        elif all(picture.earlier for picture in pictures):
            make = partial(engine, schedule, two_sided=False)
            scores[name] = segment_eval.score_snippets(make, pictures, interval=interval)
        else:
            raise typer.BadParameter(
                f"an interval of {interval} needs a video: write {data.source},video=yes if it is one"
            )
    _print(scores, title=f"{built.model.name} ({built.weights_description}), flow {flow.name}")
    facts = {"model": built.model.name, "weights": built.weights_description, "flow": flow.name}
    facts |= {"source": data.source}
    write_numbers(options, {**facts, "scores": {name: asdict(score) for name, score in scores.items()}})


def _print(scores: dict[str, SegmentScore], *, title: str) -> None:
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
    plain_console().print(table)
