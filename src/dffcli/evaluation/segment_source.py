"""Sources of labelled pictures as they are written on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dffcli.errors import DataError
from dffcli.evaluation.segment_data import (
    LabelledPicture,
    as_video,
    camvid_split,
    cityscapes_split,
    pictures_with_masks,
)

OLD_NAMES = {"trust": "loss-weight"}  # as recorded commands have it


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where pictures come from, as it is written on the command line.

    Attributes:
        layout: `camvid`, `cityscapes` or `folder`.
        paths: the root, or for `folder` the pictures and the masks.
        share: of every batch.
        loss_weight: of their pixels.
        split: which split, for the layouts that have them.
        without: shell patterns of file names to leave out.
        only: shell patterns of file names to keep; empty for all.
        every: keep one picture in so many.
        video: pictures of this source follow on one another.
    """

    layout: str
    paths: tuple[Path, ...]
    share: float = 1.0
    loss_weight: float = 1.0
    split: str = "train"
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    every: int = 1
    video: bool = False

    @property
    def name(self) -> str:
        """Short, for logs."""
        return f"{self.layout}_{self.split}" if self.layout != "folder" else self.paths[0].name

    def pictures(self, *, max_offset: int = 0) -> list[LabelledPicture]:
        """What it holds.

        Raises:
            DataError: it is missing or broken, or nothing is left of it.
        """
        if self.layout == "camvid":
            found = camvid_split(self.paths[0], self.split)
        elif self.layout == "cityscapes":
            found = cityscapes_split(self.paths[0], self.split)
        else:
            found = pictures_with_masks(self.paths[0], self.paths[1])
        if self.video:
            found = as_video(found, max_offset=max_offset)
        kept = [
            item
            for item in found
            if not any(fnmatch(item.image.name, pattern) for pattern in self.without)
            and (not self.only or any(fnmatch(item.image.name, pattern) for pattern in self.only))
        ][:: self.every]
        if not kept:
            raise DataError(f"{self.paths[0]}: no picture is left of {len(found)} (see without, only and every)")
        return kept


def parse_source(text: str) -> PictureSource:
    """`LAYOUT:PATH[:MASKS][,share=0.5][,loss-weight=0.6][,split=val][,only=A*|B*][,without=C*][,every=6][,video=yes]`.

    Raises:
        DataError: it does not read like that.
    """
    where, *facts = text.split(",")
    layout, *paths = where.split(":")
    wanted = {"camvid": 1, "cityscapes": 1, "folder": 2}
    if layout not in wanted:
        raise DataError(f"{text!r}: expected {', '.join(wanted)} before the first colon, found {layout!r}")
    if len(paths) != wanted[layout] or not all(paths):
        form = "folder:PICTURES:MASKS" if layout == "folder" else f"{layout}:ROOT"
        raise DataError(f"{text!r}: expected {form}")
    readers: dict[str, Callable[[str], object]] = {
        "share": float,
        "loss-weight": float,
        "split": str,
        "every": int,
        "only": _patterns,
        "without": _patterns,
        "video": _yes,
    }
    options: dict[str, Any] = {}
    for fact in facts:
        name, _, value = fact.partition("=")
        name = OLD_NAMES.get(name, name)
        if name not in readers or not value:
            raise DataError(f"{text!r}: expected NAME=VALUE with one of {', '.join(readers)}, found {fact!r}")
        try:
            options[name.replace("-", "_")] = readers[name](value)
        except ValueError as error:
            raise DataError(f"{text!r}: {value!r} is no value for {name}") from error
    return PictureSource(layout, tuple(Path(path) for path in paths), **options)


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(text)
    return text == "yes"
