"""Ground truth for the frames of a source: a folder of masks, COCO or CocoVID JSON, or MOTChallenge's gt.txt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from dffcli.categories import Category
from dffcli.core.types import Frame, Task, UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels
from dffcli.evaluation.detection_readers import PERSON, read_coco
from dffcli.evaluation.segment_data import images_in, read_mask

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
        path: a folder of masks, a COCO or CocoVID JSON file, a gt.txt file, or a folder with `gt/gt.txt`.
        video: the source's name, to find it among the videos of a CocoVID file.

    Raises:
        DataError: it is none of these, or broken.
    """
    if path.is_dir():
        if (path / "gt" / "gt.txt").is_file():
            return _mot(path / "gt" / "gt.txt")
        return _masks(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    return _mot(path) if path.suffix.lower() == ".txt" else _coco(path, video=video)


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


def _coco(path: Path, *, video: str) -> Truth:
    data = read_coco(path, path.parent)
    sequences = data.sequences
    if any(len(sequence.frames) > 1 for sequence in sequences) and len(sequences) > 1:
        named = [sequence for sequence in sequences if Path(sequence.name).stem == Path(video).stem]
        if not named:
            known = ", ".join(sequence.name for sequence in sequences[:3])
            raise DataError(f"{path}: expected a video named {Path(video).stem} among {known} ...")
        sequences = tuple(named)
    frames = [frame for sequence in sequences for frame in sequence.frames]
    boxes: dict[str | int, BoxLabels] = {}
    for position, frame in enumerate(frames):
        if frame.labels is not None:
            boxes[position] = boxes[frame.path.stem] = frame.labels
    return Truth(path, Task.DETECT, boxes=boxes, categories=dict(data.categories))


def _mot(path: Path) -> Truth:
    """MOTChallenge's rows `frame, id, x, y, w, h, counts, ...`, frames counted from 1; persons alone."""
    rows: dict[int, list[list[float]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(value) for value in line.split(",")]
            rows.setdefault(int(row[0]), []).append([*row, *[1.0] * (7 - len(row))])
            row[5]
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}:{number}: expected frame, id, x, y, w, h, got {line[:40]!r}") from error
    if not rows:
        raise DataError(f"{path}: no row in it")
    boxes: dict[str | int, BoxLabels] = {}
    for frame in range(1, max(rows) + 1):
        mine = rows.get(frame, [])
        labels = BoxLabels.from_rows(
            [[r[2], r[3], r[2] + r[4], r[3] + r[5]] for r in mine],
            [PERSON[0]] * len(mine),
            is_ignored=[r[6] == 0 for r in mine],
            track_ids=[int(r[1]) for r in mine],
        )
        boxes[frame - 1] = labels
        boxes.update({f"{frame:0{width}}": labels for width in range(1, 9)})  # stills are named by their number
    return Truth(path, Task.DETECT, boxes=boxes, categories=dict([PERSON]))
