"""Give a finished folder the name of one that exists, keeping in it whatever is not ours."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dffcli.errors import OutputError
from dffcli.files import system
from dffcli.files.stamp import Stamp, hidden_beside

MANIFEST = ".dff-written"
"""Lies in every folder that dff wrote and lists what it wrote: nothing else in there is ever replaced or removed."""

OLD_ENDING = ".dff-old"  # a folder being replaced, where two names cannot be swapped in one step


def written_files(folder: Path, name: Path | str) -> frozenset[str]:
    """What dff wrote into a folder, by names relative to it.

    Args:
        folder: to be replaced.
        name: it, for the message.

    Raises:
        OutputError: dff did not write it, or not so that it could say what.
    """
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())["files"]
        files = frozenset(listed)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise OutputError(
            f"{name}: not a folder of annotations that dff wrote, so --overwrite does not replace it"
        ) from error
    return files | {MANIFEST}


def note_written(folder: Path) -> None:
    """List everything in a finished folder as ours."""
    listed = sorted(_files_below(folder))
    content = json.dumps({"written by": "dff", "files": listed}, indent=0)
    (folder / MANIFEST).write_text(content + "\n", encoding="ascii")


def merge_folder(part: Path, target: Path, *, ours: frozenset[str], found: Stamp) -> bool:
    """Put a finished folder in the place of one that exists; what is in that one and not ours stays.

    At no moment is any file of others without its name: it gets a second one in the new folder, the folders change
    names in one step, and only then does the old one go.

    Args:
        part: the finished folder.
        target: the folder that has the name.
        ours: what may go, as `written_files` gives it.
        found: the folder that was there at the beginning.

    Returns:
        False where that is not possible without loss: another folder is there, or a file of others has a name that
        the part needs too. Then both are as they were.
    """
    there = Stamp.of(target)
    if there is None or not there.is_same_file(found):
        return False
    kept = [name for name in _files_below(target) if name not in ours]
    if any(os.path.lexists(part / name) or _has_file_above(part, name) for name in kept):
        return False
    folders = [name for name in _folders_below(target) if not any(mine.startswith(f"{name}/") for mine in ours)]
    if not _link_all(kept, folders, target, part):
        return False
    handle = system.open_existing(target)
    try:
        with suppress(OSError):
            system.lock(handle, target)  # nobody shall take what is left of it for a dead run's part
        old = _swap(part, target)
        _remove_old(old, target, ours=ours)
    finally:
        os.close(handle)
    return True


def restore_interrupted(target: Path) -> None:
    """Set right what a kill has left between the two steps that replace a folder where one is not enough.

    After the first step the folder gets its name back; after the second the new one has it, and the old one goes.
    """
    old = hidden_beside(target, OLD_ENDING)
    if os.path.lexists(old) and not system.publish_new(old, target):
        remove_part(old)


def remove_part(part: Path) -> None:
    """Remove what a dead run has left; if somebody's own file got into it, it is made visible instead.

    Raises:
        OSError: it cannot be removed.
    """
    if part.is_symlink() or not part.is_dir():
        system.remove(part)
        return
    with suppress(OutputError):
        ours = written_files(part, part)
        if any(os.lstat(part / name).st_nlink == 1 for name in _files_below(part) if name not in ours):
            _show(part, part.with_name(part.name.lstrip(".")))
            return
    shutil.rmtree(part)


def move_aside_name(target: Path, number: int) -> Path:
    """`clip-2.cocovid.json` for `clip.cocovid.json`."""
    hidden = "." * (len(target.name) - len(target.name.lstrip(".")))
    stem, dot, rest = target.name.lstrip(".").partition(".")
    return target.with_name(f"{hidden}{stem}-{number}{dot}{rest}")


def _swap(part: Path, target: Path) -> Path:
    """Let the part have the target's name; where the old folder is then."""
    try:
        system.exchange(part, target)
        return part
    except system.NotSupported:
        old = hidden_beside(target, OLD_ENDING)
        system.replace(target, old)
        try:
            system.replace(part, target)
        except BaseException:
            os.replace(old, target)
            raise
        return old


def _remove_old(old: Path, target: Path, *, ours: frozenset[str]) -> None:
    """Remove the old folder but for what has come into it in the last moment."""
    for name in _files_below(old):
        mine, kept = Stamp.of(old / name, follow=False), Stamp.of(target / name, follow=False)
        if name not in ours and not (mine and kept and mine.is_same_file(kept)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _show(old / name, target / name)
        else:
            system.remove(old / name)
    for name in sorted(_folders_below(old), reverse=True):
        with suppress(OSError):
            (old / name).rmdir()
    try:
        old.rmdir()
    except OSError:
        _show(old, target)


def _show(hidden: Path, name: Path) -> None:
    """Give something the name, or the next free one."""
    place, number = name, 2
    while not system.publish_new(hidden, place):
        place, number = move_aside_name(name, number), number + 1


def _link_all(files: list[str], folders: list[str], source: Path, target: Path) -> bool:
    """Give files a second name in another folder; False, and none, where one cannot have it."""
    linked: list[Path] = []
    try:
        for name in folders:
            (target / name).mkdir(parents=True, exist_ok=True)
            shutil.copystat(source / name, target / name)
        for name in files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(source / name, target / name, follow_symlinks=False)
            linked.append(target / name)
    except (OSError, NotImplementedError):
        for path in linked:
            path.unlink()
        for name in sorted(folders, reverse=True):
            with suppress(OSError):
                (target / name).rmdir()
        return False
    return True


def _has_file_above(folder: Path, name: str) -> bool:
    """Whether one of the folders in a relative name is a file there."""
    return any(os.path.lexists(folder / above) and not (folder / above).is_dir() for above in Path(name).parents)


def _files_below(folder: Path) -> Iterator[str]:
    """Everything but folders, by names relative to it; links are not followed."""
    for parent, names, files in os.walk(folder):
        inner = os.path.relpath(parent, folder)
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(parent, name)))]:
            yield name if inner == "." else f"{inner}/{name}".replace(os.sep, "/")


def _folders_below(folder: Path) -> list[str]:
    return [
        os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
        for parent, names, _ in os.walk(folder)
        for name in names
        if not os.path.islink(os.path.join(parent, name))
    ]
