"""`dff convert` from the command line: exit codes and what is left on disk."""

from pathlib import Path

import pytest

from dffcli.cli import main
from dffcli.core.types import Task
from tests.formats.samples import box_records, sequence_of, write


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return write(tmp_path / "boxes.json", box_records(), sequence_of(Task.DETECT))


def test_it_says_what_it_did(boxes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = boxes.with_name("boxes.xml")
    assert main(["convert", str(boxes), str(target)]) == 0
    assert "6 frames: coco -> cvat" in capsys.readouterr().out
    assert target.read_text().startswith("<?xml")


def test_an_existing_file_is_kept_unless_asked(boxes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = boxes.with_name("boxes.txt")
    target.write_text("mine")
    assert main(["convert", str(boxes), str(target)]) == 1
    assert "exists" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert main(["convert", str(boxes), str(target), "--overwrite", "--quiet"]) == 0
    assert target.read_text().startswith("1,7,")


def test_broken_input_leaves_nothing(boxes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes.write_text('{"images": [')
    assert main(["convert", str(boxes), str(boxes.with_name("out.xml"))]) == 1
    assert "not a JSON file" in capsys.readouterr().err
    assert [path.name for path in boxes.parent.iterdir()] == ["boxes.json"]


@pytest.mark.parametrize("wrong", [("--size", "wide"), ("--rate", "0"), ("--mask-ids", "pink")])
def test_wrong_options_are_wrong_usage(boxes: Path, wrong: tuple[str, str]) -> None:
    assert main(["convert", str(boxes), str(boxes.with_name("out.xml")), *wrong]) == 2
