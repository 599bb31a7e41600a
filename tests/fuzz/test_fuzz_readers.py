"""A few seconds of the fuzzer in every test run."""

from pathlib import Path

from tests.fuzz.fuzz_readers import fuzz


def test_bent_files_never_break_a_reader(tmp_path: Path) -> None:
    tried, refused, failures = fuzz(3.0, 1, tmp_path / "kept")
    assert not failures
    assert tried > refused > 0
