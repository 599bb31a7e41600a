"""Commands are what the fields of their dataclasses say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dffcli.cli.declare import declare
from dffcli.core.task import Task
from dffcli.flow import FLOWS
from dffcli.formats.registry import VIDEO_SUFFIXES, formats
from dffcli.formats.sink import OutputOptions
from dffcli.models.registry import model_entries
from dffcli.option import option, option_of
from dffcli.run.config import RunConfig
from dffcli.run.read import seconds, size
from dffcli.video.writer import VIDEO_FORMATS


@dataclass(frozen=True)
class Inner:
    strength: float = option(0.5, help="How much.", low=0, high=1)


@dataclass(frozen=True)
class Config:
    source: str = option(help="What to read.", is_argument=True)
    task: Task = option(help="Said by the command.", is_given=True)
    places: tuple[str, ...] = option(help="Where to.", flags=("--to", "-t"))
    start: Fraction | None = option(None, help="From.", read=seconds)
    size: tuple[int, int] = option((2, 3), help="How large.", read=size)
    kind: str | None = option(None, help="Which.", choices=("one", "two"))
    sound: bool = option(True, help="Leave out the sound.", flags=("--mute",), is_off_switch=True)
    faint: bool = option(False, help="Only for the others.", task=Task.SEGMENT)
    inner: Inner = option(Inner, help="More.")


def called(*arguments: str) -> tuple[Config | None, int]:
    app = typer.Typer()
    got: list[Config] = []

    def command(config: Config) -> None:
        """Do it."""
        got.append(config)

    declare(app, command, task=Task.DETECT)
    code = CliRunner().invoke(app, list(arguments)).exit_code
    return (got[0] if got else None), code


def test_without_options_every_field_has_its_default() -> None:
    assert called("a.mp4") == (Config("a.mp4", Task.DETECT, ()), 0)


def test_every_option_reaches_its_field() -> None:
    config, code = called(
        *("a.mp4", "--to", "x", "-t", "y", "--start", "1:02", "--size", "640x360", "--kind", "two", "--mute"),
        *("--strength", "0.25"),
    )
    wanted = Config("a.mp4", Task.DETECT, ("x", "y"), Fraction(62), (360, 640), "two", False, False, Inner(0.25))
    assert (config, code) == (wanted, 0)


@pytest.mark.parametrize(
    "arguments",
    [("--size", "640"), ("--start", "later"), ("--kind", "three"), ("--strength", "2"), ("--faint",), ("--task", "x")],
)
def test_what_a_field_does_not_allow_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert called("a.mp4", *arguments) == (None, 2)


def help_of(*command: str) -> tuple[str, list[str]]:
    """The help as one line of text, and which heavy modules were imported for it."""
    code = (
        "import sys; from dffcli.cli import main; main([*sys.argv[1:], '--help']);"
        "print('HEAVY', *[name for name in ('torch', 'numpy', 'cv2', 'av') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "400", "PATH": ""},
        cwd=Path(__file__).parent,
    )
    text, _, heavy = done.stdout.rpartition("HEAVY")
    return re.sub(r"[\s│]+", " ", text), heavy.split()


@pytest.fixture(scope="module")
def detect_help() -> tuple[str, list[str]]:
    return help_of("detect")


@pytest.mark.parametrize("command", [(), ("detect",), ("segment",), ("bench",), ("convert",), ("eval", "detect")])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    assert help_of(*command)[1] == []


def test_the_help_lists_what_is_registered(detect_help: tuple[str, list[str]]) -> None:
    text = detect_help[0]
    ready = [entry.name for entry in model_entries().values() if entry.task is Task.DETECT and entry.has_weights]
    for name in [
        *FLOWS,
        *ready,
        *(name for name, form in formats().items() if form.is_written and name != "video"),
        *VIDEO_SUFFIXES,
    ]:
        assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), name


def test_every_setting_of_a_run_has_an_option_with_help(detect_help: tuple[str, list[str]]) -> None:
    segment = help_of("segment")[0]
    for field in [*fields(RunConfig), *fields(OutputOptions)]:
        found = option_of(field)
        assert found is not None, field.name
        if found.is_argument or found.is_given or field.name == "output":
            continue
        flag = (found.flags or (f"--{field.name.replace('_', '-')}",))[0]
        assert (f" {flag} " in detect_help[0]) is (found.task in (None, Task.DETECT)), flag
        assert (f" {flag} " in segment) is (found.task in (None, Task.SEGMENT)), flag


def test_every_video_that_can_be_written_can_be_asked_for() -> None:
    assert set(VIDEO_SUFFIXES) == set(VIDEO_FORMATS)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dff detect a.mp4 --model fasterrcnn_mob", {"fasterrcnn_mobilenet_v3_large_fpn"}),
        ("dff segment a.mp4 --flow dis-f", {"dis-fast", "dis-fine"}),
        ("dff detect a.mp4 --format yolo", {"yolo", "yolo-results"}),
        ("dff detect a.mp4 --runtime o", {"onnx", "openvino"}),
        ("dff detect a.mp4 --device cu", {"cuda"}),
        ("dff detect a.mp4 --classes person,mot", {"person,motorcycle"}),
    ],
)
def test_a_shell_completes_names(typed: str, offered: set[str]) -> None:
    environment = {**os.environ, "_DFF_COMPLETE": "complete_bash", "COMP_WORDS": typed}
    environment["COMP_CWORD"] = str(len(typed.split()) - 1)
    code = "import sys; sys.argv = ['dff']; from dffcli.cli import app; app(prog_name='dff')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert offered <= set(done.stdout.split())
    assert all(word.startswith(typed.split()[-1]) for word in done.stdout.split())
