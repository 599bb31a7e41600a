"""What every output is: a sink that takes results in order and whose file appears only when complete."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, get_args

from dffcli.categories import PALETTES
from dffcli.core.task import Task
from dffcli.errors import OutputError
from dffcli.option import check_settings, option

if TYPE_CHECKING:
    from dffcli.core.types import FrameResult

MaskIds = Literal["classes", "voc", "cityscapes", "raw"]


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
        overwrite: replace outputs that exist.
        mask_ids: what the pixels of label masks are: class ids in the classes' colours, class ids in the VOC colour
            map, Cityscapes' label ids, or bare class ids.
        palette: the classes' colours: the model's own, or those of a data set (a name of `PALETTES`).
    """

    format: str | None = option(None, help="Format of what is not a video.")
    mask_ids: MaskIds = option("classes", help="Pixels of PNG masks.", choices=get_args(MaskIds), task=Task.SEGMENT)
    palette: str = option(
        "own",
        help="Colours of the classes: the model's own, or those of a data set.",
        choices=tuple(PALETTES),
        task=Task.SEGMENT,
    )
    opacity: float = option(0.5, help="How strongly masks are painted, 0 to 1.", low=0, high=1)
    crf: int | None = option(None, help="Quality of the video; lower is better.", low=0, high=63)
    overwrite: bool = option(False, help="Replace outputs that exist.", shapes_result=False)

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


def check_outputs(paths: tuple[str, ...], *, source: str, overwrite: bool) -> None:
    """Refuse, before anything runs, outputs that would replace what is there.

    A folder is replaced only if it holds annotations: `--overwrite` must not be able to remove anything else.

    Raises:
        OutputError: an output is named twice or lies in another, is the input, or exists and may not be replaced.
    """
    seen: set[Path] = set()
    read = Path(source).resolve() if Path(source).exists() else None
    for path in paths:
        place = Path(os.path.realpath(path))  # unlike `resolve`, silent about links in a circle
        if place in seen:
            raise OutputError(f"{path}: named twice as an output")
        inner = next((other for other in seen if other in place.parents or place in other.parents), None)
        if inner is not None:
            raise OutputError(f"{path}: lies in another output, or another in it: write side by side")
        seen.add(place)
        if read is not None and (place == read or _is_same_file(place, read) or place in read.parents):
            raise OutputError(f"{path}: is the input, or holds it; write somewhere else")
        is_taken = any(place.iterdir()) if place.is_dir() else place.exists()
        if is_taken and not overwrite:
            raise OutputError(f"{path}: exists; choose another name or add --overwrite")
        if is_taken and place.is_dir() and not (place / CLASSES_FILE).is_file():
            raise OutputError(f"{path}: not a folder of annotations, so --overwrite does not replace it")


def _is_same_file(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)
