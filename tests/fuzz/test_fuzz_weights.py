"""A few seconds of the weights' fuzzer in every test run."""

import warnings
from pathlib import Path

from tests.fuzz.fuzz_weights import fuzz


def test_bent_weights_never_break_a_reader(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of pickles of another protocol
        tried, problems = fuzz(3.0, 1, tmp_path / "kept")
    assert not problems
    assert tried > 0
