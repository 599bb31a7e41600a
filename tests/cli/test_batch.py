"""Folders and globs of videos."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from dffcli.cli import main
from dffcli.cli.batch import find_videos, outputs_for
from tests.make_clip import make_clip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    videos = tmp_path / "videos"
    videos.mkdir()
    make_clip(str(videos / "b10.mp4"), frames=4)
    make_clip(str(videos / "b9.mp4"), frames=4)
    (videos / "notes.txt").write_text("not a video")
    return videos


def test_videos_of_a_folder_come_in_natural_order(folder: Path) -> None:
    assert [path.name for path in find_videos(str(folder))] == ["b9.mp4", "b10.mp4"]
    assert [path.name for path in find_videos(f"{folder}/b*.mp4")] == ["b9.mp4", "b10.mp4"]


def test_a_single_file_and_a_folder_of_images_are_no_batch(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    assert find_videos(str(folder / "b9.mp4")) == []
    assert find_videos(str(tmp_path / "images")) == []
    assert find_videos(str(tmp_path / "images" / "*.png")) == []
    assert find_videos("nowhere*.mp4") == []


def test_each_video_has_an_output_of_its_own() -> None:
    videos = [Path("x/a.mp4"), Path("y/a.mp4"), Path("x/b.mkv"), Path("x/b.mp4")]
    assert outputs_for(videos[:1] + videos[2:3], ["out/"], format=None) == ["out/a.mp4", "out/b.mp4"]
    assert outputs_for(videos[2:], ["out"], format="coco") == ["out/b.mkv.json", "out/b.mp4.json"]
    assert outputs_for(videos[:1], ["out"], format="masks") == ["out/a/"]
    assert outputs_for(videos[:1], None, format=None) == ["a.dff.mp4"]


@pytest.mark.parametrize("output", [["out.mp4"], ["a/", "b/"]])
def test_several_videos_want_one_folder(output: list[str]) -> None:
    with pytest.raises(typer.BadParameter, match="one folder"):
        outputs_for([Path("a.mp4")], output, format=None)


def test_one_bad_file_does_not_stop_the_rest_but_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.mp4").write_text("not a video at all")
    out = tmp_path / "out"
    assert main(["segment", str(folder), "-o", f"{out}/"]) == 1
    assert sorted(path.name for path in out.iterdir()) == ["b10.mp4", "b9.mp4"]
    said = capsys.readouterr()
    assert "1 of 3 videos failed" in said.err
    assert "a.mp4" in said.err
    assert "b10.mp4" in said.out


def test_all_well_is_exit_code_zero(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["segment", str(folder), "-o", str(out), "--format", "coco", "--quiet"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["b10.json", "b9.json"]


def test_resuming_leaves_alone_what_is_done(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "b9.json").write_text("done before")
    arguments = ["segment", str(folder), "-o", str(out), "--format", "coco", "--weights", "random"]
    assert main([*arguments, "-q"]) == 1
    assert "1 of 2 videos failed: b9.mp4" in capsys.readouterr().err
    assert main([*arguments, "--resume", "--overwrite"]) == 0
    said = capsys.readouterr()
    assert "b9.mp4: done before" in said.err
    assert "done before" in said.out
    assert (out / "b9.json").read_text() == "done before"


def test_videos_whose_names_differ_in_case_alone_have_outputs_that_do_not() -> None:
    assert outputs_for([Path("A.mp4"), Path("a.mkv")], ("out",), format=None) == ["out/A.mp4.mp4", "out/a.mkv.mp4"]
