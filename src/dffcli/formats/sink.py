"""What every output is: a sink that takes results in order and whose file appears only when complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, get_args

from dffcli.categories import PALETTES
from dffcli.core.task import Task
from dffcli.option import check_settings, option

if TYPE_CHECKING:
    from dffcli.core.types import FrameResult

MaskIds = Literal["classes", "voc", "cityscapes", "raw"]
SaveFrames = Literal["no", "jpg", "png"]
Audio = Literal["copy", "aac", "opus", "none"]


LOOK = "Output"
MAX_CATEGORY = 1_000_000


def formats_help(_task: str | None) -> str:
    """The formats that a file's name does not say by itself."""
    return f"Format of what is not a video, where its name does not say: {', '.join(format_names())}."


def format_names() -> list[str]:
    """Formats that are written, but for the video."""
    from dffcli.formats.registry import formats

    return [name for name, form in formats().items() if form.is_written and name != "video"]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What an output says of the run that wrote it.

    Attributes:
        model: the network's name.
        weights: which weights it ran on, in words.
        is_random: they are random: the answers mean nothing, and every output says so.
        settings: the options that shaped the result.
    """

    model: str
    weights: str
    is_random: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How outputs are written.

    Attributes:
        format: the format's name, where the file's name does not say.
        opacity: how strongly masks are painted, 0..1.
        crf: quality of an overlaid video, lower is better; None for the container's default.
        audio: copy the sound of the source into a video, encode it anew, or leave it out.
        overwrite: replace outputs that exist.
        mask_ids: what the pixels of label masks are: class ids in the classes' colours, class ids in the VOC colour
            map, Cityscapes' label ids, or bare class ids.
        palette: the classes' colours: the model's own, or those of a data set (a name of `PALETTES`).
        keyframe_tolerance: pixels that a box drawn between two key frames of CVAT's or Label Studio's may be off.
        first_category_id: number the classes anew from here on; None for the model's own numbers.
        every: every so many frames are written to annotations, under their own numbers; all are looked at.
        only_key_frames: key frames alone are written to annotations.
        save_frames: the pictures that are written about are saved beside their labels, as `jpg` or `png`.
        media_url: what stands before the video's name where Label Studio looks for it.
    """

    format: str | None = option(None, help=formats_help, metavar="NAME", panel=LOOK, known=format_names)
    mask_ids: MaskIds = option(
        "classes",
        help="Pixels of PNG masks. classes: class ids, in the classes' colours. voc: class ids, in the VOC colour map. "
        "cityscapes: Cityscapes' label ids. raw: class ids without colours.",
        panel=LOOK,
        choices=get_args(MaskIds),
        task=Task.SEGMENT,
    )
    palette: str = option(
        "own",
        help="Colours of the classes. own: the model's; the bundled segmenter's are told apart without seeing red and "
        "green too. camvid: those CamVid has for classes of these names.",
        panel=LOOK,
        choices=tuple(PALETTES),
        task=Task.SEGMENT,
    )
    opacity: float = option(0.5, help="How strongly masks are painted, 0 to 1.", panel=LOOK, low=0, high=1)
    crf: int | None = option(
        None,
        help="Quality of the video; lower is better. (default: 20, and 30 for .webm)",
        metavar="N",
        panel=LOOK,
        low=0,
        high=51,
    )
    audio: Audio = option(
        "copy",
        help="Sound of the video. copy: as it is, where the file can hold it. aac, opus: encoded anew.",
        panel=LOOK,
        choices=get_args(Audio),
    )
    keyframe_tolerance: float = option(
        2.0,
        help="CVAT and Label Studio draw the boxes between their key frames: how far these may be off.",
        metavar="PIXELS",
        panel=LOOK,
        low=0,
    )
    first_category_id: int | None = option(
        None, help="Number the classes anew, from N on.", metavar="N", panel=LOOK, low=0, high=MAX_CATEGORY
    )
    every: int = option(
        1, help="Write every Nth frame to annotations, under its own number.", metavar="N", panel=LOOK, low=1
    )
    only_key_frames: bool = option(False, help="Write key frames alone to annotations.", panel=LOOK)
    save_frames: SaveFrames = option(
        "no",
        help="Save the pictures too, under the names that labels have: in folders of YOLO, COCO and MOT.",
        panel=LOOK,
        choices=get_args(SaveFrames),
    )
    media_url: str = option(
        "", help="What stands before the video's name for Label Studio to find it.", metavar="PREFIX", panel=LOOK
    )
    overwrite: bool = option(False, help="Replace outputs that exist.", panel=LOOK, shapes_result=False)

    def __post_init__(self) -> None:
        check_settings(self)


class Sink(Protocol):
    """One output: entered, given every result in frame order, and left; only then is there a file of its name."""

    def __enter__(self) -> Self:
        """Begin, under a temporary name."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the output; or, after an error, remove what was begun."""

    def write(self, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            OutputError: it cannot be written.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how it was written, once it is."""


CLASSES_FILE = "classes.json"
"""Lies in every folder of annotations, and is what such a folder is known by."""
