"""A kill or an error at every system call that matters costs nothing."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dffcli.errors import OutputError
from dffcli.files import system
from dffcli.files.atomic import atomic_folder, atomic_path, claimed
from dffcli.files.leftovers import find_leftovers, remove_leftover

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process to kill")
OLD, NEW = "old" * 100, "new" * 100


def prepare(folder: Path) -> None:
    """What stands there before: a file and a folder that dff wrote, and a letter in it that it did not."""
    write(folder, OLD)
    (folder / "masks" / "letter.txt").write_text("dear")
    (folder / "masks" / "images").mkdir()
    (folder / "masks" / "images" / "photo.jpg").write_text("dear")


def write(folder: Path, content: str) -> None:
    with claimed(files=[folder / "out.json"], folders=[folder / "masks"], overwrite=True):
        with atomic_path(folder / "out.json") as part:
            part.write_text(content)
        with atomic_folder(folder / "masks") as part:
            for number in range(3):
                (part / f"{number}-{content[:3]}.png").write_text(content)


def calls_of(folder: Path, work: Callable[[], None]) -> list[str]:
    """The system calls it makes, in order."""
    seen: list[str] = []
    before, system.before = system.before, lambda call, _path: seen.append(call)
    try:
        work()
    finally:
        system.before = before
    return seen


def killed_at(number: int) -> None:
    """Let this process die at its call of that number."""
    left = iter(range(number, -1, -1))

    def fall(_call: str, _path: Path) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    system.before = fall


def check(folder: Path) -> None:
    """Nothing is lost, nothing is half there."""
    assert (folder / "out.json").read_text() in (OLD, NEW)
    assert (folder / "masks" / "letter.txt").read_text() == "dear"
    assert (folder / "masks" / "images" / "photo.jpg").read_text() == "dear"
    pictures = sorted(folder.glob("masks/*.png"))
    assert [path.name[2:5] for path in pictures] in (["old"] * 3, ["new"] * 3)
    assert {path.read_text() for path in pictures} in ({OLD}, {NEW})


@pytest.mark.parametrize("lacks_exchange", [False, True])
def test_a_kill_at_every_call_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks_exchange: bool
) -> None:
    if lacks_exchange:
        rename = system._rename

        def lacking(old: Path, new: Path, flags: int) -> None:
            if flags == 2:
                raise system.NotSupported(errno.ENOSYS, "no exchange")
            rename(old, new, flags)

        monkeypatch.setattr(system, "_rename", lacking)
    prepare(tmp_path / "whole")
    calls = calls_of(tmp_path / "whole", lambda: write(tmp_path / "whole", NEW))
    assert len(calls) > 10
    for number in range(len(calls)):
        folder = tmp_path / f"{number}"
        prepare(folder)
        child = os.fork()
        if child == 0:
            killed_at(number)
            try:
                write(folder, NEW)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), calls[number]
        for leftover in find_leftovers(folder):
            assert leftover.state == "dead"
            if number % 2:  # every other time, the next run has to do it
                remove_leftover(leftover)
        if (folder / "masks").exists() or number % 2:
            check(folder)
        write(folder, NEW)  # the same command again
        check(folder)
        assert (folder / "out.json").read_text() == NEW
        assert {path.name for path in folder.iterdir()} == {"out.json", "masks"}
        assert len(list(folder.glob("masks/*"))) == 6


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_an_error_at_every_call_costs_nothing(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path / "whole")
    calls = calls_of(tmp_path / "whole", lambda: write(tmp_path / "whole", NEW))
    for place, name in enumerate(calls):
        folder = tmp_path / f"{place}"
        prepare(folder)
        seen = 0

        def fail(_call: str, _path: Path, place: int = place) -> None:
            nonlocal seen
            seen += 1
            if seen > place:  # a disk that is full, or gone, stays so
                raise OSError(number, os.strerror(number))

        monkeypatch.setattr(system, "before", fail)
        said = ""
        try:
            write(folder, NEW)
        except OutputError as error:
            said = str(error)
        assert "\n" not in said
        assert os.strerror(number)[1:] in said or set(calls[place:]) <= {system.SYNC, system.REMOVE}, name
        monkeypatch.undo()
        check(folder)
        write(folder, NEW)
        assert {path.name for path in folder.iterdir()} == {"out.json", "masks"}


@pytest.mark.skipif(sys.platform != "linux", reason="counts handles in /proc")
def test_no_handle_stays_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        write(tmp_path, NEW)
        with pytest.raises(RuntimeError), claimed(files=[tmp_path / "b.json"], folders=[tmp_path / "c"]):
            raise RuntimeError
    assert len(os.listdir("/proc/self/fd")) == len(before)
