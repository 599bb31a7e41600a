"""What a user can ask of a run: every option of it, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dffcli.core.task import Task
from dffcli.formats.sink import OutputOptions
from dffcli.models.registry import Weights
from dffcli.option import check_settings, option
from dffcli.video.source import MAX_PIXELS

DEFAULT_INTERVAL = 10  # frames; the paper's for detection


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a user asked for; None where it is left to the run.

    Attributes:
        source: video file, folder or glob of images, camera index, or address of a stream.
        outputs: files and folders to write; their kinds follow from their names.
        task: what to answer on every frame.
        model: as `dff models` lists it; the task's default if None.
        weights: which weights to load.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        runtime: what runs the feature network, one of `dffcli.models.weights.runtimes.RUNTIMES`.
        score_threshold: detections below it are dropped, 0..1.
        classes: names of the categories to keep; all if empty.
        track: give each object one id through the video.
        start, end: part of the source to take, in seconds.
        max_pixels: refuse larger pictures.
        key_interval: frames between key frames of the fixed schedule, which it asks for.
        schedule: how key frames are chosen; adaptive if None, unless there is a key interval.
        max_interval: frames between key frames of the adaptive schedule at most.
        causal: never look ahead, even in a file.
        flow: as `dffcli.flow.FLOWS` lists it; the model's own, or "dis", if None.
        output: how to draw and encode.
        resume: go on where an interrupted run with the same settings stopped.
        report: a JSON file for what the run cost.
    """

    source: str = option(help="A video, a folder or 'glob*' of images, a camera number, or an rtsp/http address.")
    outputs: tuple[str, ...] = option(help="Where to write.", is_written=True)
    task: Task = option(help="What to answer on every frame.")
    model: str | None = option(None, help="Which network.")
    weights: Weights = option("default", help="The network's weights.")
    device: str = option("auto", help="Where it runs.")
    runtime: str = option("torch", help="What runs the feature network.")
    score_threshold: float = option(0.5, help="Drop boxes with a lower score.", low=0, high=1, task=Task.DETECT)
    classes: tuple[str, ...] = option((), help="Only these classes.")
    track: bool = option(False, help="Give each object one id through the video.", task=Task.DETECT)
    start: Fraction | None = option(None, help="From here.", low=0)
    end: Fraction | None = option(None, help="To here.", low=0)
    max_pixels: int = option(MAX_PIXELS, help="Refuse larger pictures.", low=1, shapes_result=False)
    key_interval: int | None = option(None, help="A key frame every N frames.", low=1)
    schedule: str | None = option(None, help="How key frames are chosen.", choices=("fixed", "adaptive"))
    max_interval: int | None = option(None, help="Longest interval of the adaptive schedule.", low=1)
    causal: bool = option(False, help="Never look ahead.")
    flow: str | None = option(None, help="Optical flow.")
    output: OutputOptions = option(OutputOptions, help="How outputs are written.")
    resume: bool = option(False, help="Go on where an interrupted run stopped.", shapes_result=False)
    report: Path | None = option(None, help="Write what the run cost, in full.", shapes_result=False)

    def __post_init__(self) -> None:
        check_settings(self)
