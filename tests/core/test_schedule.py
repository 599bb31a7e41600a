"""Who is a key frame."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dffcli.core.schedule import Adaptive, FixedInterval
from dffcli.core.types import FlowField, KeyReason
from dffcli.errors import DFFError


def field_with(mismatch: float) -> FlowField:
    return FlowField(torch.zeros(1, 2, 2, 2), photometric_error=np.full((2, 2), mismatch, np.float32))


def reasons(schedule: Adaptive | FixedInterval, mismatches: list[float]) -> list[KeyReason | None]:
    """What the schedule says of frames after a first key frame, whose field to a key mismatches as listed."""
    said: list[KeyReason | None] = []
    distance = 0
    for mismatch in mismatches:
        distance += 1
        said.append(schedule.key_reason(distance, lambda value=mismatch: field_with(value)))
        distance = 0 if said[-1] else distance
    return said


@given(interval=st.integers(1, 40), count=st.integers(0, 100))
def test_fixed_interval_picks_every_nth_frame(interval: int, count: int) -> None:
    said = reasons(FixedInterval(interval), [99.0] * count)
    assert [index + 1 for index, reason in enumerate(said) if reason] == list(range(interval, count + 1, interval))


def test_fixed_interval_never_asks_for_flow() -> None:
    def refuse() -> FlowField:
        pytest.fail("asked for flow")

    assert FixedInterval(3).key_reason(2, refuse) is None
    assert FixedInterval(3).key_reason(3, refuse) is KeyReason.INTERVAL


@pytest.mark.parametrize("interval", [0, -3])
def test_an_interval_below_one_is_refused(interval: int) -> None:
    with pytest.raises(DFFError, match=f"at least 1, got {interval}"):
        FixedInterval(interval)


@given(st.lists(st.floats(0, 255), max_size=80), st.integers(1, 10))
def test_adaptive_never_exceeds_its_longest_interval(mismatches: list[float], longest: int) -> None:
    said = reasons(Adaptive(min_interval=1, max_interval=longest), mismatches)
    run = 0
    for reason in said:
        run = 0 if reason else run + 1
        assert run < longest


def learned(rate: float, **settings: float) -> Adaptive:
    schedule = Adaptive(**settings)  # type: ignore[arg-type]
    schedule.learn(10, lambda: 10 * rate)
    return schedule


def test_intervals_follow_the_square_root_of_the_rate_at_which_results_go_wrong() -> None:
    assert [learned(rate, patience=1.0).interval for rate in (0.04, 0.01, 0.0025)] == [5, 10, 20]


def test_the_learned_interval_stays_between_its_bounds() -> None:
    assert learned(1.0, min_interval=3).interval == 3
    assert learned(0.0, max_interval=25).interval == 25


def test_a_key_frame_is_due_when_the_learned_interval_is_over() -> None:
    assert reasons(learned(0.04, patience=1.0), [1] * 10) == [None, None, None, None, KeyReason.DRIFT] * 2


def test_later_key_frames_change_what_was_learned() -> None:
    schedule = learned(0.04, patience=1.0)
    schedule.learn(5, lambda: 0.0)
    assert schedule.interval == 7  # half the rate


def test_what_was_learned_can_be_carried_to_another_schedule() -> None:
    schedule = learned(0.01, patience=1.0)
    other = Adaptive(patience=1.0)
    other.recall(schedule.memory)
    assert (other.interval, other.memory) == (schedule.interval, schedule.memory)
    other.recall(())
    assert other.interval == schedule.interval


def test_a_scene_cut_is_not_waited_out() -> None:
    assert reasons(learned(0.0025), [2, 3, 60]) == [None, None, KeyReason.SCENE_CUT]


def test_a_picture_that_suddenly_matches_much_worse_is_not_waited_out() -> None:
    assert reasons(learned(0.0025), [2, 3, 15]) == [None, None, KeyReason.MISMATCH]


def test_a_slow_rise_is_not_called_a_cut() -> None:
    said = reasons(Adaptive(min_interval=20), [5, 10, 15, 19, 25, 30])
    assert KeyReason.SCENE_CUT not in said


def test_a_fixed_schedule_makes_no_comparison() -> None:
    FixedInterval(3).learn(3, lambda: pytest.fail("compared"))


def test_a_shortest_interval_above_the_longest_is_refused() -> None:
    with pytest.raises(DFFError, match="got 9 and 4"):
        Adaptive(min_interval=9, max_interval=4)
