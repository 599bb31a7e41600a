"""What a user can ask of a run: every option of it, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dffcli.core.defaults import MAX_INTERVAL, TARGET
from dffcli.core.task import Task
from dffcli.flow import FLOWS
from dffcli.formats.sink import OutputOptions
from dffcli.models.registry import DEFAULT_MODELS, RUNTIMES, Weights, model_entries
from dffcli.option import Option, check_settings, option
from dffcli.run.read import class_names, names, period, rate, seconds, weights
from dffcli.video.source import MAX_PIXELS

DEFAULT_INTERVAL = 10  # frames; the paper's for detection
WHAT, KEYS, LOOK = "What to run", "Key frames", "Output"


def models_help(task: str | None) -> str:
    """The networks for a task that come with weights, the default one first."""
    known = [entry for entry in model_entries().values() if task in (None, entry.task) and entry.has_weights]
    first = [DEFAULT_MODELS[Task(task)]] if task else []
    others = [entry.name for entry in known if entry.name not in first]
    listed = ", ".join([*(f"{name} (default)" for name in first), *others])
    return f"Which network: {listed}. `dff models` tells of each, and of those whose weights are yours to bring."


def flows_help(_task: str | None) -> str:
    """The flow estimators."""
    return f"Optical flow: {', '.join(FLOWS)}, or a FILE.safetensors. (default: the model's own, or dis)"


def class_words() -> list[str]:
    """Names of classes that some model knows."""
    return sorted({category.name for entry in model_entries().values() for category in entry.categories})


MODEL = Option(models_help, metavar="NAME", panel=WHAT, known=model_entries)
WEIGHTS = Option(
    "The network's weights: 'default', a .pth or .safetensors file, or 'random' (for timing only).",
    metavar="PATH|default",
    panel=WHAT,
    read=weights,
)
CLASS_NAMES = Option(
    "Names of the classes of weights of your own: A,B,... or a FILE (one a line, data.yaml or COCO's .json). "
    "(default: as the weights or a file beside them say)",
    metavar="A,B|FILE",
    panel=WHAT,
    read=class_names,
)
DEVICE = Option(
    "auto, cpu, cuda, cuda:N or mps.", metavar="NAME", panel=WHAT, known=lambda: ("auto", "cpu", "cuda", "mps")
)
RUNTIME = Option(
    f"What runs the feature network: {', '.join(RUNTIMES)} (the last two need that extra).",
    metavar="NAME",
    panel=WHAT,
    known=lambda: RUNTIMES,
)
CAUSAL = Option("Never look ahead: the paper's form, and the one for live sources.", panel=KEYS)
FLOW = Option(flows_help, metavar="NAME", panel=KEYS, known=lambda: FLOWS)
TARGET_AGREEMENT = Option(
    "How much of the per-frame result is to be kept: of its pixels the share with the same class, of its boxes F1 "
    f"(a score that wavers about the threshold is not held against it). As few key frames as that takes. "
    f"(default: {TARGET:g})",
    metavar="SHARE",
    panel=KEYS,
    low=0.5,
    high=0.999,
)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a user asked for; None where it is left to the run.

    Attributes:
        source: video file, folder or glob of images, camera index, or address of a stream.
        outputs: files and folders to write; their kinds follow from their names.
        task: what to answer on every frame.
        model: as `dff models` lists it; the task's default if None.
        weights: which weights to load.
        class_names: of the classes of weights of one's own.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        runtime: what runs the feature network, one of `dffcli.models.registry.RUNTIMES`.
        score_threshold: detections below it are dropped, 0..1.
        classes: names of the categories to keep; all if empty.
        track: give each object one id through the video.
        min_track: tracks seen on fewer frames are left out.
        fill_gaps: gaps in tracks of at most so many frames are filled.
        smooth: boxes of tracks are smoothed over so many frames before and after.
        start, end: part of the source to take, in seconds.
        stream: number of the video stream to take, in a file of several; the one that is meant if None.
        fps: frames per second that images without times of their own are given; 25 if None.
        max_pixels: refuse larger pictures.
        key_interval: frames between key frames of the fixed schedule, which it asks for.
        schedule: how key frames are chosen; adaptive if None, unless there is a key interval.
        target_agreement: share of per-frame results that the adaptive schedule keeps, 0..1.
        max_interval: frames between key frames of the adaptive schedule at most.
        max_cost: the adaptive schedule never costs more than a key frame every so many frames would.
        causal: never look ahead, even in a file.
        flow: as `dffcli.flow.FLOWS` lists it; the model's own, or "dis", if None.
        output: how to draw and encode.
        roll: begin a new file every so many seconds; one file for all if None.
        resume: go on where an interrupted run with the same settings stopped.
        report: a JSON file for what the run cost.
    """

    source: str = option(
        help="A video, a folder or 'glob*' of images, a camera number, an rtsp/http address, or - for standard input.",
        metavar="INPUT",
        is_argument=True,
    )
    outputs: tuple[str, ...] = option(
        help="Where to write; may be repeated. .mp4 .m4v .mov .mkv .webm: the video with its annotation drawn in; "
        ".json: COCO (.cocovid.json, .results.json ...: see --format); .xml: CVAT; .txt: MOT; a folder: one PNG mask a "
        "frame; -: JSON lines on standard output, or a video there with --format mkv or mp4. Without it: INPUT.dff.mp4 "
        "in the current folder.",
        flags=("--output", "-o"),
        metavar="OUT",
        panel=LOOK,
        is_written=True,
    )
    task: Task = option(help="What to answer on every frame.", is_given=True)
    model: str | None = option(None, MODEL)
    weights: Weights = option("default", WEIGHTS)
    class_names: tuple[str, ...] = option((), CLASS_NAMES)
    device: str = option("auto", DEVICE)
    runtime: str = option("torch", RUNTIME)
    score_threshold: float = option(
        0.5, help="Drop boxes with a lower score.", panel=WHAT, low=0, high=1, task=Task.DETECT
    )
    classes: tuple[str, ...] = option(
        (), help="Only these classes, by name.", metavar="A,B", panel=WHAT, read=names, known=class_words
    )
    track: bool = option(False, help="Give each object one id through the video.", panel=WHAT, task=Task.DETECT)
    min_track: int = option(
        1,
        help="With --track, leave out tracks seen on fewer than N frames.",
        metavar="N",
        panel=WHAT,
        low=1,
        high=15,
        task=Task.DETECT,
    )
    fill_gaps: int = option(
        0,
        help="With --track, fill gaps of at most N frames along the flow.",
        metavar="N",
        panel=WHAT,
        low=0,
        high=30,
        task=Task.DETECT,
    )
    smooth: int = option(
        0,
        help="With --track, smooth boxes over N frames before and after.",
        metavar="N",
        panel=WHAT,
        low=0,
        high=30,
        task=Task.DETECT,
    )
    start: Fraction | None = option(
        None, help="From here: seconds or hours:minutes:seconds.", metavar="TIME", panel=WHAT, read=seconds, low=0
    )
    end: Fraction | None = option(
        None, help="To here: seconds or hours:minutes:seconds.", metavar="TIME", panel=WHAT, read=seconds, low=0
    )
    stream: int | None = option(
        None,
        help="Number of the video stream, in a file of several. (default: the one marked so, then the largest)",
        metavar="N",
        panel=WHAT,
        low=0,
    )
    fps: Fraction | None = option(
        None,
        help="Frames per second of images without times: 25, 29.97 or 30000/1001. (default: 25)",
        metavar="RATE",
        panel=WHAT,
        read=rate,
    )
    max_pixels: int = option(
        MAX_PIXELS,
        help="Refuse larger pictures: a small file can claim gigabytes.",
        metavar="N",
        panel=WHAT,
        low=1,
        shapes_result=False,
    )
    key_interval: int | None = option(
        None, help="A key frame every N frames (the fixed schedule).", metavar="N", panel=KEYS, low=1
    )
    schedule: str | None = option(
        None,
        help=f"fixed: every N frames ({DEFAULT_INTERVAL} if not said). adaptive: as few as the agreement "
        "asked for takes. (default: adaptive)",
        panel=KEYS,
        choices=("fixed", "adaptive"),
    )
    target_agreement: float | None = option(None, TARGET_AGREEMENT)
    max_interval: int | None = option(
        None,
        help=f"Longest interval of the adaptive schedule. (default: {MAX_INTERVAL})",
        metavar="N",
        panel=KEYS,
        low=1,
    )
    max_cost: int | None = option(
        None,
        help="Never cost more than a key frame every N frames would, whatever the agreement; the summary says what "
        "that took.",
        metavar="N",
        panel=KEYS,
        low=1,
    )
    causal: bool = option(False, CAUSAL)
    flow: str | None = option(None, FLOW)
    output: OutputOptions = option(OutputOptions, help="How outputs are written.")
    roll: Fraction | None = option(
        None,
        help="Begin new files after so long: 90s, 10m, 1h. OUT.mp4 becomes OUT-0001.mp4, OUT-0002.mp4 and so on.",
        metavar="TIME",
        panel=LOOK,
        read=period,
    )
    resume: bool = option(
        False, help="Go on where an interrupted run of the same command stopped.", panel=LOOK, shapes_result=False
    )
    report: Path | None = option(
        None, help="Write what the run cost, in full.", metavar="FILE.json", panel=LOOK, shapes_result=False
    )

    def __post_init__(self) -> None:
        check_settings(self)
