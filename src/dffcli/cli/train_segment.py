"""`dff train segment`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import typer

from dffcli.cli.declare import declare
from dffcli.cli.terminal import say
from dffcli.cli.train_options import (
    BATCH_SIZE,
    CLASSES,
    DATA,
    JOINT,
    LEARN,
    LEARNING_RATE,
    RATE_SCHEDULE,
    STEPS,
    VALIDATE,
    FitOptions,
    fit_as_asked,
    parse_categories,
)
from dffcli.cli.train_outputs import holding_outputs
from dffcli.option import Option, option
from dffcli.run.read import names, size, size_text

if TYPE_CHECKING:
    from dffcli.categories import Category
    from dffcli.evaluation.segment_source import PictureSource
    from dffcli.training.objective import Objective
    from dffcli.training.segment import PictureSet

Frozen = Literal["nothing", "features", "flow"]
MAX_OFFSET = Option(
    "Train through the warp: draw a key frame up to N frames before a labelled one (of data that has them: cityscapes, "
    "or video=yes); 0 trains on single pictures.",
    metavar="N",
    panel=JOINT,
    low=0,
)
FLOW_INIT = Option(
    "Start the flow network from this file of `dff train flow`; the bundled one if not given.",
    metavar="FILE",
    panel=JOINT,
    exists=True,
)
FREEZE = Option("Leave a part as it is (the paper's ablations).", panel=JOINT, choices=get_args(Frozen))


@dataclass(frozen=True, slots=True)
class SegmentData:
    """What the segmenter learns from.

    Attributes:
        data: sources as they are written.
        validate: sources to measure on.
        classes: a known set, or names.
        view_size: `(height, width)` of the random views.
        input_size: `(height, width)` of usual pictures.
        pasted: classes that are pasted over views.
        weather: share of the views that are given weather.
        init: network to start from.
        max_offset: frames from a key frame to a labelled one at most.
        flow_init: flow network to start from.
        freeze: part that is left as it is.
    """

    data: tuple[str, ...] = option(
        help="camvid:ROOT, cityscapes:ROOT or folder:PICTURES:MASKS; may be repeated. May be followed by "
        "',share=0.4' (of a batch), ',loss-weight=0.6', ',split=train', ',only=A*|B*', ',without=C*', "
        "',every=6', ',video=yes' (pictures are consecutive frames).",
        metavar="SOURCE",
        panel=DATA,
        is_required=True,
    )
    validate: tuple[str, ...] = option((), VALIDATE)
    classes: str = option("camvid", CLASSES)
    view_size: tuple[int, int] = option(
        (256, 320),
        help="Size of the random views, multiples of 32.",
        metavar="WIDTHxHEIGHT",
        panel=DATA,
        read=size,
        write=size_text,
    )
    input_size: tuple[int, int] = option(
        (360, 480),
        help="Usual size of the pictures; others are brought to its area.",
        metavar="WIDTHxHEIGHT",
        panel=DATA,
        read=size,
        write=size_text,
    )
    pasted: tuple[str, ...] = option(
        (),
        help="Classes that are cut out of other pictures and pasted over half of the views: the small and rare ones.",
        flags=("--paste",),
        metavar="A,B,...",
        panel=DATA,
        read=names,
    )
    weather: float = option(
        0.0,
        help="Share of the views that are given shadow, fog, rain, dusk, glare, or a shaken or coarse camera.",
        metavar="X",
        panel=DATA,
        low=0,
        high=1,
    )
    init: Path | None = option(
        None,
        help="Start from this network, such as the bundled street-seg.safetensors; its classifier is made anew for "
        "other classes. Of the bundled detector's coco-det.safetensors the backbone is taken.",
        metavar="FILE",
        panel=LEARN,
        exists=True,
    )
    max_offset: int = option(0, MAX_OFFSET)
    flow_init: Path | None = option(None, FLOW_INIT)
    freeze: Frozen = option("nothing", FREEZE)


@dataclass(frozen=True, slots=True)
class SegmentFit(FitOptions):
    """How it learns.

    Attributes:
        backbone_rate: the backbone's learning rate as a share of the others'.
        take_back: how much of the classes' weights is taken off the scores at the end.
    """

    steps: int = option(10_000, STEPS)
    batch_size: int = option(8, BATCH_SIZE)
    learning_rate: float = option(2e-3, LEARNING_RATE)
    rate_schedule: str = option("poly", RATE_SCHEDULE)
    backbone_rate: float = option(
        1.0,
        help="The backbone's learning rate as a share of the rest's; below 1 where it starts from a trained one.",
        metavar="X",
        panel=LEARN,
        low=0,
    )
    take_back: float = option(
        0.75,
        help="At the end, how much of the classes' weights (rare ones weigh more in the loss) is taken off the scores "
        "again; 0 finds rare classes more often, and more often where they are not.",
        metavar="X",
        panel=LEARN,
        low=0,
        high=1,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, train_segment, name="segment", held=holding_outputs)


def train_segment(data: SegmentData, fit: SegmentFit) -> None:
    """Train the street segmenter from random initial values (or --init) on pictures with masks.

    With --max-offset the flow network is trained with it, and written beside it as flow.safetensors, which
    `dff segment --flow` takes.

    The run's folder receives checkpoint.pt, log.jsonl, losses.png and, at the end, network.safetensors, which
    `dff segment --weights` takes. Killed at any moment, the same command with --resume goes on as if nothing happened.
    """
    import torch

    from dffcli.evaluation.segment_source import parse_source
    from dffcli.files.network_file import bundled_file
    from dffcli.flow.light_file import export_light_flow, load_light_flow
    from dffcli.models.street import segmenter_model
    from dffcli.models.street.network import StreetSegmenter
    from dffcli.training import segment
    from dffcli.training.augment import ViewRange
    from dffcli.training.joint import JointObjective, JointSegmenter
    from dffcli.training.segment import SegmentObjective, SegmentSettings, class_weights

    categories = parse_categories(data.classes)
    like = data.input_size
    sets = [_picture_set(parse_source(text), max_offset=data.max_offset) for text in data.data]
    validation = {source.name: source.pictures() for source in map(parse_source, data.validate)}
    heaviest = max(item.loss_weight for item in sets)
    by_people = [picture for item in sets if item.loss_weight == heaviest for picture in item.pictures]
    weights = class_weights(by_people, classes=len(categories))
    settings = SegmentSettings(
        classes=len(categories),
        batch_size=fit.batch_size,
        view_size=data.view_size,
        view_range=ViewRange(base_width=like[1]),
        rare=tuple(position for position, weight in enumerate(weights) if weight > 1.5),
        class_weights=weights,
        pasted=_positions(data.pasted, categories),
        weather_share=data.weather,
    )
    torch.manual_seed(fit.seed)
    module = StreetSegmenter(classes=len(categories))
    if data.init is not None:
        module = segmenter_model.start_from(data.init, classes=len(categories))
    objective: Objective
    if data.max_offset:
        flow = load_light_flow(data.flow_init or bundled_file("light-flow")[0])
        joint = JointSegmenter(module, flow, frozen=data.freeze)
        objective = JointObjective(
            joint, sets=sets, validation=validation, settings=settings, max_offset=data.max_offset
        )
    else:
        objective = SegmentObjective(module, sets=sets, validation=validation, settings=settings)
    result = fit_as_asked(objective, fit, rate_shares={"backbone": fit.backbone_rate})
    target = fit.target
    trained = result.module
    advice = f"dff segment VIDEO --weights {target}"
    if isinstance(trained, JointSegmenter):
        flow_target = target.with_name("flow.safetensors")
        export_light_flow(flow_target, trained.flow)
        trained, advice = trained.segmenter, f"{advice} --flow {flow_target}"
    if isinstance(trained, StreetSegmenter):
        segment.take_back(trained, weights, share=fit.take_back)
    segmenter_model.export(target, trained, categories=categories, like=like, steps=result.step)
    if not fit.quiet:
        say(f"{target}: the network after {result.step} steps; try  {advice}")


def _positions(wanted: tuple[str, ...], categories: tuple[Category, ...]) -> tuple[int, ...]:
    """Where the named classes stand among all."""
    known = [category.name for category in categories]
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(f"--paste: expected classes among {', '.join(known)}, got {name!r}")
    return tuple(known.index(name) for name in wanted)


def _picture_set(source: PictureSource, *, max_offset: int) -> PictureSet:
    from dffcli.training.segment import PictureSet

    return PictureSet(
        source.name, source.pictures(max_offset=max_offset), share=source.share, loss_weight=source.loss_weight
    )
