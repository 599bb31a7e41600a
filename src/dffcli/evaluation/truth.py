"""Ground truth for the frames of a source: a folder of masks, or annotations in any format that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from dffcli.categories import Category
from dffcli.core.types import Frame, Task, UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels
from dffcli.evaluation.detection_readers import labels_of, refuse_broken
from dffcli.evaluation.segment_data import images_in, read_mask
from dffcli.formats.account import Account
from dffcli.formats.convert import read_annotations
from dffcli.formats.reading import Annotated, Given, Reading, known_videos

T = TypeVar("T")
SAME_NAMES = ({"person", "pedestrian"}, {"bicyclist", "rider"}, {"motorcycle", "motorbike"}, {"airplane", "aeroplane"})


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the frames, by file name (of stills) or by position (in videos).

    Attributes:
        path: where it was read.
        task: masks answer `segment`, boxes `detect`.
        masks: files of class ids.
        boxes: labelled objects, with ids of `categories`.
        categories: of the boxes, names by id.
    """

    path: Path
    task: Task
    masks: Mapping[str | int, Path] = field(default_factory=dict)
    boxes: Mapping[str | int, BoxLabels] = field(default_factory=dict)
    categories: Mapping[int, str] = field(default_factory=dict)

    def mask(self, frame: Frame) -> UInt8Array | None:
        """The class id of every pixel, `[H, W]`; None where the frame is not labelled.

        Raises:
            DataError: the file is broken or of another size.
        """
        path = _look_up(self.masks, frame)
        return None if path is None else read_mask(path, size=frame.size)

    def objects(self, frame: Frame) -> BoxLabels | None:
        """Its objects; None where the frame is not labelled."""
        return _look_up(self.boxes, frame)

    def common_categories(self, categories: tuple[Category, ...]) -> dict[int, int]:
        """From ids of the truth to ids of a model, by name.

        Raises:
            DataError: there is none in common.
        """
        mine = {category.name: category.id for category in categories}
        found = {}
        for number, name in self.categories.items():
            names = next((group for group in SAME_NAMES if name in group), {name})
            known = [mine[other] for other in names if other in mine]
            if known:
                found[number] = known[0]
        if not found:
            raise DataError(f"{self.path}: labels {', '.join(self.categories.values())}, none of which the model knows")
        return found


def _look_up(table: Mapping[str | int, T], frame: Frame) -> T | None:
    return table.get(frame.index if frame.name is None else Path(frame.name).stem)


def read_truth(path: Path, *, video: str) -> Truth:
    """Read ground truth, finding out what it is.

    Args:
        path: a folder of masks, or annotations in any format that `dff convert` reads.
        video: the source's name, to find it among the videos of a file that holds several.

    Raises:
        DataError: it is none of these, or broken.
    """
    if path.is_dir() and not any((path / name).exists() for name in ("gt", "det", "labels", "Annotations")):
        return _masks(path)
    images = path.parent if path.is_file() else None
    account = Account()
    format, videos = read_annotations(Reading(path, Given(images=images), account=account))
    chosen = _of_video(path, videos, video)
    boxes: dict[str | int, BoxLabels] = {}
    for found in chosen:
        for position, record in enumerate(found.records):
            if not record.is_labelled:
                continue
            labels = labels_of(record)
            boxes[record.index if format == "mot" or found.sequence.is_video else position] = labels
            if record.name is not None:
                boxes[Path(record.name).stem] = labels
            if format == "mot":  # stills are named by their number
                boxes.update({f"{record.index + 1:0{width}}": labels for width in range(1, 9)})
    refuse_broken(path, account)
    if not boxes:
        raise DataError(f"{path}: no labelled frame in it")
    categories = {item.id: item.name for found in chosen for item in found.sequence.categories}
    return Truth(path, Task.DETECT, boxes=boxes, categories=categories)


def _of_video(path: Path, videos: list[Annotated], video: str) -> list[Annotated]:
    """All of the file, or of several videos the one that is meant."""
    if len(videos) == 1 or not any(item.sequence.is_video for item in videos):
        return videos
    named = [item for item in videos if Path(item.sequence.info.name).stem == Path(video).stem]
    if not named:
        raise DataError(f"{path}: expected a video named {Path(video).stem} among {known_videos(videos)}")
    return named


def _masks(folder: Path) -> Truth:
    files = images_in(folder)
    masks: dict[str | int, Path] = {file.stem: file for file in files}
    masks.update(_numbered(files))
    return Truth(folder, Task.SEGMENT, masks=masks)


def _numbered(files: list[Path]) -> dict[str | int, Path]:
    """Position in the video by the number in the name, counted from the lowest if it is 0 or 1; else by order."""
    names = [file.stem for file in files]
    if all(stem.isdecimal() for stem in names) and min(map(int, names)) <= 1:
        first = min(map(int, names))
        return {int(stem) - first: file for stem, file in zip(names, files, strict=True)}
    return dict(enumerate(files))
