"""`dff train segment`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dffcli.cli import train_options as options
from dffcli.cli.terminal import say
from dffcli.cli.train_outputs import holding_outputs
from dffcli.run.read import size as parse_size

if TYPE_CHECKING:
    from dffcli.categories import Category
    from dffcli.evaluation.segment_source import PictureSource
    from dffcli.training.objective import Objective
    from dffcli.training.segment import PictureSet

DATA = "What to learn from"


class FrozenPart(StrEnum):
    """Values of `--freeze`."""

    NOTHING = "nothing"
    FEATURES = "features"
    FLOW = "flow"


Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        metavar="SOURCE",
        rich_help_panel=DATA,
        help="camvid:ROOT, cityscapes:ROOT or folder:PICTURES:MASKS; may be repeated. May be followed by "
        "',share=0.4' (of a batch), ',trust=0.6' (weight in the loss), ',split=train', ',only=A*|B*', ',without=C*', "
        "',every=6', ',video=yes' (pictures are consecutive frames).",
    ),
]
Validate = Annotated[
    list[str] | None,
    typer.Option("--validate", metavar="SOURCE", rich_help_panel=DATA, help="What to measure on; written like --data."),
]
Classes = Annotated[
    str,
    typer.Option(
        metavar="A,B,...",
        rich_help_panel=DATA,
        help="Names of the ids 0, 1, ... in the masks (greater ids are ignored), or camvid, cityscapes, voc.",
    ),
]
ViewSize = Annotated[
    str, typer.Option(metavar="WIDTHxHEIGHT", rich_help_panel=DATA, help="Size of the random views, multiples of 32.")
]
InputSize = Annotated[
    str,
    typer.Option(
        metavar="WIDTHxHEIGHT", rich_help_panel=DATA, help="Usual size of the pictures; others are brought to its area."
    ),
]
Init = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE",
        rich_help_panel=options.LEARN,
        help="Start from this network, such as the bundled street-seg.safetensors; its classifier is made anew for "
        "other classes. Of the bundled detector's coco-det.safetensors the backbone is taken.",
    ),
]
Pasted = Annotated[
    str | None,
    typer.Option(
        "--paste",
        metavar="A,B,...",
        rich_help_panel=DATA,
        help="Classes that are cut out of other pictures and pasted over half of the views: the small and rare ones.",
    ),
]
WeatherShare = Annotated[
    float,
    typer.Option(
        "--weather",
        min=0.0,
        max=1.0,
        metavar="X",
        rich_help_panel=DATA,
        help="Share of the views that are given shadow, fog, rain, dusk, glare, or a shaken or coarse camera.",
    ),
]
TakeBack = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="X",
        rich_help_panel=options.LEARN,
        help="At the end, how much of the classes' weights (rare ones weigh more in the loss) is taken off the scores "
        "again; 0 finds rare classes more often, and more often where they are not.",
    ),
]
BackboneRate = Annotated[
    float,
    typer.Option(
        min=0.0,
        metavar="X",
        rich_help_panel=options.LEARN,
        help="The backbone's learning rate as a share of the rest's; below 1 where it starts from a trained one.",
    ),
]
JOINT = "Jointly with the flow (the paper's training)"
MaxOffset = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        rich_help_panel=JOINT,
        help="Train through the warp: draw a key frame up to N frames before a labelled one (of data that has them: "
        "cityscapes, or video=yes); 0 trains on single pictures.",
    ),
]
FlowInit = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE",
        rich_help_panel=JOINT,
        help="Start the flow network from this file of `dff train flow`; the bundled one if not given.",
    ),
]
Freeze = Annotated[
    FrozenPart, typer.Option(rich_help_panel=JOINT, help="Leave a part as it is (the paper's ablations).")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("segment")(train_segment)


@holding_outputs
def train_segment(
    run: options.RunFolder,
    data: Data,
    validate: Validate = None,
    classes: Classes = "camvid",
    view_size: ViewSize = "320x256",
    input_size: InputSize = "480x360",
    pasted: Pasted = None,
    weather: WeatherShare = 0.0,
    init: Init = None,
    max_offset: MaxOffset = 0,
    flow_init: FlowInit = None,
    freeze: Freeze = FrozenPart.NOTHING,
    steps: options.Steps = 10_000,
    batch_size: options.BatchSize = 8,
    learning_rate: options.LearningRate = 2e-3,
    backbone_rate: BackboneRate = 1.0,
    take_back: TakeBack = 0.75,
    optimizer: options.OptimizerOption = options.Optimizer.ADAMW,
    weight_decay: options.WeightDecay = 0.02,
    rate_schedule: options.RateScheduleOption = options.RateSchedule.POLY,
    warmup: options.Warmup = 200,
    average_decay: options.AverageDecay = 0.999,
    clip_norm: options.ClipNorm = 10.0,
    validate_every: options.ValidateEvery = 500,
    precision: options.PrecisionOption = options.Precision.AUTO,
    seed: options.Seed = 0,
    device: options.DeviceOption = "auto",
    resume: options.Resume = False,
    export: options.Export = None,
    quiet: options.QuietOption = False,
) -> None:
    """Train the street segmenter from random initial values (or --init) on pictures with masks.

    With --max-offset the flow network is trained with it, and written beside it as flow.safetensors, which
    `dff segment --flow` takes.

    The run's folder receives checkpoint.pt, log.jsonl, losses.png and, at the end, network.safetensors, which
    `dff segment --weights` takes. Killed at any moment, the same command with --resume goes on as if nothing happened.
    """
    chosen = dict(locals())
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

    categories = options.parse_categories(classes)
    like = parse_size(input_size)
    sets = [_picture_set(parse_source(text), max_offset=max_offset) for text in data]
    validation = {source.name: source.pictures() for source in map(parse_source, validate or [])}
    most_trusted = max(item.trust for item in sets)
    by_people = [picture for item in sets if item.trust == most_trusted for picture in item.pictures]
    weights = class_weights(by_people, classes=len(categories))
    settings = SegmentSettings(
        classes=len(categories),
        batch_size=batch_size,
        view_size=parse_size(view_size),
        view_range=ViewRange(base_width=like[1]),
        rare=tuple(position for position, weight in enumerate(weights) if weight > 1.5),
        class_weights=weights,
        pasted=_positions(pasted, categories),
        weather_share=weather,
    )
    torch.manual_seed(seed)
    module = StreetSegmenter(classes=len(categories))
    if init is not None:
        module = segmenter_model.start_from(init, classes=len(categories))
    objective: Objective
    if max_offset:
        flow = load_light_flow(flow_init or bundled_file("light-flow")[0])
        joint = JointSegmenter(module, flow, frozen=freeze.value)
        objective = JointObjective(joint, sets=sets, validation=validation, settings=settings, max_offset=max_offset)
    else:
        objective = SegmentObjective(module, sets=sets, validation=validation, settings=settings)
    result = options.fit_as_asked(objective, chosen, rate_shares={"backbone": backbone_rate})
    target = export or run / "network.safetensors"
    trained = result.module
    advice = f"dff segment VIDEO --weights {target}"
    if isinstance(trained, JointSegmenter):
        flow_target = target.with_name("flow.safetensors")
        export_light_flow(flow_target, trained.flow)
        trained, advice = trained.segmenter, f"{advice} --flow {flow_target}"
    if isinstance(trained, StreetSegmenter):
        segment.take_back(trained, weights, share=take_back)
    segmenter_model.export(target, trained, categories=categories, like=like, steps=result.step)
    if not quiet:
        say(f"{target}: the network after {result.step} steps; try  {advice}")


def _positions(names: str | None, categories: tuple[Category, ...]) -> tuple[int, ...]:
    """Where the named classes stand among all."""
    from dffcli.run.read import names as split_names

    known = [category.name for category in categories]
    wanted = split_names(names or "")
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(f"--paste: expected classes among {', '.join(known)}, got {name!r}")
    return tuple(known.index(name) for name in wanted)


def _picture_set(source: PictureSource, *, max_offset: int) -> PictureSet:
    from dffcli.training.segment import PictureSet

    return PictureSet(source.name, source.pictures(max_offset=max_offset), share=source.share, trust=source.trust)
