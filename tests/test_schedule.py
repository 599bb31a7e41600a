"""Who is a key frame."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dffcli.errors import DFFError
from dffcli.schedule import FRAME_SHARE, Adaptive, FixedInterval
from dffcli.types import FlowField, KeyReason


def field_with(mismatch: float) -> FlowField:
    return FlowField(torch.zeros(1, 2, 2, 2), mismatch=np.full((2, 2), mismatch, np.float32))


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


def test_adaptive_keys_the_frame_at_which_the_summed_mismatch_exceeds_its_budget() -> None:
    schedule = Adaptive(budget=10 + 3 * FRAME_SHARE)
    assert reasons(schedule, [3, 5, 7, 3, 5, 7]) == [None, None, KeyReason.MISMATCH] * 2


def test_a_faster_scene_gets_more_key_frames_but_not_in_proportion() -> None:
    def interval(rate: float) -> int:
        said = reasons(Adaptive(budget=400, max_interval=100), [rate * distance for distance in range(1, 100)])
        return said.index(KeyReason.MISMATCH) + 1

    slow, fast = interval(0.1), interval(1.6)
    assert fast < slow < 16 * fast


def test_adaptive_waits_for_the_shortest_interval_but_not_at_a_cut() -> None:
    schedule = Adaptive(budget=5, min_interval=3, cut_limit=20)
    assert reasons(schedule, [6, 7, 8]) == [None, None, KeyReason.MISMATCH]
    assert reasons(schedule, [60]) == [KeyReason.SCENE_CUT]


def test_a_slow_rise_is_not_called_a_cut() -> None:
    said = reasons(Adaptive(budget=1000, cut_limit=20), [5, 10, 15, 19, 25, 30])
    assert KeyReason.SCENE_CUT not in said


def test_a_shortest_interval_above_the_longest_is_refused() -> None:
    with pytest.raises(DFFError, match="got 9 and 4"):
        Adaptive(min_interval=9, max_interval=4)
