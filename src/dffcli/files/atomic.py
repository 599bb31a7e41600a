"""Give a file its final name only once it is complete."""

from __future__ import annotations

import errno
import glob
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dffcli.errors import OutputError

PART_MARK = ".dff-part"
"""Stands in the name of everything unfinished, before the suffix, so that leftovers of a killed run are known."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Write a file beside its target; it takes the target's name and place when the block ends well.

    On any exception the unfinished file is removed and whatever stood under the final name is untouched. A link is
    followed: its target is replaced, not the link.

    Args:
        path: the final name. Its folder is made if it is missing.

    Yields:
        The unfinished file's path: it exists, is empty and has the target's suffix.

    Raises:
        OutputError: the place cannot be written. Errors of the block itself pass as they are: see `writing`.
    """
    target = _writable_target(path)
    if target.exists() and not target.is_file():
        raise OutputError(f"{path}: expected a file to write, found a {'folder' if target.is_dir() else 'device'}")
    clear_leftovers(target)
    part = part_path(target)
    with writing(path):
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield part
        with writing(path):
            _flush_to_disk(part)
            os.replace(part, target)
            _flush_to_disk(target.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Fill a folder beside its target; it takes the target's name when the block ends well.

    What stood under the final name is removed only after the new folder has taken its place.

    Args:
        path: the final name. Folders above it are made if they are missing.

    Yields:
        The unfinished folder's path: it exists and is empty.

    Raises:
        OutputError: the place cannot be written. Errors of the block itself pass as they are: see `writing`.
    """
    target = _writable_target(path)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{path}: expected a folder to write, found a file")
    clear_leftovers(target)
    part = part_path(target)
    with writing(path):
        part.mkdir()
    try:
        yield part
        with writing(path):
            _flush_tree(part)
            _replace_folder(part, target)
            _flush_to_disk(target.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def part_path(target: Path) -> Path:
    """A free hidden name beside the target, with its suffix and the process it belongs to."""
    return target.with_name(f".{_short(target)}.{os.getpid()}-{secrets.token_hex(4)}{PART_MARK}{target.suffix}")


def clear_leftovers(target: Path) -> None:
    """Remove what killed runs have left beside this target: parts whose process is no more."""
    pattern = f".{glob.escape(_short(target))}.*-*{PART_MARK}{glob.escape(target.suffix)}"
    for part in target.parent.glob(pattern):
        owner = re.search(r"\.(\d+)-[0-9a-f]{8}" + re.escape(PART_MARK), part.name)
        if owner is None or _is_alive(int(owner[1])):
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with suppress(OSError):
                part.unlink()


def _short(target: Path) -> str:
    return target.stem[:60]  # leaves room within the 255 bytes of a file name


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn what the system says of a failed write (disk full, no permission ...) into one line about `path`.

    Raises:
        OutputError: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{path}: cannot be written: {reason[:1].lower()}{reason[1:]}") from error


def _writable_target(path: Path | str) -> Path:
    """The final place with links followed, its folder made.

    Raises:
        OutputError: the folder cannot be made, or the links lead in a circle.
    """
    with writing(path):
        if os.path.islink(path):
            os.stat(os.path.dirname(os.path.abspath(path)))
            with suppress(FileNotFoundError):
                os.stat(path)  # a circle of links raises here
        target = Path(os.path.realpath(path))
        above = next((folder for folder in target.parents if folder.exists()), target.parent)
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
        target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_tree(folder: Path) -> None:
    if hasattr(os, "sync"):
        os.sync()  # one call: flushing each of a hundred thousand masks by itself takes longer than making them
        return
    for parent, _, files in os.walk(folder):
        for name in files:
            _flush_to_disk(Path(parent, name))
        _flush_to_disk(Path(parent))


def _replace_folder(part: Path, target: Path) -> None:
    if not target.exists():
        os.replace(part, target)
        return
    old = part_path(target)
    os.replace(target, old)
    try:
        os.replace(part, target)
    except BaseException:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
