"""`dff train rfcn` and `dff train deeplab`: the paper's own networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dffcli.cli import train_options as options
from dffcli.cli.terminal import say
from dffcli.cli.train_detect import SOURCE_HELP, choose_categories
from dffcli.cli.train_outputs import holding_outputs
from dffcli.run.read import size as parse_size

if TYPE_CHECKING:
    from dffcli.models.paper.checkpoints import TrainedFacts
    from dffcli.models.paper.prepare import InputRule
    from dffcli.training.fit import FitSettings
    from dffcli.training.objective import Objective

DATA = "What to learn from"

Model = Annotated[str, typer.Option(metavar="NAME", rich_help_panel=options.LEARN, help="Which network.")]
Init = Annotated[
    list[Path] | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE",
        rich_help_panel=options.LEARN,
        help="Start from these weights, whole or in part (see `dff weights import`); may be repeated.",
    ),
]
Offset = Annotated[
    int, typer.Option(min=0, metavar="N", rich_help_panel=DATA, help="The key lies up to N frames before.")
]
Pairs = Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=options.LEARN, help="Pairs in a step.")]
ShortSide = Annotated[
    int, typer.Option(min=32, metavar="N", rich_help_panel=DATA, help="Short side of the input, in pixels.")
]
LongSide = Annotated[
    int, typer.Option(min=32, metavar="N", rich_help_panel=DATA, help="Longest side of the input, in pixels.")
]
Drop = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, rich_help_panel=options.LEARN, help="Share of the steps before the rate falls."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("rfcn")(train_rfcn)
    app.command("deeplab")(train_deeplab)


@holding_outputs
def train_rfcn(
    run: options.RunFolder,
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="SOURCE",
            rich_help_panel=DATA,
            help=f"{SOURCE_HELP} May be repeated, and may be followed by ',only=A*|B*', ',without=C*' (names) and "
            "',names=coco|FILE' (YOLO's classes). Stills teach N_feat and N_task only.",
        ),
    ],
    validate: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", rich_help_panel=DATA, help="What to measure on; written like --data."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            rich_help_panel=DATA,
            help="What to find, by the names in the data, or a known set. ImageNet VID's 30 if not given.",
        ),
    ] = None,
    model: Model = "dff-rfcn-resnet101",
    init: Init = None,
    max_offset: Offset = 9,
    short_side: ShortSide = 600,
    long_side: LongSide = 1000,
    steps: options.Steps = 111_000,
    pairs: Pairs = 4,
    learning_rate: options.LearningRate = 2.5e-4,
    drop: Drop = 2 / 3,
    validate_every: options.ValidateEvery = 10_000,
    seed: options.Seed = 0,
    device: options.DeviceOption = "auto",
    resume: options.Resume = False,
    export: options.Export = None,
    quiet: options.QuietOption = False,
) -> None:
    """Train the paper's detector, its flow network and its scale field together, as the released code does.

    Without --init nothing is fixed: what the released code fixes comes from a trained start.
    """
    from dffcli.categories import IMAGENET_VID
    from dffcli.evaluation.detection_source import parse_detection_source
    from dffcli.models.paper.build import new_network
    from dffcli.models.paper.checkpoints import TrainedFacts
    from dffcli.models.paper.prepare import VID
    from dffcli.models.paper.rfcn import RfcnNetwork
    from dffcli.training.paper_detect import PaperDetectObjective, PaperDetectSettings

    read = [parse_detection_source(text).read() for text in data]
    categories = IMAGENET_VID if classes is None else choose_categories(classes, read[0])
    network = new_network(model, classes=len(categories), starts=init or [], seed=seed)
    if not isinstance(network, RfcnNetwork):
        raise typer.BadParameter(f"expected a network of the kind dff-rfcn-*, got {model}")
    objective = PaperDetectObjective(
        network,
        categories=categories,
        data=read,
        validation={source.name: source.read() for source in map(parse_detection_source, validate or [])},
        settings=PaperDetectSettings(pairs, max_offset, sized(VID, short_side, long_side), fixes_start=bool(init)),
    )
    settings = released_settings(steps, learning_rate=learning_rate, drop=drop, every=validate_every, seed=seed)
    facts = TrainedFacts(categories, short_side, long_side)
    _fit(objective, settings, run, model=model, facts=facts, device=device, resume=resume, export=export, quiet=quiet)


@holding_outputs
def train_deeplab(
    run: options.RunFolder,
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="SOURCE",
            rich_help_panel=DATA,
            help="cityscapes:ROOT, camvid:ROOT or folder:PICTURES:MASKS, as for `dff train segment`.",
        ),
    ],
    validate: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", rich_help_panel=DATA, help="What to measure on.")
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            rich_help_panel=DATA,
            help="Names of the ids 0, 1, ... in the masks (greater ids are ignored), or camvid, cityscapes, voc.",
        ),
    ] = "cityscapes",
    model: Model = "dff-deeplab-resnet101",
    init: Init = None,
    max_offset: Offset = 4,
    short_side: ShortSide = 1024,
    long_side: LongSide = 2048,
    crop: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", rich_help_panel=DATA, help="Part of the input that is learned from.")
    ] = "1024x768",
    steps: options.Steps = 20_000,
    pairs: Pairs = 8,
    learning_rate: options.LearningRate = 5e-4,
    drop: Drop = 0.75,
    validate_every: options.ValidateEvery = 2000,
    seed: options.Seed = 0,
    device: options.DeviceOption = "auto",
    resume: options.Resume = False,
    export: options.Export = None,
    quiet: options.QuietOption = False,
) -> None:
    """Train the paper's segmenter, its flow network and its scale field together.

    Without --init nothing is fixed: what the released code fixes comes from a trained start.
    """
    from dffcli.evaluation.segment_source import parse_source
    from dffcli.models.paper.build import new_network
    from dffcli.models.paper.checkpoints import TrainedFacts
    from dffcli.models.paper.deeplab import DeeplabNetwork
    from dffcli.models.paper.prepare import CITYSCAPES
    from dffcli.training.paper_segment import PaperSegmentObjective, PaperSegmentSettings

    categories = options.parse_categories(classes)
    network = new_network(model, classes=len(categories), starts=init or [], seed=seed)
    if not isinstance(network, DeeplabNetwork):
        raise typer.BadParameter(f"expected a network of the kind dff-deeplab-*, got {model}")
    settings = PaperSegmentSettings(
        network.classes,
        pairs,
        max_offset,
        sized(CITYSCAPES, short_side, long_side),
        parse_size(crop),
        fixes_start=bool(init),
    )
    objective = PaperSegmentObjective(
        network,
        pictures=[one for text in data for one in parse_source(text).pictures(max_offset=max_offset)],
        validation={
            source.name: source.pictures(max_offset=max_offset) for source in map(parse_source, validate or [])
        },
        settings=settings,
    )
    how = released_settings(steps, learning_rate=learning_rate, drop=drop, every=validate_every, seed=seed)
    facts = TrainedFacts(categories, short_side, long_side)
    _fit(objective, how, run, model=model, facts=facts, device=device, resume=resume, export=export, quiet=quiet)


def sized(rule: InputRule, short_side: int, long_side: int) -> InputRule:
    """The same rule for another size."""
    return replace(rule, short_side=short_side, long_side=long_side)


def released_settings(steps: int, *, learning_rate: float, drop: float, every: int, seed: int) -> FitSettings:
    """SGD as the released code runs it: momentum 0.9, decay 5e-4, one drop of the rate, no averaging of weights."""
    from dffcli.training.fit import FitSettings

    return FitSettings(
        steps=steps,
        learning_rate=learning_rate,
        optimizer="sgd",
        nesterov=False,
        weight_decay=5e-4,
        warmup_steps=0,
        schedule="drops",
        drops=(drop,),
        average_decay=0.0,
        clip_norm=float("inf"),
        precision="float32",
        validate_every=every,
        seed=seed,
    )


def _fit(
    objective: Objective,
    settings: FitSettings,
    run: Path,
    *,
    model: str,
    facts: TrainedFacts,
    device: str,
    resume: bool,
    export: Path | None,
    quiet: bool,
) -> None:
    from dffcli.models.paper.importing import save_trained
    from dffcli.run.parts import resolve_device
    from dffcli.training.fit import fit

    with options.follow(steps=settings.steps, quiet=quiet) as on_step:
        result = fit(
            objective,
            settings,
            folder=run,
            device=resolve_device(device),
            resume=resume,
            on_step=on_step,
        )
    target = export or run / "network.safetensors"
    save_trained(result.module, target, model=model, steps=result.step, facts=facts)
    if not quiet:
        say(f"{target}: the network after {result.step} steps, for --model {model} --weights {target}")
