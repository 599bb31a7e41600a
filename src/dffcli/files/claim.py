"""Hold the name of an output from before the work begins until its result has it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dffcli.errors import OutputError
from dffcli.files import system
from dffcli.files.folders import (
    merge_folder,
    move_aside_name,
    note_written,
    remove_part,
    restore_interrupted,
    written_files,
)
from dffcli.files.places import final_place, writing
from dffcli.files.stamp import Stamp, hidden_beside

PART_MARK = ".dff-part"
"""Stands in the name of everything unfinished, before the suffix, so that leftovers of a killed run are known."""

TRIES = 100  # against a crowd that takes over the same leftover


class Claim:
    """The right to write one output: a part beside its final name, locked for as long as this process lives.

    Attributes:
        target: the final place, links followed.
        part: what is to be filled.
        place: where the result came to lie; None until it is published.
        is_finished: the part is complete and on disk.
        on_publish: told the target and the part's stamp right before the part takes the target's name.
        on_end: told, once everything that is held together has its name, or of the error that kept it from that.
    """

    def __init__(self, path: Path | str, *, is_folder: bool = False, overwrite: bool = False) -> None:
        """Take it.

        Args:
            path: the final name; its folder is made if it is missing.
            is_folder: the output is a folder, else a file.
            overwrite: what has that name now may be replaced.

        Raises:
            OutputError: somebody else has it, the name is taken, or the place cannot be written.
        """
        self._path = path
        self._is_folder = is_folder
        self._made: list[Path] = []
        self._handle: int | None = None
        self._ours: frozenset[str] = frozenset()
        self.place: Path | None = None
        self.is_finished = False
        self.on_publish: Callable[[Path, Stamp], None] = lambda _target, _stamp: None
        self.on_end: Callable[[BaseException | None], None] = lambda _error: None
        self.target = final_place(path)
        self.part = hidden_beside(self.target, f"{PART_MARK}{self.target.suffix[:40]}")
        with writing(path):
            try:
                self._make_folders()
                self._handle = self._take()
            except BaseException:
                self._unmake_folders()
                raise
        try:
            restore_interrupted(self.target)
            self._check_kind()
            self._found = Stamp.of(self.target)
            is_empty = self.target.is_dir() and not any(self.target.iterdir())
            if self._found is not None and not overwrite and not is_empty:
                raise OutputError(f"{path}: exists; choose another name or add --overwrite")
            if self._found is not None and is_folder and not is_empty:
                self._ours = written_files(self.target, path)
        except BaseException:
            self.discard()
            raise

    @property
    def is_held(self) -> bool:
        """Whether it is still to be published or given back."""
        return self._handle is not None and self.place is None

    def finish(self) -> None:
        """Have the part, which is complete, reach the disk.

        Raises:
            OutputError: the system refuses.
        """
        with writing(self._path):
            self._check_whole()
            self._adopt_permissions()
            if self._is_folder:
                note_written(self.part)
                _sync_tree(self.part)
            else:
                system.sync(self.part)
        self.is_finished = True

    def publish(self) -> None:
        """Give the finished part its name, or one beside it if something has appeared there meanwhile.

        Raises:
            OutputError: the system refuses; what stands there is as it was.
        """
        with writing(self._path):
            self._publish()

    def _check_whole(self) -> None:
        """Refuse a part that is not the one that was begun: somebody has removed that, with what was in it."""
        handle = self._handle
        if handle is not None and sys.platform != "win32" and not system.is_at(handle, self.part):
            raise FileNotFoundError(errno.ENOENT, "what was begun has been removed", str(self.part))

    def _publish(self) -> None:
        stamp = Stamp.of(self.part)
        if stamp is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.part))
        self.on_publish(self.target, stamp)
        if sys.platform == "win32":
            self._let_go()
        place = self.target
        if not self._settle():
            number = 2
            while not system.publish_new(self.part, place := move_aside_name(self.target, number)):
                number += 1
        self.place = place
        self._let_go()
        with suppress(OSError):  # it has its name: that the name is on disk is all that is left to be sure of
            system.sync(self.target.parent)

    @property
    def was_moved(self) -> str:
        """In a sentence, that the result had to go beside what appeared; empty where it did not."""
        if self.place in (None, self.target):
            return ""
        beside = Path(os.path.dirname(os.fspath(self._path)), self.place.name)
        return f"{self._path}: was put there by somebody else meanwhile and kept; the result is in {beside}"

    def discard(self) -> None:
        """Give it back: what was begun is removed, whatever stands under the final name is untouched."""
        if self.place is None and self._handle is not None:
            with suppress(OSError):
                remove_part(self.part)
        self._let_go()
        if self.place is None:
            self._unmake_folders()

    def _take(self) -> int:
        """Create and lock the part; one whose owner is dead is cleared away."""
        for _ in range(TRIES):
            try:
                handle = system.create_folder(self.part) if self._is_folder else system.create_file(self.part)
            except FileExistsError:
                self._clear_dead()
                continue
            try:
                if system.lock(handle, self.part) and system.is_at(handle, self.part):
                    return handle
            except system.NotSupported:
                return handle  # to have created it is all there is
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # between creating and locking, somebody took it for a dead one's
        raise self._is_busy()

    def _clear_dead(self) -> None:
        """Remove the part that a dead run has left.

        Raises:
            OutputError: its owner lives, or that cannot be known.
        """
        try:
            handle = system.open_existing(self.part)
        except FileNotFoundError:
            return
        try:
            if not system.lock(handle, self.part):
                raise self._is_busy()
            if system.is_at(handle, self.part):
                remove_part(self.part)
        except system.NotSupported as error:
            raise OutputError(
                f"{self._path}: {self.part} is there, and this file system cannot say whether a run is still writing "
                "it; if none is, remove it"
            ) from error
        finally:
            os.close(handle)

    def _is_busy(self) -> OutputError:
        return OutputError(f"{self._path}: another run is writing it; wait for its end, or choose another name")

    def _check_kind(self) -> None:
        wanted, is_there = ("folder", self.target.is_dir()) if self._is_folder else ("file", self.target.is_file())
        if self.target.exists() and not is_there:
            found = "folder" if self.target.is_dir() else "file" if self.target.is_file() else "device"
            raise OutputError(f"{self._path}: expected a {wanted} to write, found a {found}")

    def _settle(self) -> bool:
        """Put the part under the target's name, replacing only what was found there at the beginning."""
        if self._found is None:
            return system.publish_new(self.part, self.target)
        if Stamp.of(self.target) is None:  # what was to be replaced has gone
            return system.publish_new(self.part, self.target)
        if self._is_folder:
            return merge_folder(self.part, self.target, ours=self._ours, found=self._found)
        if Stamp.of(self.target) != self._found:
            return False
        try:
            system.exchange(self.part, self.target)
        except system.NotSupported:
            system.replace(self.part, self.target)
            return True
        if Stamp.of(self.part) != self._found:  # it was changed in the very last moment: give it back its name
            system.exchange(self.part, self.target)
            return False
        system.remove(self.part)
        return True

    def _adopt_permissions(self) -> None:
        """Be as readable to others as what is replaced was."""
        if self._found is None:
            return
        with suppress(OSError):
            about = os.stat(self.target)
            os.chmod(self.part, stat.S_IMODE(about.st_mode))
            if hasattr(os, "chown") and (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(self.part, about.st_uid, about.st_gid)
                os.chmod(self.part, stat.S_IMODE(about.st_mode))

    def _make_folders(self) -> None:
        missing = []
        for folder in self.target.parents:
            if folder.is_dir():
                break
            missing.append(folder)
        for folder in reversed(missing):
            with suppress(FileExistsError):
                folder.mkdir()
                self._made.append(folder)
        if not self.target.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.target.parent))

    def _unmake_folders(self) -> None:
        for folder in reversed(self._made):
            with suppress(OSError):
                folder.rmdir()

    def _let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _sync_tree(folder: Path) -> None:
    system.before(system.SYNC, folder)
    if hasattr(os, "sync"):
        os.sync()  # one call: flushing each of a hundred thousand masks by itself takes longer than making them
        return
    for parent, _, files in os.walk(folder):
        for name in files:
            system.sync(Path(parent, name))
