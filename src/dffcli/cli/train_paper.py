"""`dff train rfcn` and `dff train deeplab`: the paper's own networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dffcli.cli.declare import declare
from dffcli.cli.terminal import say
from dffcli.cli.train_detect import SOURCE_HELP, choose_categories
from dffcli.cli.train_options import (
    CLASSES,
    DATA,
    LEARN,
    LEARNING_RATE,
    STEPS,
    VALIDATE,
    VALIDATE_EVERY,
    RunOptions,
    fit_shown,
    parse_categories,
)
from dffcli.cli.train_outputs import holding_outputs
from dffcli.option import Option, option
from dffcli.run.read import size, size_text

if TYPE_CHECKING:
    from dffcli.models.paper.checkpoints import TrainedFacts
    from dffcli.models.paper.prepare import InputRule
    from dffcli.training.fit import FitSettings
    from dffcli.training.objective import Objective

MODEL = Option("Which network.", metavar="NAME", panel=LEARN)
INIT = Option(
    "Start from these weights, whole or in part (see `dff weights import`); may be repeated.",
    metavar="FILE",
    panel=LEARN,
    exists=True,
)
OFFSET = Option("The key lies up to N frames before.", metavar="N", panel=DATA, low=0)
PAIRS = Option("Pairs in a step.", metavar="N", panel=LEARN, low=1)
SHORT_SIDE = Option("Short side of the input, in pixels.", metavar="N", panel=DATA, low=32)
LONG_SIDE = Option("Longest side of the input, in pixels.", metavar="N", panel=DATA, low=32)
DROP = Option("Share of the steps before the rate falls.", panel=LEARN, low=0, high=1)


@dataclass(frozen=True, slots=True)
class RfcnData:
    """What the paper's detector learns from.

    Attributes:
        data: sources as they are written.
        validate: sources to measure on.
        classes: a known set, or names.
        model: which network.
        init: weights to start from.
        max_offset: frames from a key frame to a labelled one at most.
        short_side: of the input.
        long_side: of the input.
    """

    data: tuple[str, ...] = option(
        help=f"{SOURCE_HELP} May be repeated, and may be followed by ',only=A*|B*', ',without=C*' (names) and "
        "',names=coco|FILE' (YOLO's classes). Stills teach N_feat and N_task only.",
        metavar="SOURCE",
        panel=DATA,
        is_required=True,
    )
    validate: tuple[str, ...] = option((), VALIDATE)
    classes: str | None = option(
        None,
        help="What to find, by the names in the data, or a known set. ImageNet VID's 30 if not given.",
        metavar="A,B,...",
        panel=DATA,
    )
    model: str = option("dff-rfcn-resnet101", MODEL)
    init: tuple[Path, ...] = option((), INIT)
    max_offset: int = option(9, OFFSET)
    short_side: int = option(600, SHORT_SIDE)
    long_side: int = option(1000, LONG_SIDE)


@dataclass(frozen=True, slots=True)
class DeeplabData:
    """What the paper's segmenter learns from.

    Attributes:
        data: sources as they are written.
        validate: sources to measure on.
        classes: a known set, or names.
        model: which network.
        init: weights to start from.
        max_offset: frames from a key frame to a labelled one at most.
        short_side: of the input.
        long_side: of the input.
        crop: `(height, width)` of the part that is learned from.
    """

    data: tuple[str, ...] = option(
        help="cityscapes:ROOT, camvid:ROOT or folder:PICTURES:MASKS, as for `dff train segment`.",
        metavar="SOURCE",
        panel=DATA,
        is_required=True,
    )
    validate: tuple[str, ...] = option((), VALIDATE)
    classes: str = option("cityscapes", CLASSES)
    model: str = option("dff-deeplab-resnet101", MODEL)
    init: tuple[Path, ...] = option((), INIT)
    max_offset: int = option(4, OFFSET)
    short_side: int = option(1024, SHORT_SIDE)
    long_side: int = option(2048, LONG_SIDE)
    crop: tuple[int, int] = option(
        (768, 1024),
        help="Part of the input that is learned from.",
        metavar="WIDTHxHEIGHT",
        panel=DATA,
        read=size,
        write=size_text,
    )


@dataclass(frozen=True, slots=True)
class PaperFit(RunOptions):
    """How it learns, as the released code does.

    Attributes:
        steps: in all.
        pairs: in a step.
        learning_rate: its peak.
        drop: share of the steps before the rate falls.
    """

    steps: int = option(111_000, STEPS)
    pairs: int = option(4, PAIRS)
    learning_rate: float = option(2.5e-4, LEARNING_RATE)
    drop: float = option(2 / 3, DROP)
    validate_every: int = option(10_000, VALIDATE_EVERY)


@dataclass(frozen=True, slots=True)
class DeeplabFit(PaperFit):
    """How the segmenter does."""

    steps: int = option(20_000, STEPS)
    pairs: int = option(8, PAIRS)
    learning_rate: float = option(5e-4, LEARNING_RATE)
    drop: float = option(0.75, DROP)
    validate_every: int = option(2000, VALIDATE_EVERY)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    declare(app, train_rfcn, name="rfcn", held=holding_outputs)
    declare(app, train_deeplab, name="deeplab", held=holding_outputs)


def train_rfcn(data: RfcnData, fit: PaperFit) -> None:
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

    read = [parse_detection_source(text).read() for text in data.data]
    categories = IMAGENET_VID if data.classes is None else choose_categories(data.classes, read[0])
    network = new_network(data.model, classes=len(categories), starts=data.init, seed=fit.seed)
    if not isinstance(network, RfcnNetwork):
        raise typer.BadParameter(f"expected a network of the kind dff-rfcn-*, got {data.model}")
    objective = PaperDetectObjective(
        network,
        categories=categories,
        data=read,
        validation={source.name: source.read() for source in map(parse_detection_source, data.validate)},
        settings=PaperDetectSettings(
            fit.pairs, data.max_offset, sized(VID, data.short_side, data.long_side), fixes_start=bool(data.init)
        ),
    )
    facts = TrainedFacts(categories, data.short_side, data.long_side)
    _fit(objective, fit, model=data.model, facts=facts)


def train_deeplab(data: DeeplabData, fit: DeeplabFit) -> None:
    """Train the paper's segmenter, its flow network and its scale field together.

    Without --init nothing is fixed: what the released code fixes comes from a trained start.
    """
    from dffcli.evaluation.segment_source import parse_source
    from dffcli.models.paper.build import new_network
    from dffcli.models.paper.checkpoints import TrainedFacts
    from dffcli.models.paper.deeplab import DeeplabNetwork
    from dffcli.models.paper.prepare import CITYSCAPES
    from dffcli.training.paper_segment import PaperSegmentObjective, PaperSegmentSettings

    categories = parse_categories(data.classes)
    network = new_network(data.model, classes=len(categories), starts=data.init, seed=fit.seed)
    if not isinstance(network, DeeplabNetwork):
        raise typer.BadParameter(f"expected a network of the kind dff-deeplab-*, got {data.model}")
    settings = PaperSegmentSettings(
        network.classes,
        fit.pairs,
        data.max_offset,
        sized(CITYSCAPES, data.short_side, data.long_side),
        data.crop,
        fixes_start=bool(data.init),
    )
    objective = PaperSegmentObjective(
        network,
        pictures=[one for text in data.data for one in parse_source(text).pictures(max_offset=data.max_offset)],
        validation={
            source.name: source.pictures(max_offset=data.max_offset) for source in map(parse_source, data.validate)
        },
        settings=settings,
    )
    facts = TrainedFacts(categories, data.short_side, data.long_side)
    _fit(objective, fit, model=data.model, facts=facts)


def sized(rule: InputRule, short_side: int, long_side: int) -> InputRule:
    """The same rule for another size."""
    return replace(rule, short_side=short_side, long_side=long_side)


def released_settings(fit: PaperFit) -> FitSettings:
    """SGD as the released code runs it: momentum 0.9, decay 5e-4, one drop of the rate, no averaging of weights."""
    from dffcli.training.fit import FitSettings

    return FitSettings(
        steps=fit.steps,
        learning_rate=fit.learning_rate,
        optimizer="sgd",
        nesterov=False,
        weight_decay=5e-4,
        warmup_steps=0,
        schedule="drops",
        drops=(fit.drop,),
        average_decay=0.0,
        clip_norm=float("inf"),
        precision="float32",
        validate_every=fit.validate_every,
        seed=fit.seed,
    )


def _fit(objective: Objective, fit: PaperFit, *, model: str, facts: TrainedFacts) -> None:
    from dffcli.models.paper.importing import save_trained

    result = fit_shown(objective, released_settings(fit), fit)
    save_trained(result.module, fit.target, model=model, steps=result.step, facts=facts)
    if not fit.quiet:
        say(f"{fit.target}: the network after {result.step} steps, for --model {model} --weights {fit.target}")
