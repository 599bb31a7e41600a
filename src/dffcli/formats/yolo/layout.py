"""Where the label files of a YOLO folder lie, and which picture each belongs to.

| layout | labels |
|---|---|
| Ultralytics | `labels/`, `labels/train/` ..., pictures in `images/` beside it |
| Roboflow, supervision | `train/labels/`, `valid/labels/` ..., pictures in `train/images/` |
| Darknet, CVAT's YOLO 1.1 | `obj_train_data/` ..., pictures beside the labels, listed in `train.txt` |
| plain | text files in the folder itself |
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dffcli.errors import DataError
from dffcli.formats.numbering import frame_numbers
from dffcli.formats.numbers import file_name, printable
from dffcli.formats.reading import Reading
from dffcli.video.images import natural_key
from dffcli.video.stills import IMAGE_SUFFIXES

LABELS_FOLDER = "labels"
IMAGES_FOLDER = "images"
NOT_LABELS = ("classes.txt", "predefined_classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt", "readme.txt",
              "readme.roboflow.txt", "readme.dataset.txt")  # fmt: skip
_TRACKED = re.compile(r"(.*)_([1-9]\d{0,6})", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A frame of a YOLO folder.

    Attributes:
        index: counted from 0.
        name: of its picture, relative to the pictures' folder.
        text: its label file; None if there is none, as for frames on which nothing is.
        picture: its picture, if it lies there.
    """

    index: int
    name: str
    text: Path | None
    picture: Path | None


def label_frames(reading: Reading) -> list[Labelled]:
    """Every frame of a folder, in order.

    A picture without a label file is a frame without objects. Names that are one word and a number say which frame they
    are: `frame_000010` is frame 10; without zeros in front, as Ultralytics names them, they count from 1.

    Raises:
        DataError: there are no label files.
    """
    texts: dict[str, Path] = {}
    pictures: dict[str, Path] = {}
    for labels, images, prefix in _roots(reading.path):
        for path in _files(reading, labels, (".txt",)):
            if path.name.lower() not in NOT_LABELS or labels != reading.path:
                texts[prefix + _stem(path, labels)] = path
        for path in _files(reading, reading.given.images or images, IMAGE_SUFFIXES):
            pictures.setdefault(prefix + _stem(path, images), path)
    if not texts and not (pictures and (reading.path / LABELS_FOLDER).is_dir()):
        raise DataError(f"{reading.path}: expected label files, found none")
    listed = _listed(reading)
    stems = sorted({*texts, *pictures, *listed}, key=natural_key)
    numbers = _numbers(stems) or list(range(len(stems)))
    found = []
    for stem, index in zip(stems, numbers, strict=True):
        picture = pictures.get(stem)
        suffix = picture.suffix if picture is not None else listed.get(stem, ".jpg")
        name = file_name(stem + suffix)
        if name != stem + suffix:
            said = "names of pictures, made safe to use"
            reading.account.change("names-made-safe", said, printable(repr(stem)))
        found.append(Labelled(index, name, texts.get(stem), picture))
    return sorted(found, key=lambda frame: frame.index)


def _roots(path: Path) -> Iterator[tuple[Path, Path, str]]:
    """Folders of labels and of their pictures, and what the names of their frames begin with."""
    if (path / LABELS_FOLDER).is_dir():
        yield path / LABELS_FOLDER, path / IMAGES_FOLDER, ""
        return
    if path.name == LABELS_FOLDER or LABELS_FOLDER in path.parent.name:
        yield path, _beside(path), ""
        return
    darknet = sorted(item for item in path.glob("obj*_data") if item.is_dir())
    splits = sorted(item for item in path.iterdir() if (item / LABELS_FOLDER).is_dir())
    for item in darknet:
        yield item, item, "" if len(darknet) == 1 else f"{item.name}/"
    for item in splits:
        yield item / LABELS_FOLDER, item / IMAGES_FOLDER, f"{item.name}/"
    if not darknet and not splits:
        yield path, path, ""


def _beside(labels: Path) -> Path:
    parts = [IMAGES_FOLDER if part == LABELS_FOLDER else part for part in labels.parts]
    return Path(*parts)


def _files(reading: Reading, folder: Path, suffixes: object) -> Iterator[Path]:
    """Files below a folder; links to folders are not followed, so that none leads in a circle."""
    if not folder.is_dir():
        return
    count = 0
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(parent, name)
            if path.suffix.lower() in suffixes and not name.startswith("."):  # type: ignore[operator]
                count += 1
                reading.check("files", count, reading.budget.files)
                yield path
        reading.check_time()


def _stem(path: Path, root: Path) -> str:
    return str(PurePosixPath(*path.relative_to(root).with_suffix("").parts))


def _listed(reading: Reading) -> dict[str, str]:
    """Stems and suffixes of the pictures that Darknet's lists name, whether they have labels or not."""
    if not any(reading.path.glob("obj*_data")):
        return {}
    found = {}
    for name in ("train.txt", "valid.txt", "val.txt", "test.txt"):
        if (reading.path / name).is_file():
            for line in reading.text(reading.path / name).splitlines():
                place = PurePosixPath(line.strip().replace("\\", "/"))
                if place.suffix.lower() in IMAGE_SUFFIXES:
                    parts = place.parts
                    inner = next((k for k, part in enumerate(parts) if re.fullmatch("obj.*_data", part)), -1)
                    found[str(PurePosixPath(*parts[inner + 1 :]).with_suffix(""))] = place.suffix
    return found


def _numbers(stems: list[str]) -> list[int] | None:
    """The frame of every label file by its name."""
    tracked = [_TRACKED.fullmatch(stem) for stem in stems]
    words = {match[1] for match in tracked if match is not None}
    if len(words) == 1 and None not in tracked and not re.search("frame$", next(iter(words)), re.IGNORECASE):
        return [int(match[2]) - 1 for match in tracked if match is not None]
    return frame_numbers([f"{stem}.txt" for stem in stems])
