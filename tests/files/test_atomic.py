"""Files appear under their final name only when they are complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dffcli.errors import OutputError
from dffcli.files.atomic import atomic_folder, atomic_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_file_has_its_final_name_and_nothing_else_is_left(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "new" / "out.json") as part:
        assert part.suffix == ".json"
        assert names(tmp_path / "new") == [part.name]
        part.write_text("done")

    assert names(tmp_path / "new") == ["out.json"]
    assert (tmp_path / "new" / "out.json").read_text() == "done"


def test_an_error_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")

    with pytest.raises(KeyboardInterrupt), atomic_path(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt

    assert names(tmp_path) == ["out.json"]
    assert target.read_text() == "old"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)

    with atomic_path(link) as part:
        part.write_text("new")

    assert link.is_symlink()
    assert real.read_text() == "new"


def test_links_in_a_circle_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")

    with pytest.raises(OutputError, match="too many levels of symbolic links"), atomic_path(tmp_path / "a.json"):
        pass


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, make: object) -> None:
    target = tmp_path / "out.json"
    make(target)  # type: ignore[operator]

    with pytest.raises(OutputError, match="expected a file to write"), atomic_path(target):
        pass


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="cannot be written: "), atomic_path(tmp_path / "file" / "out.json"):
        pass


def test_a_very_long_name_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 240 + ".json")
    with atomic_path(target) as part:
        part.write_text("done")

    assert target.read_text() == "done"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that is no more")
def test_what_killed_runs_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    left = tmp_path / f".out.{gone}-0123abcd.dff-part.json"
    mine = tmp_path / f".out.{os.getpid()}-0123abcd.dff-part.json"
    other = tmp_path / f".other.{gone}-0123abcd.dff-part.json"
    folder = tmp_path / f".masks.{gone}-0123abcd.dff-part"
    for path in (left, mine, other):
        path.write_text("half")
    folder.mkdir()
    (folder / "0.png").write_text("half")
    with atomic_path(tmp_path / "out.json"), atomic_folder(tmp_path / "masks"):
        pass

    assert names(tmp_path) == sorted([mine.name, other.name, "masks", "out.json"])


def test_a_finished_folder_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "masks"
    target.mkdir()
    (target / "old.png").write_text("old")

    with atomic_folder(target) as part:
        (part / "deep").mkdir()
        (part / "deep" / "new.png").write_text("new")

    assert names(tmp_path) == ["masks"]
    assert names(target) == ["deep"]


def test_an_unfinished_folder_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "masks"
    target.mkdir()
    (target / "old.png").write_text("old")

    with pytest.raises(RuntimeError), atomic_folder(target) as part:
        (part / "new.png").write_text("new")
        raise RuntimeError

    assert names(tmp_path) == ["masks"]
    assert names(target) == ["old.png"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "masks").write_text("")

    with pytest.raises(OutputError, match="expected a folder to write"), atomic_folder(tmp_path / "masks"):
        pass
