"""Refuse, before anything runs, outputs that would cost the user something."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from dffcli.errors import OutputError
from dffcli.files.folders import written_files
from dffcli.files.places import final_place
from dffcli.files.stamp import Stamp


def check_outputs(
    outputs: Iterable[Path | str],
    *,
    inputs: Iterable[Path | str | None] = (),
    overwrite: bool = False,
    ours: Iterable[Path] = (),
) -> None:
    """Refuse outputs that would replace what is there, each other, or what is read.

    This only looks; `claimed` then holds the names.

    Args:
        outputs: every file and folder that is going to be written.
        inputs: every file and folder that is going to be read, so far as it is there; pictures of a folder one by one.
        overwrite: what exists may be replaced: files, and folders that dff wrote.
        ours: final places that may be replaced in any case: an interrupted run of the same command has written them.

    Raises:
        OutputError: an output is named twice or lies in another; is an input, by whatever name, holds one or would
            replace a part of one; or exists and may not be replaced.
    """
    read = [Path(os.path.realpath(path)) for path in inputs if path is not None and _exists(path)]
    stamps = {(stamp.device, stamp.inode): path for path in read if (stamp := Stamp.of(path)) is not None}
    folders = frozenset(above for path in read for above in path.parents)
    names = {_folded(path): path for path in read}
    replaceable = set(ours)
    seen: list[Path] = []
    for path in outputs:
        place = final_place(path)
        for other in seen:
            _check_apart(path, place, other)
        seen.append(place)
        stamp = Stamp.of(place)
        if place in folders or (stamp is not None and (stamp.device, stamp.inode) in stamps):
            raise OutputError(f"{path}: is the input, or holds it; write somewhere else")
        if _folded(place) in names:
            raise OutputError(
                f"{path}: differs from the input {names[_folded(place)].name} in nothing but upper and lower case, and "
                "many systems take the two for one; choose another name"
            )
        if stamp is not None:
            _check_replaceable(path, place, read=read, overwrite=overwrite, is_ours=place in replaceable)


def _check_apart(path: Path | str, place: Path, other: Path) -> None:
    if _folded(place) == _folded(other) or (place.exists() and other.exists() and place.samefile(other)):
        raise OutputError(f"{path}: named twice as an output")
    if other in place.parents or place in other.parents:
        raise OutputError(f"{path}: lies in another output, or another in it: write side by side")


def _check_replaceable(path: Path | str, place: Path, *, read: list[Path], overwrite: bool, is_ours: bool) -> None:
    """Refuse to replace what exists, where that was not asked for or is not ours to do."""
    is_taken = any(place.iterdir()) if place.is_dir() else True
    if is_taken and not (overwrite or is_ours):
        raise OutputError(f"{path}: exists; choose another name or add --overwrite")
    if is_taken and place.is_dir():
        written_files(place, path)
    inside = next((folder for folder in read if folder in place.parents), None)
    if is_taken and inside is not None and not is_ours:
        raise OutputError(f"{path}: is part of the input {inside}; write somewhere else")


def _exists(path: Path | str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:  # a NUL in an address or a pattern: no file has such a name
        return False


def _folded(path: Path) -> tuple[Path, str]:
    """A name as a system sees it that does not tell upper from lower case, nor how an accent is spelled."""
    return path.parent, unicodedata.normalize("NFC", path.name).casefold()
