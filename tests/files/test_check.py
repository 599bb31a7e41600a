"""Outputs that would cost the user something are refused before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dffcli.errors import OutputError
from dffcli.files.atomic import atomic_folder
from dffcli.files.check import check_outputs


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"x")
    return path


def test_the_input_is_never_an_output_by_whatever_name(clip: Path) -> None:
    hard, soft, folder = clip.with_name("hard.mp4"), clip.with_name("soft.mp4"), clip.with_name("other")
    hard.hardlink_to(clip)
    soft.symlink_to(clip)
    folder.symlink_to(clip.parent)
    names = [clip, hard, soft, folder / "clip.mp4", clip.parent / "x" / ".." / "clip.mp4", clip.parent]
    for name in names:
        with pytest.raises(OutputError, match="is the input"):
            check_outputs([name], inputs=[clip], overwrite=True)


def test_names_that_differ_in_case_alone_are_the_input_elsewhere(clip: Path) -> None:
    with pytest.raises(OutputError, match=r"CLIP\.mp4: differs from the input clip\.mp4 in nothing but"):
        check_outputs([clip.with_name("CLIP.mp4")], inputs=[clip])
    check_outputs([clip.parent / "sub" / "CLIP.mp4"], inputs=[clip])


def test_the_same_word_with_another_accent_is_the_same_name(tmp_path: Path) -> None:
    clip = tmp_path / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.mp4"
    clip.write_bytes(b"")
    with pytest.raises(OutputError, match="differs from the input"):
        check_outputs([tmp_path / "cafe\N{COMBINING ACUTE ACCENT}.mp4"], inputs=[clip])


def test_every_input_counts_not_the_first_alone(clip: Path) -> None:
    weights = clip.with_name("w.pth")
    weights.write_bytes(b"")
    with pytest.raises(OutputError, match=r"w\.pth: is the input"):
        check_outputs([weights], inputs=["gone.mp4", "a\0b", None, clip, weights], overwrite=True)


def test_a_part_of_an_input_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "truth.json").write_text("dear")
    with pytest.raises(OutputError, match="is part of the input"):
        check_outputs([tmp_path / "data" / "truth.json"], inputs=[tmp_path / "data"], overwrite=True)
    check_outputs([tmp_path / "data" / "new.json"], inputs=[tmp_path / "data"])


def test_what_exists_is_replaced_only_when_asked_or_ours(clip: Path) -> None:
    with pytest.raises(OutputError, match=r"clip\.mp4: exists; choose another name or add --overwrite"):
        check_outputs([clip])
    check_outputs([clip], overwrite=True)
    check_outputs([clip], ours=[Path(os.path.realpath(clip))])


def test_overwriting_never_removes_a_folder_of_other_things(tmp_path: Path) -> None:
    folder = tmp_path / "precious"
    folder.mkdir()
    check_outputs([folder])
    (folder / "letters.txt").write_text("dear")
    (folder / "classes.json").write_text("{}")
    with pytest.raises(OutputError, match="exists"):
        check_outputs([folder])
    with pytest.raises(OutputError, match="not a folder of annotations"):
        check_outputs([folder], overwrite=True)
    with atomic_folder(tmp_path / "masks") as part:
        (part / "0.png").write_bytes(b"")
    check_outputs([tmp_path / "masks"], overwrite=True)


def test_outputs_lie_side_by_side(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="twice"):
        check_outputs([tmp_path / "a", f"{tmp_path}/a/"])
    with pytest.raises(OutputError, match="twice"):
        check_outputs([tmp_path / "a.json", tmp_path / "A.json"])
    with pytest.raises(OutputError, match="side by side"):
        check_outputs([tmp_path / "a", tmp_path / "a" / "b.json"])


def test_two_names_of_one_file_are_one_output(clip: Path) -> None:
    clip.with_name("hard.mp4").hardlink_to(clip)
    with pytest.raises(OutputError, match="twice"):
        check_outputs([clip, clip.with_name("hard.mp4")], overwrite=True)
