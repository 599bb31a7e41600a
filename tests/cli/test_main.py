"""The command line: exit codes, one-line errors, help."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dffcli.cli import main
from dffcli.cli.annotate import default_output
from dffcli.run.read import seconds as parse_seconds
from tests.make_clip import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "street scene.mp4"
    make_clip(str(path), frames=12)
    return path


def run(*arguments: str) -> int:
    return main(list(arguments))


def test_without_an_output_the_video_lands_in_the_current_folder(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("segment", str(clip)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["street scene.dff.mp4"]
    said = capsys.readouterr().out
    assert "key frames" in said
    assert "speed-up" in said


def test_several_outputs_and_a_report_are_written(clip: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    masks = tmp_path / "masks"
    code = run("segment", str(clip), "-o", str(tmp_path / "o.json"), "-o", f"{masks}/", "--report", str(report), "-q")
    assert code == 0
    facts = json.loads(report.read_text())
    assert facts["frames"] == 12
    assert facts["settings"]["model"] == "street-seg"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segment", "nowhere.mp4"], "nowhere.mp4"),
        (["segment", "{clip}", "--model", "street-sec"], "did you mean street-seg"),
        (["segment", "{clip}", "--model", "fasterrcnn_resnet50_fpn"], "fasterrcnn_resnet50_fpn"),
        (["segment", "{clip}", "--weights", "nowhere.pth"], "nowhere.pth"),
        (["segment", "{clip}", "--flow", "diss"], "did you mean dis"),
        (["segment", "{clip}", "--classes", "caar"], "did you mean 'car'"),
        (["segment", "{clip}", "-o", "out.txt"], "out.txt"),
        (["segment", "{clip}", "-o", "{clip}"], "is the input"),
        (["segment", "{clip}", "-o", "/proc/nowhere/out.mp4"], "/proc/nowhere"),
        (["segment", "{clip}", "--device", "abacus"], "abacus"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_one(
    arguments: list[str],
    said: str,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*(argument.format(clip=clip) for argument in arguments)) == 1
    complaint = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(complaint) == 1
    assert said in complaint[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment"],
        ["segment", "a.mp4", "--key-interval", "0"],
        ["segment", "a.mp4", "--key-interval", "5", "--schedule", "adaptive"],
        ["segment", "a.mp4", "--key-interval", "5", "--max-interval", "9"],
        ["segment", "a.mp4", "--opacity", "2"],
        ["segment", "a.mp4", "--start", "later"],
        ["segment", "a.mp4", "--start", "5", "--end", "4"],
        ["detect", "a.mp4", "--score-threshold", "1.5"],
        ["segmentt"],
    ],
)
def test_wrong_usage_is_exit_code_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("12", 12), ("12.5", 12.5), ("1:02.5", 62.5), ("1:00:02", 3602), ("0", 0)]
)
def test_times_are_seconds_or_hours_minutes_seconds(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("clips/street.mp4", "street.dff.mp4"),
        ("frames/", "frames.dff.mp4"),
        ("frames/*.png", "_.dff.mp4"),
        ("-dash.mp4", "dash.dff.mp4"),
        ("0", "0.dff.mp4"),
        ("rtsp://host/live", "live.dff.mp4"),
    ],
)
def test_the_default_output_is_named_after_the_input(source: str, name: str) -> None:
    assert default_output(source) == name


def test_help_does_not_import_torch() -> None:
    code = "import sys; from dffcli.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "segment" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_run_leaves_nothing_and_says_so(number: int, code: int, clip: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    make_clip(str(long), frames=300)
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", "import sys; from dffcli.cli import main; sys.exit(main())"]
    arguments = ["segment", str(long), "-o", str(out / "o.mp4"), "-o", str(out / "o.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command + arguments, stderr=subprocess.PIPE, text=True, env=environment) as process:
        deadline = time.monotonic() + 60
        while not list(out.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in said
    assert list(out.iterdir()) == []
