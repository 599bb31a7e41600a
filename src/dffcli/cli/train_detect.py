"""`dff train detect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from dffcli.cli.declare import declare
from dffcli.cli.terminal import say
from dffcli.cli.train_options import (
    AVERAGE_DECAY,
    BATCH_SIZE,
    DATA,
    JOINT,
    LEARN,
    LEARNING_RATE,
    VALIDATE,
    VALIDATE_EVERY,
    WARMUP,
    WEIGHT_DECAY,
    FitOptions,
    distinct_color,
    fit_as_asked,
)
from dffcli.cli.train_outputs import holding_outputs
from dffcli.cli.train_segment import FLOW_INIT, FREEZE, MAX_OFFSET, Frozen
from dffcli.option import option
from dffcli.run.read import names as split_names

if TYPE_CHECKING:
    from dffcli.categories import Category
    from dffcli.evaluation.detection_data import DetectionData
    from dffcli.training.objective import Objective

SOURCE_HELP = (
    "A COCO or CocoVID JSON file (its pictures in images/ beside it, or after a colon: boxes.json:PICTURES), or a "
    "folder in ImageNet VID/DET's, MOTChallenge's or YOLO's layout."
)


@dataclass(frozen=True, slots=True)
class DetectData:
    """What the detector learns from.

    Attributes:
        data: sources as they are written.
        validate: sources to measure on.
        classes: a known set, or names; all of the first source's if None.
        min_confidence: labels that score less count for nothing.
        input_size: long side of the pictures.
        init: "bundled", "random" or a file.
        distill: weight of the network's own answers.
        max_offset: frames from a key frame to a labelled one at most.
        flow: what is trained through.
        flow_init: flow network to start from.
        freeze: part that is left as it is.
    """

    data: tuple[str, ...] = option(
        help=f"{SOURCE_HELP} May be repeated, and may be followed by ',share=2' (how often its pictures are shown), "
        "',only=A*|B*', ',without=C*' (names), ',names=coco|FILE' "
        "(YOLO's classes: a known set, or a file with one a line).",
        metavar="SOURCE",
        panel=DATA,
        is_required=True,
    )
    validate: tuple[str, ...] = option((), VALIDATE)
    classes: str | None = option(
        None,
        help="What to find, by the names in the data, or a known set: coco, street-objects. All of the first source's "
        "classes if not given.",
        metavar="A,B,...",
        panel=DATA,
    )
    min_confidence: float = option(
        0.35,
        help="Boxes with a lower `score` in the data are neither learned nor held against a find.",
        metavar="X",
        panel=DATA,
        low=0,
        high=1,
    )
    input_size: int = option(576, help="Long side of the pictures it will run on.", metavar="N", panel=DATA, low=64)
    init: str = option(
        "bundled",
        help="Start from the bundled coco-det, from random values, or from a network that this command made; classes "
        "that it knows by the same name start with what it knows of them.",
        metavar="bundled|random|FILE",
        panel=LEARN,
    )
    distill: float = option(
        0.0,
        help="Weight of what the network itself answered before training, on every picture: keeps it from forgetting "
        "classes that the data does not label. 0: not asked.",
        metavar="X",
        panel=LEARN,
        low=0,
    )
    max_offset: int = option(
        0,
        MAX_OFFSET,
        help="Train through the warp: draw a key frame up to N frames before a labelled one (of data with videos: "
        "CocoVID, ImageNet VID, MOTChallenge); 0 trains on single pictures.",
    )
    flow: str = option(
        "light",
        help="Flow to train through: light is trained along; dis, dis-fast, dis-fine and farneback are what they are.",
        metavar="NAME",
        panel=JOINT,
    )
    flow_init: Path | None = option(None, FLOW_INIT)
    freeze: Frozen = option("nothing", FREEZE)


@dataclass(frozen=True, slots=True)
class DetectFit(FitOptions):
    """How it learns."""

    batch_size: int = option(10, BATCH_SIZE)
    learning_rate: float = option(3e-4, LEARNING_RATE)
    weight_decay: float = option(0.03, WEIGHT_DECAY)
    warmup: int = option(300, WARMUP)
    average_decay: float = option(0.998, AVERAGE_DECAY)
    validate_every: int = option(1000, VALIDATE_EVERY)


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, train_detect, name="detect", held=holding_outputs)


def train_detect(data: DetectData, fit: DetectFit) -> None:
    """Train the detector further, or from random values, on pictures with boxes.

    With --max-offset a labelled frame of a video is answered from a key frame before it, through the warp; the light
    flow network is trained with it, and written beside it as flow.safetensors, which `dff detect --flow` takes.

    The run's folder receives checkpoint.pt, log.jsonl, losses.png and, at the end, network.safetensors, which
    `dff detect --weights` takes. Killed at any moment, the same command with --resume goes on as if nothing happened.
    """
    import torch

    from dffcli.evaluation.detection_source import parse_detection_source
    from dffcli.files.network_file import bundled_file
    from dffcli.flow import build_flow
    from dffcli.flow.light_file import export_light_flow, load_light_flow
    from dffcli.models.coco_det import build
    from dffcli.models.coco_det.network import CocoDetector
    from dffcli.training.carried_detect import CarriedDetectObjective
    from dffcli.training.detect import DetectionSet, DetectObjective, DetectSettings, PictureSizes
    from dffcli.training.detection_augment import LabelWeights
    from dffcli.training.joint_detect import JointDetectObjective, JointDetector

    sources = [parse_detection_source(text) for text in data.data]
    sets = [DetectionSet(source.read(), source.share) for source in sources]
    validation = {source.name: source.read() for source in map(parse_detection_source, data.validate)}
    categories = choose_categories(data.classes, sets[0].data)
    settings = DetectSettings(
        fit.steps,
        batch_size=fit.batch_size,
        sizes=PictureSizes.for_input(data.input_size),
        label_weights=LabelWeights.from_confidence(data.min_confidence),
        distillation=data.distill,
        validation_size=data.input_size,
    )
    torch.manual_seed(fit.seed)
    known: set[str] = set()
    if data.init == "random":
        network = CocoDetector(classes=len(categories))
    else:
        start = bundled_file("coco-det")[0] if data.init == "bundled" else Path(data.init)
        network = build.start_from(start, categories=categories)
        known = build.known_categories(start, categories=categories)
    if data.distill and not known:
        raise typer.BadParameter("the network to start from knows none of these classes", param_hint="--distill")
    single = DetectObjective(
        network, categories=categories, sets=sets, validation=validation, settings=settings, known=known
    )
    objective: Objective = single
    if data.max_offset and data.flow == "light":
        learned_flow = load_light_flow(data.flow_init or bundled_file("light-flow")[0])
        joint = JointDetector(network, learned_flow, frozen=data.freeze)
        objective = JointDetectObjective(joint, single=single, max_offset=data.max_offset)
    elif data.max_offset:
        objective = CarriedDetectObjective(single, flow=build_flow(data.flow), max_offset=data.max_offset)
    result = fit_as_asked(objective, fit)
    target = fit.target
    learned = result.module
    advice = f"dff detect VIDEO --weights {target}"
    if isinstance(learned, JointDetector):
        flow_target = target.with_name("flow.safetensors")
        export_light_flow(flow_target, learned.flow)
        learned, advice = learned.detector, f"{advice} --flow {flow_target}"
    build.export(
        target, cast(CocoDetector, learned), categories=categories, input_size=data.input_size, steps=result.step
    )
    if not fit.quiet:
        say(f"{target}: the network after {result.step} steps; try  {advice}")


def choose_categories(classes: str | None, data: DetectionData) -> tuple[Category, ...]:
    """What to find: a known set, names that the data has, or all that it has."""
    from dffcli.categories import CATEGORY_SETS, Category

    if classes is not None and classes in CATEGORY_SETS:
        return CATEGORY_SETS[classes]
    known = {name.lower(): (number, name) for number, name in data.categories}
    wanted = list(known) if classes is None else [name.lower() for name in split_names(classes)]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise typer.BadParameter(
            f"the data has no {', '.join(unknown) or 'classes'}, only {', '.join(known) or 'nothing'}",
            param_hint="--classes",
        )
    rows = [known[name] for name in wanted]
    return tuple(Category(number, name, distinct_color(i)) for i, (number, name) in enumerate(rows))
