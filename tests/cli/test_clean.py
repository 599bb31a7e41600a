"""`dff clean` removes what is dead and dff's, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dffcli.cli import main
from dffcli.files.claim import Claim


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".a.json.dff-part.json").write_bytes(bytes(5000))
    (tmp_path / ".masks.dff-part").mkdir()
    (tmp_path / ".masks.dff-part" / "0.png").write_bytes(b"")
    (tmp_path / ".b.mp4.dff-resume").write_bytes(b"dff-resume {}\n")
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "my.dff-part.json").write_text("dear")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_dead_go_and_everything_else_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = Claim(folder / "c.json")
    before = names(folder)
    assert main(["clean", str(folder), "--dry-run"]) == 0
    assert names(folder) == before
    assert main(["clean", str(folder)]) == 0
    assert names(folder) == {".b.mp4.dff-resume", "letter.txt", "my.dff-part.json", claim.part.name}
    claim.discard()
    said = capsys.readouterr().out
    assert "5.0 kB" in said
    assert "would be removed" in said
    assert "kept: a run is writing it" in said
    assert "kept: its run can go on with --resume" in said


def test_journals_go_when_that_is_asked_for(folder: Path) -> None:
    assert main(["clean", str(folder), "--journals"]) == 0
    assert names(folder) == {"letter.txt", "my.dff-part.json"}


def test_a_folder_that_is_none_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", str(folder / "letter.txt")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    (folder / "empty").mkdir()
    assert main(["clean", str(folder / "empty")]) == 0
    assert "nothing unfinished" in capsys.readouterr().out
