"""The system calls by which a file is won or lost, in one place where a test can stop or fail each of them."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CREATE, LOCK, SYNC, PUBLISH, REMOVE = "create", "lock", "sync", "publish", "remove"

before: Callable[[str, Path], None] = lambda _call, _path: None  # noqa: E731
"""Told of every call about to be made; benchmarks/torture.py puts in one that kills the process or raises."""

_NOREPLACE, _EXCHANGE = 1, 2  # flags of renameat2
_AT_FDCWD = -100
_UNSUPPORTED = frozenset((errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EPERM))


class NotSupported(OSError):  # noqa: N818
    """The file system or the system has no such call."""


def create_file(path: Path) -> int:
    """Create a file that must not exist yet; its permissions are those of any new file.

    Returns:
        The handle, open for writing.
    """
    before(CREATE, path)
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _flag("O_CLOEXEC") | _flag("O_BINARY"), 0o666)


def create_folder(path: Path) -> int:
    """Create a folder that must not exist yet.

    Returns:
        A handle that can be locked.
    """
    before(CREATE, path)
    path.mkdir()
    return open_existing(path)


def open_existing(path: Path) -> int:
    """A handle, to be locked, of a file or folder that is there; never of what a link points to, never of a device."""
    kind = os.lstat(path).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise OSError(errno.EEXIST, "is neither a file nor a folder", str(path))
    if sys.platform == "win32" and stat.S_ISDIR(kind):
        return os.open(path / ".dff-lock", os.O_CREAT | os.O_RDWR)
    return os.open(path, os.O_RDONLY | _flag("O_NOFOLLOW") | _flag("O_CLOEXEC") | _flag("O_NONBLOCK"))


def lock(handle: int, path: Path) -> bool:
    """Take the lock that dies with its owner, however that ends.

    Returns:
        False where another process, or another handle of this one, has it.

    Raises:
        NotSupported: the file system has no locks.
    """
    before(LOCK, path)
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 0x7FFF0000, os.SEEK_SET)  # a byte that nobody writes: these locks are mandatory
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise NotSupported(*error.args) from error
        raise
    return True


def is_at(handle: int, path: Path) -> bool:
    """Whether a name still leads to what was opened by it."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def publish_new(part: Path, target: Path) -> bool:
    """Give a finished file or folder its name, if nothing has that name.

    Returns:
        False where something has.
    """
    before(PUBLISH, target)
    try:
        _rename(part, target, _NOREPLACE)
        return True
    except FileExistsError:
        return False
    except NotSupported:
        pass
    if part.is_dir():  # a rename replaces no more than an empty folder
        if os.path.lexists(target):
            return False
        os.rename(part, target)
        return True
    try:
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (*_UNSUPPORTED, errno.EMLINK):
            raise
        try:  # neither: hold the name with an empty file
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        os.replace(part, target)
        return True
    part.unlink()
    return True


def exchange(part: Path, target: Path) -> None:
    """Swap two names in one step.

    Raises:
        NotSupported: that cannot be done here.
    """
    before(PUBLISH, target)
    _rename(part, target, _EXCHANGE)


def replace(part: Path, target: Path) -> None:
    """Rename over what is there."""
    before(PUBLISH, target)
    os.replace(part, target)


def remove(path: Path) -> None:
    """Remove a file; one that is gone is no error."""
    before(REMOVE, path)
    path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, reach the disk."""
    before(SYNC, path)
    if sys.platform == "win32" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have nothing to do for a folder
            raise
    finally:
        os.close(handle)


def _rename(old: Path, new: Path, flags: int) -> None:
    call = None
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):  # another C library than glibc may lack it
            call = ctypes.CDLL(None, use_errno=True).renameat2
    if call is None:
        raise NotSupported(errno.ENOSYS, "no renameat2")
    if call(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags):
        number = ctypes.get_errno()
        kind = NotSupported if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP) else OSError
        raise kind(number, os.strerror(number), str(new))


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))
