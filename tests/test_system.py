"""When the system says no (memory, files, streams, folders), the end is one clear line, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dffcli.cli import console, main
from dffcli.cli.failures import NO_MEMORY, reason_of_system
from tests.make_clip import make_clip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and devices of POSIX")
SEGMENT = ["segment", "clip.mp4", "--weights", "random", "-o", "out.json", "-o", "masks"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(str(path), frames=12)
    return path


@pytest.fixture
def folder(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, tmp_path / "clip.mp4")
    return tmp_path


def dff(*arguments: str, limit: tuple[str, int] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, under a limit of its resources."""

    def before() -> None:
        import resource

        if limit is not None:
            resource.setrlimit(getattr(resource, limit[0]), (limit[1], limit[1]))

    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    streams.setdefault("env", {**os.environ, "OMP_NUM_THREADS": "1"})
    command = [sys.executable, "-m", "dffcli", *arguments]
    return subprocess.run(command, text=True, preexec_fn=before, check=False, **streams)


def is_complete(folder: Path) -> bool:
    images = json.loads((folder / "out.json").read_text())["images"]
    return len(images) == len(list((folder / "masks").glob("*.png"))) == 12


@pytest.mark.slow
def test_a_run_needs_no_home_and_no_place_for_temporary_files(folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": "/nowhere", "OMP_NUM_THREADS": "1"}
    done = dff(*SEGMENT, "-q", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_complete(folder)


@pytest.mark.slow
def test_a_lost_terminal_costs_no_result(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # who read us has gone
    done = dff(*SEGMENT, stdout=writing, stderr=writing)
    os.close(writing)
    assert done.returncode == 1  # the summary is lost
    assert is_complete(folder)


@pytest.mark.slow
def test_a_full_standard_output_is_one_line_and_costs_no_result(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = dff(*SEGMENT, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "no space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert is_complete(folder)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [("RLIMIT_NOFILE", 6), ("RLIMIT_AS", 400 << 20), ("RLIMIT_AS", 1 << 30)])
def test_a_limit_that_is_too_low_is_one_line_and_leaves_nothing(folder: Path, limit: tuple[str, int]) -> None:
    done = dff(*SEGMENT, "-q", limit=limit)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["clip.mp4"]


@pytest.mark.slow
def test_thirty_two_files_are_enough(folder: Path) -> None:
    done = dff(*SEGMENT, "-o", "out.mp4", "-q", limit=("RLIMIT_NOFILE", 32))
    assert (done.returncode, done.stderr) == (0, "")
    assert is_complete(folder)


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", [1, 40, 120])
def test_a_signal_while_everything_is_imported_is_one_line(milliseconds: int) -> None:
    code = (
        "import os, signal, sys, threading, dffcli.__main__ as start; sys.argv[1:] = ['models', '-h']; "
        f"threading.Timer({milliseconds / 1000}, os.kill, (os.getpid(), signal.SIGINT)).start(); sys.exit(start.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 130, -2), done.stderr  # it can be faster, or the signal before its handler is there
    if done.returncode == 130:
        assert done.stderr.startswith("error: interrupted")
        assert done.stderr.count("\n") == 1


def at_frame(number: int, do: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something in the middle of a run."""
    told = console.Console.advance

    def advance(self: Any, result: Any, progress: Any) -> None:
        if progress.frames == number:
            do()
        told(self, result, progress)

    monkeypatch.setattr(console.Console, "advance", advance)


@pytest.mark.parametrize("name", ["new/out.json", "new/out.mp4", "new/masks/"])
def test_an_output_folder_that_is_deleted_is_one_line(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_frame(6, lambda: shutil.rmtree("new"), monkeypatch)
    assert main(["segment", "clip.mp4", "--weights", "random", "-o", name, "-q"]) == 1
    said = capsys.readouterr().err
    assert said.startswith((f"error: {name}: cannot be written: ", "error: .masks.dff-part: "))  # by which call met it
    assert said.count("\n") == 1
    assert list(folder.glob("new/[!.]*")) == list(folder.glob("new/.*dff-part*")) == []


def test_a_clock_that_jumps_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter(range(10**9, 0, -997))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    monkeypatch.setattr(time, "time_ns", lambda: 10**9 * next(jumps))
    assert main([*SEGMENT, "-q"]) == 0
    assert is_complete(folder)


def test_what_appears_during_a_run_is_kept_and_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_frame(6, lambda: (folder / "out.json").write_text("by hand"), monkeypatch)
    assert main([*SEGMENT, "-q"]) == 1
    assert "kept; the result is in out-2.json" in capsys.readouterr().err
    assert (folder / "out.json").read_text() == "by hand"
    (folder / "out.json").unlink()
    (folder / "out-2.json").rename(folder / "out.json")
    assert is_complete(folder)


@pytest.mark.slow
def test_a_second_run_with_the_same_output_is_refused_at_its_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[subprocess.CompletedProcess[str]] = []
    at_frame(6, lambda: done.append(dff("segment", "clip.mp4", "-o", "out.json")), monkeypatch)
    assert main([*SEGMENT, "-q"]) == 0
    assert done[0].returncode == 1
    assert done[0].stderr == "error: out.json: another run is writing it; wait for its end, or choose another name\n"
    assert is_complete(folder)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), NO_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), NO_MEMORY),
        (RuntimeError("can't start new thread"), "the system allows no further thread"),
        (OSError(24, "Too many open files", "a.mp4"), "a.mp4: too many open files"),
        (BrokenPipeError(32, "Broken pipe"), ""),
        (ImportError("libtorch.so: failed to map segment from shared object"), NO_MEMORY),
        (RuntimeError("a bug of ours"), None),
        (ValueError("a bug of ours"), None),
    ],
)
def test_what_the_system_says_is_told_from_bugs(error: Exception, line: str | None) -> None:
    found = reason_of_system(error)
    assert found == line if line in (None, "") else line in str(found)
