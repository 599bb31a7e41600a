"""The programs in docs/python.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.make_clip import make_clip

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
PROGRAMS = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
)
SAYS = {
    "A model of your own": r"\d+\.\d times faster than every frame",
    "A schedule of your own": r"\[0(, \d+)*\]",
    "Results as a table": r"\d+ objects",
    "Frames from numpy": r"(0\.\d\d s: \d+% road\n){25}(1\.\d\d s: \d+% road\n?){5}",
    "Writing with a sink": r"24 frames, \d+ key frames",
}
FILES = {"A model of your own": ["own.mp4"], "Writing with a sink": ["road.csv", "street.json"]}


def test_every_program_is_run() -> None:
    assert PROGRAMS.keys() == SAYS.keys()


@pytest.mark.parametrize("title", SAYS)
def test_a_program_runs(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip("street.mp4", frames=24)
    exec(compile(PROGRAMS[title], title, "exec"), {"__name__": "program"})
    assert re.fullmatch(SAYS[title], capsys.readouterr().out.strip())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES.get(title, []), "street.mp4"])


def test_a_model_of_ones_own_takes_few_lines() -> None:
    lines = [line for line in PROGRAMS["A model of your own"].splitlines() if line.strip()]
    assert len(lines) <= 15
