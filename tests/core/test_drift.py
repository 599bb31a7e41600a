"""How far answers drift."""

import pytest

from dffcli.core.drift import FIRST_GAIN, FIRST_RATE, FIRST_WEIGHT, GAIN_MEMORY, MEMORY, Drift, between
from dffcli.core.types import Disagreement


def test_nothing_compared_is_a_guess() -> None:
    drift = Drift()
    assert (drift.rate, drift.gain, drift.size, drift.reach) == (pytest.approx(FIRST_RATE), FIRST_GAIN, 1.0, 0)


def test_the_rate_is_the_difference_over_the_root_of_the_distance() -> None:
    drift = Drift()
    for _ in range(60):
        drift.learn((9,), Disagreement(24, 400))
    assert drift.rate == pytest.approx(24 / 400 / 3)


def test_the_guess_and_all_before_are_forgotten_as_fast_as_evidence_comes() -> None:
    drift = Drift()
    drift.learn((4,), Disagreement(8, 50))
    kept = MEMORY / (MEMORY + 100)
    wrong, base = kept * FIRST_RATE * FIRST_WEIGHT + 8, kept * FIRST_WEIGHT + 100
    assert drift.rate == pytest.approx(wrong / base)
    drift.learn((1,), Disagreement(0, 900))
    assert drift.rate == pytest.approx(0.5 * wrong / (0.5 * base + 900))


def test_one_box_changes_little_and_none_nothing() -> None:
    drift = Drift()
    drift.learn((1,), Disagreement(0, 2))
    assert 0.95 * FIRST_RATE < drift.rate < FIRST_RATE
    before = drift.rate
    drift.learn((1,), Disagreement(0, 0))
    assert drift.rate == before


def test_the_size_is_what_a_frame_holds() -> None:
    drift = Drift()
    drift.learn((4,), Disagreement(2, 20))
    drift.learn((4,), Disagreement(1, 2))
    kept = MEMORY / (MEMORY + 4)
    assert drift.size == pytest.approx((20 * kept + 2) / (kept + 1))


def test_little_evidence_reaches_no_further_than_boxes_were_compared() -> None:
    drift = Drift()
    drift.learn((4,), Disagreement(0, 3))
    drift.learn((4, 4), Disagreement(0, 4))
    assert drift.reach == 7
    drift.learn((4,), Disagreement(0, 0))  # both found nothing: that says something too
    assert drift.reach == 9
    drift.learn((4,), Disagreement(0, 5000))
    assert drift.reach == MEMORY


def test_the_gain_is_what_a_second_side_leaves() -> None:
    drift = Drift()
    for _ in range(60):
        drift.learn((4,), Disagreement(32, 400))
    for _ in range(60):
        drift.learn((4, 4), Disagreement(16, 400))
    assert drift.gain == pytest.approx(0.5, rel=1e-3)
    kept = GAIN_MEMORY / (GAIN_MEMORY + 32)
    before = 32 / (1 - kept)  # all that is remembered of what was to be expected
    drift.learn((4, 4), Disagreement(24, 400))
    assert drift.gain == pytest.approx((kept * before / 2 + 24) / (kept * before + 32), rel=1e-3)
    for _ in range(20):
        drift.learn((4, 4), Disagreement(400, 400))
    assert drift.gain == 1.0


def test_one_box_that_was_not_wrong_says_little_of_the_gain() -> None:
    drift = Drift()
    drift.learn((4, 4), Disagreement(0, 2))
    assert 0.9 * FIRST_GAIN < drift.gain < FIRST_GAIN


def test_between_two_key_frames_the_nearer_counts_for_more() -> None:
    assert between(9, 9) == pytest.approx(3)
    assert between(1, 9) == between(9, 1) == pytest.approx(1.5)


def test_the_mean_of_a_stretch_is_that_of_its_frames() -> None:
    drift = Drift()
    for _ in range(60):
        drift.learn((1,), Disagreement(40, 400))
    for _ in range(90):
        drift.learn((1, 1), Disagreement(20, 400))
    assert drift.mean(1, two_sided=0) == 0
    assert drift.mean(3, two_sided=0) == pytest.approx(0.1 * (1 + 2**0.5) / 3)
    assert drift.mean(3, two_sided=2) == pytest.approx(0.05 * 2 * between(1, 2) / 3)
    assert drift.mean(3, two_sided=1) == pytest.approx((0.1 + 0.05 * between(2, 1)) / 3)
    assert drift.mean(3, two_sided=2, rate=0.2) == pytest.approx(0.1 * 2 * between(1, 2) / 3)


def test_what_was_learned_can_be_carried_to_another() -> None:
    drift, other = Drift(), Drift()
    drift.learn((4,), Disagreement(2, 20))
    drift.learn((4, 2), Disagreement(1, 22))
    other.recall(drift.memory)
    assert other == drift
