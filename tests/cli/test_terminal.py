"""Names are shown, never obeyed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.table import Table

from dffcli.cli import main
from dffcli.cli.terminal import plain, plain_console
from tests.make_clip import make_clip

EVIL = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\u202e[draft] [bold]x[/bold] :smile: caf\udce9\u2028\x7f"
SHOWN = r"\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\u202e[draft] [bold]x[/bold] :smile: caf\xe9\u2028\x7f"


def test_what_a_terminal_would_act_on_stands_written_out() -> None:
    assert plain(EVIL) == SHOWN
    assert plain("vidéo ünï 视频 🎬 .mp4") == "vidéo ünï 视频 🎬 .mp4"


def test_markup_in_a_name_is_part_of_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    console = plain_console(width=200)
    table = Table("[draft]", title="[/nothing]")
    table.add_row(EVIL.replace("\r\n", ""))
    console.print(table)
    console.print("[red]clip[/red] :smile:")
    said = capsys.readouterr().out
    assert "[draft]" in said
    assert "[/nothing]" in said
    assert "[red]clip[/red] :smile:" in said
    assert SHOWN.replace(r"\r\n", "") in said
    assert "\x1b" not in said


def test_a_hostile_name_goes_through_a_run_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip("clip.mp4", frames=3)
    shutil.move("clip.mp4", "a\x1b[31m[bold]\nb.mp4")
    arguments = ["segment", "a\x1b[31m[bold]\nb.mp4", "--weights", "random", "-o", "o\x1b[2J.json"]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert main(["segment", "gone\x1b[2J.mp4"]) == 1
    assert main(["segment", "clip.mp4", "--start", "\x1b[2J"]) == 2
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert r"a\x1b[31m[bold]\nb.mp4" in told.err
    assert r"o\x1b[2J.json" in told.out
