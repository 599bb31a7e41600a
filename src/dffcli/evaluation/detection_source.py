"""Sources of pictures with labelled boxes as they are written on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dffcli.categories import CATEGORY_SETS
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import DetectionData
from dffcli.evaluation.detection_readers import read_detection_data


@dataclass(frozen=True, slots=True)
class DetectionSource:
    """Where labelled pictures come from, as it is written on the command line.

    Attributes:
        path: a JSON file or a folder in one of the known layouts.
        images: the pictures' folder where it is not the usual one.
        share: how often its pictures are shown, relative to those of other sources.
        without: shell patterns of the names of stills or videos to leave out.
        only: shell patterns of the names to keep; empty for all.
        names: for YOLO folders, a known set of categories ("coco") or a file with class names, one a line.
    """

    path: Path
    images: Path | None = None
    share: float = 1.0
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    names: str = ""

    @property
    def name(self) -> str:
        """Short, for logs."""
        return self.path.stem

    def read(self) -> DetectionData:
        """What it holds.

        Raises:
            DataError: it is missing or broken, or nothing is left of it.
        """
        data = read_detection_data(self.path, images=self.images, names=_class_names(self.names))
        kept = tuple(
            sequence
            for sequence in data.sequences
            if not any(fnmatch(sequence.name, pattern) for pattern in self.without)
            and (not self.only or any(fnmatch(sequence.name, pattern) for pattern in self.only))
        )
        if not kept:
            raise DataError(f"{self.path}: nothing is left of {len(data.sequences)} pictures or videos (only, without)")
        return DetectionData(kept, data.categories)


def parse_detection_source(text: str) -> DetectionSource:
    """`PATH[:PICTURES][,share=2][,only=A*|B*][,without=C*][,names=coco|FILE]`.

    Raises:
        DataError: it does not read like that.
    """
    where, *facts = text.split(",")
    path, _, images = where.partition(":")
    if not path:
        raise DataError(f"{text!r}: expected a JSON file or a folder first")
    readers: dict[str, Callable[[str], object]] = {
        "share": _share,
        "only": _patterns,
        "without": _patterns,
        "names": str,
    }
    options: dict[str, Any] = {}
    for fact in facts:
        name, _, value = fact.partition("=")
        if name not in readers or not value:
            raise DataError(f"{text!r}: expected NAME=VALUE with one of {', '.join(readers)}, found {fact!r}")
        try:
            options[name] = readers[name](value)
        except ValueError as error:
            raise DataError(f"{text!r}: {value!r} is no value for {name}") from error
    return DetectionSource(Path(path), Path(images) if images else None, **options)


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < float("inf"):
        raise ValueError(text)
    return share


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


def _class_names(text: str) -> tuple[str, ...]:
    if text in CATEGORY_SETS:
        return tuple(category.name for category in CATEGORY_SETS[text])
    if not text:
        return ()
    path = Path(text)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a text file with a class name a line") from error
    return tuple(line.strip() for line in lines)
