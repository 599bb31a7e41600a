"""Arguments and options that several commands take, and how their text is read."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dffcli.models.registry import Weights


class ScheduleName(StrEnum):
    """Values of `--schedule`."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"


class MaskIdsName(StrEnum):
    """Values of `--mask-ids`."""

    CLASSES = "classes"
    VOC = "voc"
    CITYSCAPES = "cityscapes"
    RAW = "raw"


class PaletteName(StrEnum):
    """Values of `--palette`."""

    OWN = "own"
    CAMVID = "camvid"


def parse_seconds(text: str) -> Fraction:
    """Seconds from `12`, `12.5`, `1:02.5` or `1:00:02`."""
    try:
        total = Fraction(0)
        parts = text.split(":")
        if len(parts) > 3:
            raise ValueError
        for part in parts:
            total = total * 60 + Fraction(part)
    except (ValueError, ZeroDivisionError) as error:
        raise typer.BadParameter(f"expected seconds or h:m:s, got {text!r}") from error
    if total < 0:
        raise typer.BadParameter(f"expected a time of at least 0, got {text!r}")
    return total


def parse_rate(text: str) -> Fraction:
    """Frames per second from `25`, `29.97` or `30000/1001`."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise typer.BadParameter(f"expected frames per second, got {text!r}") from error
    if not 0 < rate <= 100_000:
        raise typer.BadParameter(f"expected a rate above 0, got {text!r}")
    return rate


def parse_weights(text: str) -> Weights:
    """`default`, `random`, or a path."""
    if text == "default":
        return "default"
    return "random" if text == "random" else Path(text)


def parse_intervals(text: str) -> list[int]:
    """Key intervals from `1,5,10`."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"expected whole numbers between commas, got {text!r}") from error
    if min(found) < 1:
        raise typer.BadParameter(f"expected intervals of at least 1, got {text!r}")
    return found


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


WHAT, KEYS, LOOK = "What to run", "Key frames", "Output"

Source = Annotated[
    str,
    typer.Argument(
        metavar="INPUT", help="A video, a folder or 'glob*' of images, a camera number, or an rtsp/http address."
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        rich_help_panel=LOOK,
        help="Where to write; may be repeated. .mp4 .mkv .mov .webm: the video with its annotation drawn in; "
        ".json: COCO (.cocovid.json, .results.json ...: see --format); .xml: CVAT; .txt: MOT; a folder: one PNG mask a "
        "frame. Without it: INPUT.dff.mp4 in the current folder.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        rich_help_panel=LOOK,
        help="Format of what is not a video, where its name does not say: coco, coco-results, cocovid, youtube-vis, "
        "label-studio, cvat, mot, yolo, yolo-results, masks.",
    ),
]
Model = Annotated[
    str | None, typer.Option(metavar="NAME", rich_help_panel=WHAT, help="Which network; `dff models` lists them.")
]
WeightsOption = Annotated[
    str,
    typer.Option(
        metavar="PATH|default",
        rich_help_panel=WHAT,
        help="The network's weights: 'default', a .pth or .safetensors file, or 'random' (for timing only).",
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", rich_help_panel=WHAT, help="auto, cpu, cuda, cuda:N or mps.")]
Runtime = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=WHAT,
        help="What runs the feature network: torch, compile, openvino or onnx (the last two need that extra).",
    ),
]
KeyInterval = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", rich_help_panel=KEYS, help="A key frame every N frames (the fixed schedule)."),
]
Schedule = Annotated[
    ScheduleName | None,
    typer.Option(
        rich_help_panel=KEYS,
        help="fixed: every N frames. adaptive: where the carried result can no longer be trusted. (default: adaptive)",
    ),
]
MaxInterval = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", rich_help_panel=KEYS, help="Longest interval of the adaptive schedule. (default: 30)"
    ),
]
Causal = Annotated[
    bool,
    typer.Option(
        "--causal", rich_help_panel=KEYS, help="Never look ahead: the paper's form, and the one for live sources."
    ),
]
Flow = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=KEYS,
        help="Optical flow: dis, dis-fast, dis-fine, farneback, raft_small, raft_large, none. "
        "(default: dis, or the model's own)",
    ),
]
Classes = Annotated[str | None, typer.Option(metavar="A,B", rich_help_panel=WHAT, help="Only these classes, by name.")]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", rich_help_panel=WHAT, help="From here: seconds or hours:minutes:seconds.")
]
End = Annotated[
    str | None, typer.Option(metavar="TIME", rich_help_panel=WHAT, help="To here: seconds or hours:minutes:seconds.")
]
MaxPixels = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", rich_help_panel=WHAT, help="Refuse larger pictures: a small file can claim gigabytes."
    ),
]
MAX_PIXELS = 8192 * 8192  # as `dffcli.video.source.MAX_PIXELS`, which is not imported for the sake of a quick --help
MaskIdsOption = Annotated[
    MaskIdsName,
    typer.Option(
        "--mask-ids",
        rich_help_panel=LOOK,
        help="Pixels of PNG masks. classes: class ids, in the classes' colours. voc: class ids, in the VOC colour map. "
        "cityscapes: Cityscapes' label ids. raw: class ids without colours.",
    ),
]
Palette = Annotated[
    PaletteName,
    typer.Option(
        rich_help_panel=LOOK,
        help="Colours of the classes. own: the model's; the bundled segmenter's are told apart without seeing red and "
        "green too. camvid: those CamVid has for classes of these names.",
    ),
]
Opacity = Annotated[
    float, typer.Option(min=0.0, max=1.0, rich_help_panel=LOOK, help="How strongly masks are painted, 0 to 1.")
]
Crf = Annotated[int, typer.Option(min=0, max=51, rich_help_panel=LOOK, help="Quality of the video; lower is better.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", rich_help_panel=LOOK, help="Replace outputs that exist.")]
Resume = Annotated[
    bool,
    typer.Option("--resume", rich_help_panel=LOOK, help="Go on where an interrupted run of the same command stopped."),
]
Show = Annotated[
    bool,
    typer.Option(
        "--show", rich_help_panel=LOOK, help="Show the frames in a window too (needs opencv-python); q closes it."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=LOOK, help="No progress, no summary.")]
Report = Annotated[
    Path | None,
    typer.Option(metavar="FILE.json", rich_help_panel=LOOK, help="Write what the run cost, in full."),
]
