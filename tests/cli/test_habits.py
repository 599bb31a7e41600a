"""What people type who come from another tool is answered with what it is called here."""

from __future__ import annotations

import pytest

from dffcli.cli import main
from dffcli.cli.habits import NO_NEED, OPTIONS


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--conf", "--score-threshold"),
        ("--imgsz", "its own input size"),
        ("--save-txt", "--format yolo"),
        ("--stride", "--key-interval"),
    ],
)
def test_an_option_of_another_tool_names_ours(option: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "a.mp4", option, "3"]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_no_habit_shadows_an_option_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("detect", "segment"):
        assert main([command, "--help"]) == 0
        text = capsys.readouterr().out
        for option in (*NO_NEED, *OPTIONS):
            assert f" {option} " not in text


@pytest.mark.parametrize("name", ["yolov8n", "yolo11n.pt", "rtdetr-l", "sam2"])
def test_a_model_of_another_tool_is_answered_with_the_bundled_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", "a.mp4", "--model", name]) == 1
    assert "coco-det" in capsys.readouterr().err
