"""Files appear under their final name only when they are complete."""

from __future__ import annotations

import contextvars
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dffcli.errors import OutputError
from dffcli.files import system
from dffcli.files.atomic import atomic_folder, atomic_path, claimed
from dffcli.files.claim import Claim


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

    with pytest.raises(KeyboardInterrupt), atomic_path(target, overwrite=True) as part:
        part.write_text("half")
        raise KeyboardInterrupt

    assert names(tmp_path) == ["out.json"]
    assert target.read_text() == "old"


def test_an_error_takes_the_folders_back_that_were_made_for_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a" / "b" / "out.json"):
        raise KeyboardInterrupt

    assert names(tmp_path) == []


def test_a_file_that_exists_is_replaced_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")

    with pytest.raises(OutputError, match="exists"), atomic_path(target):
        pass
    assert target.read_text() == "old"
    with atomic_path(target, overwrite=True) as part:
        part.write_text("new")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["out.json"]


def test_what_is_replaced_hands_on_its_permissions(tmp_path: Path) -> None:
    target, folder = tmp_path / "out.json", tmp_path / "masks"
    with atomic_path(target), atomic_folder(folder):
        pass
    target.chmod(0o604)
    folder.chmod(0o705)
    with atomic_path(target, overwrite=True), atomic_folder(folder, overwrite=True):
        pass

    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert stat.S_IMODE(folder.stat().st_mode) == 0o705


def test_new_files_have_the_permissions_of_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "out.json"), atomic_folder(tmp_path / "masks"):
            pass
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "masks").stat().st_mode) == 0o750


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)

    with atomic_path(link, overwrite=True) as part:
        part.write_text("new")

    assert link.is_symlink()
    assert real.read_text() == "new"


def test_links_in_a_circle_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")

    with pytest.raises(OutputError, match="too many levels of symbolic links"), atomic_path(tmp_path / "a.json"):
        pass


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/dev/null"), os.mkfifo])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, make: object) -> None:
    target = tmp_path / "out.json"
    make(target)  # type: ignore[operator]

    with pytest.raises(OutputError, match="expected a file to write"), atomic_path(target, overwrite=True):
        pass


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="cannot be written: "), atomic_path(tmp_path / "file" / "out.json"):
        pass


@pytest.mark.parametrize("name", ["x" * 240 + ".json", "\N{SNOWMAN}" * 80 + ".json", "a." + "x" * 200])
def test_a_very_long_name_can_be_written(tmp_path: Path, name: str) -> None:
    with atomic_path(tmp_path / name) as part:
        part.write_text("done")

    assert (tmp_path / name).read_text() == "done"
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("unsupported", [(), ("exchange",), ("exchange", "no replace"), ("all",)])
def test_what_appears_meanwhile_is_kept_and_the_result_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsupported: tuple[str, ...]
) -> None:
    without(monkeypatch, *unsupported)
    with pytest.raises(OutputError, match=r"kept; the result is in .*out-2\.cocovid\.json"):  # noqa: SIM117
        with atomic_path(tmp_path / "out.cocovid.json") as part:
            part.write_text("ours")
            (tmp_path / "out.cocovid.json").write_text("theirs")
    with pytest.raises(OutputError, match=r"the result is in .*masks-2"), atomic_folder(tmp_path / "masks") as part:
        (part / "0.png").write_text("ours")
        (tmp_path / "masks").mkdir()
        (tmp_path / "masks" / "0.png").write_text("theirs")

    assert names(tmp_path) == ["masks", "masks-2", "out-2.cocovid.json", "out.cocovid.json"]
    assert (tmp_path / "out.cocovid.json").read_text() == (tmp_path / "masks" / "0.png").read_text() == "theirs"
    assert (tmp_path / "out-2.cocovid.json").read_text() == (tmp_path / "masks-2" / "0.png").read_text() == "ours"


def without(monkeypatch: pytest.MonkeyPatch, *calls: str) -> None:
    """A system that lacks some of the calls."""
    rename, real_link = system._rename, os.link

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "this file system has no such links")

    def lacking(old: Path, new: Path, flags: int) -> None:
        if "all" in calls or (flags == 2 and "exchange" in calls) or (flags == 1 and "no replace" in calls):
            raise system.NotSupported(38, "no such call")
        rename(old, new, flags)

    monkeypatch.setattr(system, "_rename", lacking)
    monkeypatch.setattr(os, "link", refuse if "all" in calls else real_link)


