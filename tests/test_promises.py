"""Every promise of the docs names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["files.md", "security.md"])
def test_every_test_that_is_named_is_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    missing, file = [], ""
    for named, test in re.findall(r"`((?:tests|benchmarks)/[\w/]+(?:\.py)?)?(?:::(\w+))?`", text):
        file = named or file
        place = ROOT / file
        if not place.exists() or (test and f"def {test}(" not in place.read_text(encoding="utf-8")):
            missing.append(f"{file}::{test}")
    assert not missing
