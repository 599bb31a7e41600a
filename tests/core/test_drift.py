"""How far answers drift."""

import pytest

from dffcli.core.drift import FIRST_GAIN, FIRST_RATE, Drift, between
from dffcli.core.types import Disagreement


def test_nothing_compared_is_a_guess() -> None:
    drift = Drift()
    assert (drift.rate, drift.gain, drift.size) == (FIRST_RATE, FIRST_GAIN, 1.0)


def test_the_rate_is_the_difference_over_the_root_of_the_distance() -> None:
    drift = Drift()
    drift.learn((9,), Disagreement(0.06, 1.0))
    assert drift.rate == pytest.approx(0.02)
    drift.learn((4,), Disagreement(0.08, 1.0))
    assert drift.rate == pytest.approx((0.5 * 0.06 + 0.08) / (0.5 * 3 + 2))


def test_a_frame_with_many_boxes_counts_for_many() -> None:
    drift = Drift(keep=1.0)
    drift.learn((4,), Disagreement(2, 20))
    drift.learn((4,), Disagreement(1, 2))
    assert drift.rate == pytest.approx(3 / 22 / 2)
    assert drift.size == 11
    drift.learn((4,), Disagreement(0, 0))
    assert drift.rate == pytest.approx(3 / 22 / 2)


def test_the_gain_is_what_a_second_side_leaves() -> None:
    drift = Drift()
    drift.learn((4,), Disagreement(0.08, 1.0))
    drift.learn((4, 4), Disagreement(0.04, 1.0))
    assert drift.gain == pytest.approx(0.5)
    drift.learn((4, 4), Disagreement(0.9, 1.0))
    assert drift.gain == 1.0


def test_between_two_key_frames_the_nearer_counts_for_more() -> None:
    assert between(9, 9) == pytest.approx(3)
    assert between(1, 9) == between(9, 1) == pytest.approx(1.5)


def test_the_mean_of_a_stretch_is_that_of_its_frames() -> None:
    drift = Drift()
    drift.learn((1,), Disagreement(0.1, 1.0))
    drift.learn((1, 1), Disagreement(0.05, 1.0))
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