@pytest.mark.parametrize("unsupported", [(), ("exchange",), ("exchange", "no replace"), ("all",)])
def test_everything_works_with_what_a_system_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsupported: tuple[str, ...]
) -> None:
    without(monkeypatch, *unsupported)
    for content in ("one", "two"):
        with (
            atomic_path(tmp_path / "o.json", overwrite=True) as part,
            atomic_folder(tmp_path / "m", overwrite=True) as f,
        ):
            part.write_text(content)
            (f / f"{content}.png").write_text(content)

    assert names(tmp_path) == ["m", "o.json"]
    assert (tmp_path / "o.json").read_text() == "two"
    assert names(tmp_path / "m") == [".dff-written", "two.png"]


def test_what_was_changed_meanwhile_is_not_what_was_to_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    with pytest.raises(OutputError, match=r"out-2\.json"), atomic_path(target, overwrite=True) as part:
        part.write_text("ours")
        target.write_text("changed by hand")

    assert target.read_text() == "changed by hand"
    assert (tmp_path / "out-2.json").read_text() == "ours"


def test_a_folder_keeps_what_is_not_ours(tmp_path: Path) -> None:
    target = tmp_path / "masks"
    with atomic_folder(target) as part:
        (part / "labels").mkdir()
        for name in ("0.png", "1.png", "labels/0.txt"):
            (part / name).write_text("first")
    (target / "letter.txt").write_text("dear")
    (target / "images" / "deep").mkdir(parents=True)
    (target / "images" / "deep" / "photo.jpg").write_text("dear")
    (target / "labels" / "note.txt").write_text("dear")
    (target / "images" / "empty").mkdir()
    (target / "link").symlink_to("images")
    inode = (target / "letter.txt").stat().st_ino
    with atomic_folder(target, overwrite=True) as part:
        (part / "0.png").write_text("second")

    found = {str(path.relative_to(target)) for path in target.rglob("*")}
    assert found == {
        ".dff-written", "0.png", "letter.txt", "images", "images/deep", "images/deep/photo.jpg", "labels",
        "labels/note.txt", "images/empty", "link",
    }  # fmt: skip
    assert (target / "0.png").read_text() == "second"
    assert (target / "letter.txt").stat().st_ino == inode
    assert os.readlink(target / "link") == "images"
    assert names(tmp_path) == ["masks"]


def test_a_folder_whose_own_file_has_a_name_we_need_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "masks"
    with atomic_folder(target) as part:
        (part / "0.png").write_text("first")
    (target / "1.png").write_text("by hand")
    with pytest.raises(OutputError, match="masks-2"), atomic_folder(target, overwrite=True) as part:
        for name in ("0.png", "1.png"):
            (part / name).write_text("second")

    assert (target / "0.png").read_text() == "first"
    assert (target / "1.png").read_text() == "by hand"
    assert (tmp_path / "masks-2" / "1.png").read_text() == "second"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir(mode=0o711)
    with atomic_folder(tmp_path / "masks") as part:
        (part / "0.png").write_text("x")

    assert names(tmp_path / "masks") == [".dff-written", "0.png"]
    assert stat.S_IMODE((tmp_path / "masks").stat().st_mode) == 0o711


def test_held_names_are_written_by_what_lies_within(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    with claimed(files=[tmp_path / "a.json"], folders=[tmp_path / "m"], overwrite=True):
        with claimed(folders=[tmp_path / "m"]):  # held already: what lies within may share it, nobody else
            pass
        with pytest.raises(OutputError, match="another run is writing it"):
            Claim(tmp_path / "m", is_folder=True)
        with atomic_path(tmp_path / "a.json") as part:
            part.write_text("new")
        with atomic_folder(tmp_path / "m") as part:
            (part / "0.png").write_text("x")

    assert names(tmp_path) == ["a.json", "m"]
    assert (tmp_path / "a.json").read_text() == "new"


def test_a_held_name_that_nobody_wrote_leaves_nothing(tmp_path: Path) -> None:
    with claimed(files=[tmp_path / "new" / "a.json"], folders=[tmp_path / "m"]):
        pass

    assert names(tmp_path) == []


def test_one_result_that_goes_beside_does_not_cost_the_others(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a-2\.json"), claimed(files=[tmp_path / "a.json", tmp_path / "b.json"]):
        (tmp_path / "a.json").write_text("theirs")
        for name in ("a.json", "b.json"):
            with atomic_path(tmp_path / name) as part:
                part.write_text("ours")

    assert names(tmp_path) == ["a-2.json", "a.json", "b.json"]


def test_what_was_held_by_a_generator_left_half_way_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "o.json"

    def working() -> Iterator[None]:
        with claimed(files=[path]):
            yield

    left = working()
    next(left)
    contextvars.Context().run(left.close)  # as the garbage collector ends it: in no matter whose context
    assert list(tmp_path.iterdir()) == []
    with atomic_path(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole"
