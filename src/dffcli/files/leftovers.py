"""Tell what killed runs have left from what living ones are writing, and remove it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dffcli.errors import InputError
from dffcli.files import system
from dffcli.files.claim import PART_MARK
from dffcli.files.folders import OLD_ENDING, remove_part
from dffcli.files.places import writing

JOURNAL_ENDING = ".dff-resume"

_PART = re.compile(rf"\..+{re.escape(PART_MARK)}(\.[^.]*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something unfinished in a folder.

    Attributes:
        path: where it lies.
        kind: the part of an output, the journal of a run that can go on, or a folder caught while it was replaced.
        state: whether its run is dead or alive; unknown where the file system has no locks.
        size: bytes.
    """

    path: Path
    kind: Literal["part", "journal", "old folder"]
    state: Literal["dead", "alive", "unknown"]
    size: int


def find_leftovers(folder: Path) -> list[Leftover]:
    """Everything unfinished that lies in a folder, by name; folders in it are not searched.

    Raises:
        InputError: it is no folder, or cannot be listed.
    """
    found = []
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{folder}: cannot be listed: {reason[:1].lower()}{reason[1:]}") from error
    for name in names:
        path = folder / name
        kind: Literal["part", "journal", "old folder"] | None = None
        if _PART.fullmatch(name):
            kind = "part"
        elif name.startswith(".") and name.endswith(JOURNAL_ENDING):
            kind = "journal"
        elif name.startswith(".") and name.endswith(OLD_ENDING):
            kind = "old folder"
        if kind is not None and not path.is_symlink():
            found.append(Leftover(path, kind, _state(path), _size(path)))
    return found


def remove_leftover(leftover: Leftover) -> bool:
    """Remove one, if its run is still dead; an old folder whose name is free gets it back instead.

    Returns:
        False where it was left: somebody has taken it over meanwhile.

    Raises:
        OutputError: it cannot be removed.
    """
    path = leftover.path
    with writing(path):
        try:
            handle = system.open_existing(path)
        except FileNotFoundError:
            return True
        try:
            if not system.lock(handle, path) or not system.is_at(handle, path):
                return False
            restored = path.with_name(path.name[1 : -len(OLD_ENDING)])
            if leftover.kind != "old folder" or not system.publish_new(path, restored):
                remove_part(path)
        finally:
            os.close(handle)
    return True


def _state(path: Path) -> Literal["dead", "alive", "unknown"]:
    try:
        handle = system.open_existing(path)
    except OSError:
        return "unknown"
    try:
        return "dead" if system.lock(handle, path) else "alive"
    except OSError:
        return "unknown"
    finally:
        os.close(handle)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.lstat().st_size
    return sum(os.lstat(os.path.join(above, name)).st_size for above, _, names in os.walk(path) for name in names)
