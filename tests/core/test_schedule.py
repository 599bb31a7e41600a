"""Who is a key frame."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dffcli.core.defaults import MAX_INTERVAL
from dffcli.core.engine import Engine
from dffcli.core.schedule import (
    FIRST_INTERVAL,
    MAX_WAITING,
    PROBE,
    FixedInterval,
    LearnsNothing,
    TargetAgreement,
)
from dffcli.core.types import Disagreement, FlowField, FrameResult, KeyReason
from dffcli.errors import DFFError
from tests.core.drifting import Drifting, DriftingModel, StillFlow, frames, wrong

GAIN = 0.7


def field_with(error: float) -> FlowField:
    return FlowField(torch.zeros(1, 2, 2, 2), photometric_error=np.full((2, 2), error, np.float32))


def refuse() -> FlowField:
    pytest.fail("asked for flow")


def reasons(schedule: TargetAgreement | FixedInterval, errors: list[float]) -> list[KeyReason | None]:
    """What the schedule says of frames after a first key frame, whose photometric error to a key is as listed."""
    said: list[KeyReason | None] = []
    distance = 0
    for error in errors:
        distance += 1
        said.append(schedule.key_reason(distance, lambda value=error: field_with(value)))
        distance = 0 if said[-1] else distance
    return said


def run(
    schedule: TargetAgreement,
    rate: float | Callable[[int], float],
    *,
    count: int = 400,
    errors: dict[int, float] | None = None,
) -> list[FrameResult]:
    """Results over frames on which answers drift at a known rate, on as many sides as the schedule counts on."""
    drifting = Drifting(rate if callable(rate) else lambda _index: rate, gain=GAIN)
    engine = Engine(DriftingModel(), StillFlow(errors=errors or {}), schedule, schedule.two_sided, drifting)
    return list(engine.run(frames(count)))


def keys(results: list[FrameResult]) -> list[int]:
    return [result.frame.index for result in results if result.is_key]


def intervals(results: list[FrameResult]) -> list[int]:
    return [int(gap) for gap in np.diff(keys(results))]


def true_mean(interval: int, rate: float, *, two_sided: bool) -> float:
    """Mean difference on a stretch by the law, frame by frame."""
    total = 0.0
    for distance in range(1, interval):
        if two_sided and interval - distance <= MAX_WAITING:
            one, other = distance**0.5, (interval - distance) ** 0.5
            total += GAIN * rate * 2 * one * other / (one + other)
        else:
            total += rate * distance**0.5
    return total / interval


@given(interval=st.integers(1, 40), count=st.integers(0, 100))
def test_fixed_interval_picks_every_nth_frame(interval: int, count: int) -> None:
    said = reasons(FixedInterval(interval), [99.0] * count)
    assert [index + 1 for index, reason in enumerate(said) if reason] == list(range(interval, count + 1, interval))


def test_fixed_interval_never_asks_for_flow() -> None:
    assert FixedInterval(3).key_reason(2, refuse) is None
    assert FixedInterval(3).key_reason(3, refuse) is KeyReason.INTERVAL


def test_a_fixed_schedule_compares_mends_and_remembers_nothing() -> None:
    schedule = FixedInterval(3)
    schedule.recall((1.0,))
    assert schedule.memory == ()
    assert schedule.max_interval == 3
    learner = LearnsNothing()
    learner.learn((3,), lambda: pytest.fail("compared"))
    assert not learner.needs_repair(3, two_sided=2)
    assert not learner.needs_last(2)
    assert learner.stretch(3, two_sided=2) is None


@pytest.mark.parametrize("interval", [0, -3])
def test_an_interval_below_one_is_refused(interval: int) -> None:
    with pytest.raises(DFFError, match=f"at least 1, got {interval}"):
        FixedInterval(interval)


@pytest.mark.parametrize("target", [0.0, 1.0, -0.5, 1.5])
def test_a_target_that_is_no_share_is_refused(target: float) -> None:
    with pytest.raises(DFFError, match="above 0 and below 1, got"):
        TargetAgreement(target)


def test_a_longest_interval_below_one_is_refused() -> None:
    with pytest.raises(DFFError, match="at least 1, got 0"):
        TargetAgreement(max_interval=0)
    assert TargetAgreement(max_interval=1).interval == 1


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("rate", [0.001, 0.004, 0.01, 0.02, 0.03])
def test_the_interval_found_is_the_longest_that_keeps_the_target(rate: float, two_sided: bool) -> None:
    schedule = TargetAgreement(0.96, two_sided=two_sided)
    found = intervals(run(schedule, rate, count=1500))[8:-1]
    longest = max(n for n in range(1, MAX_INTERVAL + 1) if true_mean(n, rate, two_sided=two_sided) <= 0.04)
    assert abs(np.mean(found) - longest) <= 1.01  # what is left of the target by whole frames is made up for
    assert max(found) - min(found) <= 2 + longest // 20


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("rate", [0.002, 0.02, 0.06, 0.15])
@pytest.mark.parametrize("target", [0.9, 0.96, 0.98])
def test_the_target_is_held_and_not_overfulfilled(rate: float, target: float, two_sided: bool) -> None:
    results = run(TargetAgreement(target, two_sided=two_sided), rate, count=1500)
    got = np.mean([wrong(result) for result in results])
    if true_mean(MAX_INTERVAL, rate, two_sided=two_sided) > 1 - target:
        assert got == pytest.approx(1 - target, abs=0.2 * (1 - target))
    assert got < 1.2 * (1 - target)


def test_where_nothing_can_be_propagated_every_frame_is_a_key_frame_and_probing_is_rare() -> None:
    schedule = TargetAgreement(0.98)
    drifting = Drifting(lambda _index: 0.9, gain=1.0)
    flow = StillFlow()
    results = list(Engine(DriftingModel(), flow, schedule, two_sided=True, propagation=drifting).run(frames(400)))
    assert len(keys(results)) > 0.95 * len(results)
    assert len(flow.calls) < 0.6 * len(results)  # two for each probe, of every fourth frame


def test_per_frame_evaluation_is_left_when_the_video_calms_down() -> None:
    results = run(TargetAgreement(), lambda index: 0.5 if index < 100 else 0.01, count=200)
    assert len([key for key in keys(results) if 40 <= key < 100]) > 50
    assert max(intervals(results[130:])) >= 7


def test_a_still_scene_is_left_alone_up_to_the_longest_interval() -> None:
    schedule = TargetAgreement(max_interval=70)
    results = run(schedule, 0.0001, count=1200)
    assert intervals(results)[:6] == [3, 7, 15, 31, 63, 70]
    assert {result.key_reason for result in results[300:]} == {None, KeyReason.MAX_INTERVAL}


def test_where_the_longest_interval_is_steady_most_comparisons_are_left_out() -> None:
    results = run(TargetAgreement(max_interval=10), 0.0001, count=2000)
    stretches = [result.stretch for result in results if result.stretch is not None]
    compared = sum(stretch.comparisons for stretch in stretches[10:])
    assert compared <= 2 * len(stretches[10:]) / PROBE + 2


def test_a_wait_that_is_cut_short_leaves_the_first_frames_to_one_side() -> None:
    results = run(TargetAgreement(), 0.0001, count=300)
    sides = [len(result.key_indices) for result in results if result.frame.index in range(120, 239)]
    assert sides.count(2) == MAX_WAITING


def test_a_bad_stretch_is_mended_once_in_its_middle() -> None:
    results = run(TargetAgreement(max_interval=30), lambda index: 0.005 if index < 150 else 0.08, count=260)
    repairs = [result.frame.index for result in results if result.key_reason is KeyReason.REPAIR]
    assert len(repairs) >= 1
    first = repairs[0]
    before = max(key for key in keys(results) if key < first)
    after = min(key for key in keys(results) if key > first)
    assert first == before + (after - before) // 2
    gaps = [key for key in keys(results) if before < key < after]
    assert gaps == [first]
    assert results[first + 1].key_indices == (first, after)
    assert results[first - 1].key_indices == (before, first)


def test_what_is_reached_from_one_side_is_not_mended() -> None:
    results = run(TargetAgreement(two_sided=False), lambda index: 0.005 if index < 150 else 0.08, count=260)
    assert KeyReason.REPAIR not in {result.key_reason for result in results}


def test_the_last_frame_is_a_key_frame_if_the_rest_needs_one() -> None:
    whole = keys(run(TargetAgreement(), 0.012, count=400))
    assert whole[5] > 90
    assert keys(run(TargetAgreement(), 0.012, count=90)) == [*whole[:5], 89]
    assert run(TargetAgreement(), 0.012, count=90)[-1].key_reason is KeyReason.LAST
    assert keys(run(TargetAgreement(), 0.012, count=62)) == whole[:5]


def test_the_rest_of_a_causal_run_is_left_as_it_is() -> None:
    assert not TargetAgreement(two_sided=False).needs_last(1000)
    assert TargetAgreement().needs_last(1000)
    assert not TargetAgreement().needs_last(1)


def test_what_was_underspent_is_made_up_for_and_forgotten_again() -> None:
    schedule = TargetAgreement()
    schedule.learn((4,), lambda: Disagreement(24, 400))
    schedule._before = 60
    rested = schedule.interval
    schedule.overspent = 2.0
    careful = schedule.interval
    schedule.overspent = -2.0
    generous = schedule.interval
    assert careful < rested < generous
    schedule.drift.learn((4,), Disagreement(0, 400))
    schedule.stretch(1000, two_sided=0)
    assert abs(schedule.overspent) < 1.0


def test_a_frame_whose_picture_suddenly_matches_worse_is_not_waited_for() -> None:
    steady = dict.fromkeys(range(400), 2.0)
    results = run(TargetAgreement(), 0.002, errors=steady | dict.fromkeys(range(205, 400), 15.0))
    assert results[205].key_reason is KeyReason.SUDDEN_CHANGE
    calm = run(TargetAgreement(), 0.002, errors=steady)
    assert KeyReason.SUDDEN_CHANGE not in {result.key_reason for result in calm}


def test_a_scene_cut_is_not_waited_out_and_nothing_is_carried_across() -> None:
    results = run(TargetAgreement(), 0.002, errors={150: 60.0})
    assert results[150].key_reason is KeyReason.SCENE_CUT
    assert len(results[149].key_indices) == 1


def test_a_slow_rise_is_not_called_a_cut() -> None:
    said = reasons(TargetAgreement(), [5, 10, 15, 19, 25, 30])
    assert KeyReason.SCENE_CUT not in said


def test_a_cut_needs_both_a_bad_match_and_a_jump() -> None:
    schedule = TargetAgreement()
    assert reasons(schedule, [1, 20.5])[1] is KeyReason.SCENE_CUT
    assert reasons(TargetAgreement(), [1, 19.5])[1] is None
    assert reasons(TargetAgreement(), [8.5, 21])[1] is None


@given(st.lists(st.floats(0, 255), max_size=80), st.integers(1, 10))
def test_the_target_schedule_never_exceeds_its_longest_interval(errors: list[float], longest: int) -> None:
    said = reasons(TargetAgreement(max_interval=longest), errors)
    gap = 0
    for reason in said:
        gap = 0 if reason else gap + 1
        assert gap < longest


def test_the_first_stretch_is_short_and_later_ones_at_most_double() -> None:
    assert TargetAgreement(0.9).interval == FIRST_INTERVAL
    grown = intervals(run(TargetAgreement(0.9), 0.0))
    assert all(after <= 2 * before + 1 for before, after in itertools.pairwise(grown))


def test_a_run_can_go_on_from_what_was_learned() -> None:
    whole = run(TargetAgreement(), lambda index: 0.01 + 0.01 * (index // 50 % 2), count=400)
    for start in (result for result in whole if result.is_key and result.frame.index > 0):
        if start.schedule_memory is None:
            continue
        schedule = TargetAgreement()
        schedule.recall(start.schedule_memory)
        assert schedule.memory == start.schedule_memory
        drifting = Drifting(lambda index: 0.01 + 0.01 * (index // 50 % 2), gain=GAIN)
        rest = [frame for frame in frames(400) if frame.index >= start.frame.index]
        engine = Engine(DriftingModel(), StillFlow(), schedule, two_sided=True, propagation=drifting)
        again = list(engine.run(rest))
        assert keys(again) == [key for key in keys(whole) if key >= start.frame.index]
        assert [result.stretch for result in again[1:]] == [result.stretch for result in whole[start.frame.index + 1 :]]


def test_most_key_frames_can_be_gone_on_from() -> None:
    results = run(TargetAgreement(), 0.02)
    memories = [result.schedule_memory for result in results if result.is_key]
    assert memories.count(None) < 0.3 * len(memories)
    causal = [result.schedule_memory for result in run(TargetAgreement(two_sided=False), 0.02) if result.is_key]
    assert None not in causal


@pytest.mark.parametrize("rate", [0.3, 0.02])
@pytest.mark.parametrize("errors", [{}, {100: 60.0, 130: 90.0, 140: 99.0}])
def test_the_cost_can_be_bounded_whatever_the_agreement(rate: float, errors: dict[int, float]) -> None:
    results = run(TargetAgreement(max_cost=10), rate, errors=errors)
    assert len(keys(results)) <= 400 / 10 + 1
    assert intervals(results)[0] == 10
    if errors:
        assert results[100].key_reason is KeyReason.SCENE_CUT
    cheap = [run(TargetAgreement(max_cost=cost), 0.001) for cost in (1, 3)]
    assert keys(cheap[0])[-3:] == keys(cheap[1])[-3:]  # it changes nothing where it is not reached


def test_what_was_spared_can_be_spent() -> None:
    results = run(TargetAgreement(max_cost=10), lambda index: 0.0005 if index < 200 else 0.2, count=300)
    assert 300 / 10 - 6 <= len(keys(results)) <= 300 / 10 + 1
    assert min(intervals(results[200:])) < 10


@pytest.mark.parametrize("cost", [0, 21])
def test_a_cost_that_cannot_be_is_refused(cost: int) -> None:
    with pytest.raises(DFFError, match=f"1 to the longest interval, 20, got {cost}"):
        TargetAgreement(max_interval=20, max_cost=cost)


def test_every_stretch_of_two_frames_or_more_is_compared_at_its_end() -> None:
    results = run(TargetAgreement(), 0.15)
    stretches = [result.stretch for result in results if result.stretch is not None]
    assert {1, 2} <= {stretch.frames for stretch in stretches}
    assert all(stretch.comparisons for stretch in stretches if stretch.frames > 1)
    single = [stretch.comparisons for stretch in stretches if stretch.frames == 1]
    assert 0 < sum(count > 0 for count in single) < len(single)
