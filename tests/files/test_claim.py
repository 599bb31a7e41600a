"""Who writes an output, who is dead, and what belongs to whom."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dffcli.errors import OutputError
from dffcli.files import system
from dffcli.files.claim import Claim
from dffcli.files.leftovers import find_leftovers, remove_leftover

HOLD = (
    "import sys, time; from dffcli.files.claim import Claim; "
    "claim = Claim(sys.argv[1], is_folder=sys.argv[2] == 'folder'); print('held', flush=True); time.sleep(60)"
)


def holder(target: Path, *, is_folder: bool = False) -> subprocess.Popen[str]:
    """A process that has claimed an output."""
    command = [sys.executable, "-c", HOLD, str(target), "folder" if is_folder else "file"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("is_folder", [False, True])
def test_an_output_has_one_writer_and_a_dead_one_does_not_count(tmp_path: Path, is_folder: bool) -> None:
    target = tmp_path / ("masks" if is_folder else "out.json")
    process = holder(target, is_folder=is_folder)
    try:
        with pytest.raises(OutputError, match="another run is writing it"):
            Claim(target, is_folder=is_folder)
        assert [item.state for item in find_leftovers(tmp_path)] == ["alive"]
    finally:
        kill(process)
    [left] = find_leftovers(tmp_path)
    assert left.state == "dead"
    claim = Claim(target, is_folder=is_folder)
    assert not claim.part.is_dir() or list(claim.part.iterdir()) == []
    claim.finish()
    claim.publish()
    assert find_leftovers(tmp_path) == []
    assert target.exists()


def test_parts_of_different_outputs_have_different_names(tmp_path: Path) -> None:
    long = "x" * 100 + "\N{SNOWMAN}" * 40
    wanted = ["out.json", "out.b.json", "out", "out.mp4", ".out.json", "a" * 250, "a" * 249 + "b", long, long + "y"]
    claims = [Claim(tmp_path / name) for name in wanted]

    assert len({claim.part for claim in claims}) == len(wanted)
    for claim in claims:
        claim.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_link_where_the_part_goes_is_never_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("dear")
    claim = Claim(tmp_path / "out.json")
    part = claim.part
    claim.discard()
    part.symlink_to(precious)
    with pytest.raises(OutputError, match="neither a file nor a folder"):
        Claim(tmp_path / "out.json")
    part.unlink()
    part.hardlink_to(precious)
    claim = Claim(tmp_path / "out.json")
    claim.part.write_text("ours")
    claim.finish()
    claim.publish()

    assert precious.read_text() == "dear"


def test_of_many_at_once_exactly_one_has_it(tmp_path: Path) -> None:
    kill(holder(tmp_path / "out.json"))  # a leftover to fight over
    winners, losers = [], []
    ready = threading.Barrier(12)

    def take() -> None:
        ready.wait()
        try:
            winners.append(Claim(tmp_path / "out.json"))
        except OutputError as error:
            losers.append(str(error))

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(winners) == 1
    assert all("another run" in line for line in losers)
    assert len(losers) == 11
    winners[0].discard()


def test_without_locks_what_lies_there_is_left_to_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int, _path: Path) -> bool:
        raise system.NotSupported(95, "no locks")

    monkeypatch.setattr(system, "lock", refuse)
    claim = Claim(tmp_path / "out.json")
    with pytest.raises(OutputError, match="cannot say whether a run is still writing it"):
        Claim(tmp_path / "out.json")
    assert [item.state for item in find_leftovers(tmp_path)] == ["unknown"]
    claim.finish()
    claim.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_leftovers_are_known_by_their_names_and_removed_when_dead(tmp_path: Path) -> None:
    living = Claim(tmp_path / "b.mp4")
    for name in ("a.mp4", "c.json"):
        kill(holder(tmp_path / name))
    kill(holder(tmp_path / "masks", is_folder=True))
    (tmp_path / ".masks.dff-part" / "0.png").write_bytes(bytes(100))
    (tmp_path / ".x.123-0123abcd.dff-part.mp4").write_bytes(b"")  # as earlier versions named them
    (tmp_path / "a.dff-part.mp4").write_text("not hidden: the user's")
    (tmp_path / ".dff-part").write_text("the user's")
    (tmp_path / ".d.json.dff-resume").write_bytes(b"dff-resume {}\n")

    found = {item.path.name: item for item in find_leftovers(tmp_path)}
    assert {name: item.state for name, item in found.items() if item.kind == "part"} == {
        ".a.mp4.dff-part.mp4": "dead", ".b.mp4.dff-part.mp4": "alive", ".c.json.dff-part.json": "dead",
        ".masks.dff-part": "dead", ".x.123-0123abcd.dff-part.mp4": "dead",
    }  # fmt: skip
    assert found[".masks.dff-part"].size == 100
    assert found[".d.json.dff-resume"].kind == "journal"
    assert [remove_leftover(item) for item in found.values()].count(False) == 1
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {living.part.name, "a.dff-part.mp4", ".dff-part"}
    living.discard()


def test_a_file_of_others_in_a_dead_part_is_made_visible(tmp_path: Path) -> None:
    part = tmp_path / ".masks.dff-part"
    part.mkdir()
    (part / ".dff-written").write_text('{"files": ["0.png"]}')
    (part / "0.png").write_text("ours")
    (part / "letter.txt").write_text("dear")
    Claim(tmp_path / "masks", is_folder=True).discard()

    assert (tmp_path / "masks.dff-part" / "letter.txt").read_text() == "dear"


def test_a_folder_caught_between_two_names_gets_its_own_back(tmp_path: Path) -> None:
    (tmp_path / ".masks.dff-old").mkdir()
    (tmp_path / ".masks.dff-old" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="exists"):
        Claim(tmp_path / "masks", is_folder=True)

    assert (tmp_path / "masks" / "letter.txt").read_text() == "dear"
    (tmp_path / "masks").rename(tmp_path / ".masks.dff-old")
    [left] = find_leftovers(tmp_path)
    assert remove_leftover(left)
    assert (tmp_path / "masks" / "letter.txt").read_text() == "dear"


def test_the_stamp_that_is_told_is_that_of_the_result(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "out.json")
    told = []
    claim.on_publish = lambda target, stamp: told.append((target, stamp, target.exists()))
    claim.part.write_text("x")
    claim.finish()
    claim.publish()

    [(target, stamp, was_there)] = told
    assert not was_there
    assert (stamp.device, stamp.inode) == (os.stat(target).st_dev, os.stat(target).st_ino)
    assert target == Path(os.path.realpath(tmp_path / "out.json"))


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_part_that_was_removed_and_begun_again_is_not_published(tmp_path: Path, is_folder: bool) -> None:
    claim = Claim(tmp_path / "out", is_folder=is_folder)
    if is_folder:
        claim.part.rmdir()
        claim.part.mkdir()
    else:
        claim.part.unlink()
        claim.part.write_text("the second half")
    with pytest.raises(OutputError, match="what was begun has been removed"):
        claim.finish()
    claim.discard()
