"""`dff train detect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from dffcli.cli import train_options as options
from dffcli.cli.terminal import say
from dffcli.cli.train_outputs import holding_outputs
from dffcli.cli.train_segment import JOINT, FlowInit, Freeze, FrozenPart
from dffcli.run.read import names as split_names

if TYPE_CHECKING:
    from dffcli.categories import Category
    from dffcli.evaluation.detection_data import DetectionData
    from dffcli.training.objective import Objective

DATA = "What to learn from"
SOURCE_HELP = (
    "A COCO or CocoVID JSON file (its pictures in images/ beside it, or after a colon: boxes.json:PICTURES), or a "
    "folder in ImageNet VID/DET's, MOTChallenge's or YOLO's layout."
)

Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        metavar="SOURCE",
        rich_help_panel=DATA,
        help=f"{SOURCE_HELP} May be repeated, and may be followed by ',share=2' (how often its pictures are shown), "
        "',only=A*|B*', ',without=C*' (names), ',names=coco|FILE' "
        "(YOLO's classes: a known set, or a file with one a line).",
    ),
]
Validate = Annotated[
    list[str] | None,
    typer.Option("--validate", metavar="SOURCE", rich_help_panel=DATA, help="What to measure on; written like --data."),
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        rich_help_panel=DATA,
        help="What to find, by the names in the data, or a known set: coco, street-objects. All of the first source's "
        "classes if not given.",
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="X",
        rich_help_panel=DATA,
        help="Boxes with a lower `score` in the data are neither learned nor held against a find.",
    ),
]
InputSize = Annotated[
    int, typer.Option(min=64, metavar="N", rich_help_panel=DATA, help="Long side of the pictures it will run on.")
]
Init = Annotated[
    str,
    typer.Option(
        metavar="bundled|random|FILE",
        rich_help_panel=options.LEARN,
        help="Start from the bundled coco-det, from random values, or from a network that this command made; classes "
        "that it knows by the same name start with what it knows of them.",
    ),
]
Distill = Annotated[
    float,
    typer.Option(
        min=0.0,
        metavar="X",
        rich_help_panel=options.LEARN,
        help="Weight of what the network itself answered before training, on every picture: keeps it from forgetting "
        "classes that the data does not label. 0: not asked.",
    ),
]
WarpFlow = Annotated[
    str,
    typer.Option(
        "--flow",
        metavar="NAME",
        rich_help_panel=JOINT,
        help="Flow to train through: light is trained along; dis, dis-fast, dis-fine and farneback are what they are.",
    ),
]
MaxOffset = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        rich_help_panel=JOINT,
        help="Train through the warp: draw a key frame up to N frames before a labelled one (of data with videos: "
        "CocoVID, ImageNet VID, MOTChallenge); 0 trains on single pictures.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(train_detect)


@holding_outputs
def train_detect(
    run: options.RunFolder,
    data: Data,
    validate: Validate = None,
    classes: Classes = None,
    min_confidence: MinConfidence = 0.35,
    input_size: InputSize = 576,
    init: Init = "bundled",
    distill: Distill = 0.0,
    max_offset: MaxOffset = 0,
    flow: WarpFlow = "light",
    flow_init: FlowInit = None,
    freeze: Freeze = FrozenPart.NOTHING,
    steps: options.Steps = 8000,
    batch_size: options.BatchSize = 10,
    learning_rate: options.LearningRate = 3e-4,
    optimizer: options.OptimizerOption = options.Optimizer.ADAMW,
    weight_decay: options.WeightDecay = 0.03,
    rate_schedule: options.RateScheduleOption = options.RateSchedule.COSINE,
    warmup: options.Warmup = 300,
    average_decay: options.AverageDecay = 0.998,
    clip_norm: options.ClipNorm = 10.0,
    validate_every: options.ValidateEvery = 1000,
    precision: options.PrecisionOption = options.Precision.AUTO,
    seed: options.Seed = 0,
    device: options.DeviceOption = "auto",
    resume: options.Resume = False,
    export: options.Export = None,
    quiet: options.QuietOption = False,
) -> None:
    """Train the detector further, or from random values, on pictures with boxes.

    With --max-offset a labelled frame of a video is answered from a key frame before it, through the warp; the light
    flow network is trained with it, and written beside it as flow.safetensors, which `dff detect --flow` takes.

    The run's folder receives checkpoint.pt, log.jsonl, losses.png and, at the end, network.safetensors, which
    `dff detect --weights` takes. Killed at any moment, the same command with --resume goes on as if nothing happened.
    """
    chosen = dict(locals())
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

    sources = [parse_detection_source(text) for text in data]
    sets = [DetectionSet(source.read(), source.share) for source in sources]
    validation = {source.name: source.read() for source in map(parse_detection_source, validate or [])}
    categories = choose_categories(classes, sets[0].data)
    settings = DetectSettings(
        steps,
        batch_size=batch_size,
        sizes=PictureSizes.for_input(input_size),
        label_weights=LabelWeights.from_confidence(min_confidence),
        distillation=distill,
        validation_size=input_size,
    )
    torch.manual_seed(seed)
    known: set[str] = set()
    if init == "random":
        network = CocoDetector(classes=len(categories))
    else:
        start = bundled_file("coco-det")[0] if init == "bundled" else Path(init)
        network = build.start_from(start, categories=categories)
        known = build.known_categories(start, categories=categories)
    if distill and not known:
        raise typer.BadParameter("the network to start from knows none of these classes", param_hint="--distill")
    single = DetectObjective(
        network, categories=categories, sets=sets, validation=validation, settings=settings, known=known
    )
    objective: Objective = single
    if max_offset and flow == "light":
        learned_flow = load_light_flow(flow_init or bundled_file("light-flow")[0])
        joint = JointDetector(network, learned_flow, frozen=freeze.value)
        objective = JointDetectObjective(joint, single=single, max_offset=max_offset)
    elif max_offset:
        objective = CarriedDetectObjective(single, flow=build_flow(flow), max_offset=max_offset)
    result = options.fit_as_asked(objective, chosen)
    target = export or run / "network.safetensors"
    learned = result.module
    advice = f"dff detect VIDEO --weights {target}"
    if isinstance(learned, JointDetector):
        flow_target = target.with_name("flow.safetensors")
        export_light_flow(flow_target, learned.flow)
        learned, advice = learned.detector, f"{advice} --flow {flow_target}"
    build.export(target, cast(CocoDetector, learned), categories=categories, input_size=input_size, steps=result.step)
    if not quiet:
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
    return tuple(Category(number, name, options.distinct_color(i)) for i, (number, name) in enumerate(rows))
