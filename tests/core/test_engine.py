"""Algorithm 1 and its two-sided form, on motion that is known exactly."""

from dataclasses import replace

import numpy as np
import pytest

from dffcli.core.engine import Engine
from dffcli.core.schedule import FIRST_INTERVAL, FixedInterval, LearnsNothing, TargetAgreement
from dffcli.core.types import FrameResult, KeyReason, SegmentationMap
from tests.fakes import STRIDE, FakeFlow, FakeModel, moving_frames, true_answer


def labels(result: FrameResult) -> np.ndarray:
    assert isinstance(result.prediction, SegmentationMap)
    return result.prediction.category_ids


@pytest.mark.parametrize("two_sided", [False, True])
def test_every_frame_has_one_result_in_order(two_sided: bool) -> None:
    engine = Engine(FakeModel(), FakeFlow(), FixedInterval(4), two_sided=two_sided)
    assert [result.frame.index for result in engine.run(moving_frames(11))] == list(range(11))


@pytest.mark.parametrize("two_sided", [False, True])
def test_features_run_on_key_frames_alone_and_the_head_on_every_frame(two_sided: bool) -> None:
    model = FakeModel()
    list(Engine(model, FakeFlow(), FixedInterval(4), two_sided=two_sided).run(moving_frames(11)))
    assert model.key_indices == [0, 4, 8]
    assert sorted(model.heads) == [(index, index % 4 == 0) for index in range(11)]


@pytest.mark.parametrize("two_sided", [False, True])
def test_interval_one_equals_the_plain_model(two_sided: bool) -> None:
    flow = FakeFlow()
    for result in Engine(FakeModel(), flow, FixedInterval(1), two_sided=two_sided).run(moving_frames(5)):
        np.testing.assert_array_equal(labels(result), true_answer(result))
    assert flow.calls == []


def test_causal_propagation_follows_the_motion() -> None:
    for result in Engine(FakeModel(), FakeFlow(), FixedInterval(6)).run(moving_frames(6)):
        seen = result.frame.index * STRIDE  # what entered from the left was not in the key frame
        np.testing.assert_array_equal(labels(result)[:, seen:], true_answer(result)[:, seen:])


def test_two_sides_see_what_one_side_cannot() -> None:
    class SeesItsOwnSide(FakeFlow):
        """Reports a bad match where the key frame's picture has no content."""

        def estimate(self, key, current, *, guess=None):  # type: ignore[no-untyped-def]
            field = super().estimate(key, current, guess=guess)
            shift = key.frame.index - current.frame.index
            error = np.zeros_like(field.photometric_error)
            if shift < 0:
                error[:, :-shift] = 200.0
            else:
                error[:, error.shape[1] - shift :] = 200.0
            return replace(field, photometric_error=error)

    for result in Engine(FakeModel(), SeesItsOwnSide(), FixedInterval(3), two_sided=True).run(moving_frames(7)):
        np.testing.assert_array_equal(labels(result), true_answer(result))


def test_two_sided_results_name_both_keys() -> None:
    results = list(Engine(FakeModel(), FakeFlow(), FixedInterval(3), two_sided=True).run(moving_frames(5)))
    assert [result.key_indices for result in results] == [(0,), (0, 3), (0, 3), (3,), (3,)]


def test_nothing_is_blended_across_a_scene_cut() -> None:
    flow = FakeFlow(errors={3: 90.0})
    results = list(Engine(FakeModel(), flow, TargetAgreement(), two_sided=True).run(moving_frames(5)))
    assert results[3].key_reason is KeyReason.SCENE_CUT
    assert [result.key_indices for result in results] == [(0,), (0,), (0,), (3,), (3,)]
    assert (3, 1) not in flow.calls


def test_the_drift_is_learned_from_what_would_have_been_carried_to_key_frames() -> None:
    schedule = TargetAgreement(max_interval=FIRST_INTERVAL)
    list(Engine(FakeModel(), FakeFlow(), schedule).run(moving_frames(60, size=(32, 480))))
    wrong = FIRST_INTERVAL / 120  # columns that came in from the left
    assert schedule.drift.rate == pytest.approx(wrong / FIRST_INTERVAL**0.5, rel=0.01)


def test_a_key_frame_is_compared_with_what_both_sides_would_have_said() -> None:
    told: list[tuple[tuple[int, ...], float]] = []

    class Tells(FixedInterval, LearnsNothing):
        def learn(self, distances, compare):  # type: ignore[no-untyped-def]
            told.append((distances, compare().share))

    list(Engine(FakeModel(), FakeFlow(), Tells(3), two_sided=True).run(moving_frames(8)))
    assert [distances for distances, _ in told] == [(3,), (3,), (3, 3)]
    blend = told[2][1]
    assert told[1][1] == pytest.approx(3 / 12, abs=0.01)
    assert blend > 0  # both borders are mixed in


def test_each_field_starts_from_the_one_beside_it() -> None:
    flow = FakeFlow()
    list(Engine(FakeModel(), flow, FixedInterval(3), two_sided=True).run(moving_frames(4)))
    assert list(zip(flow.calls, flow.guesses, strict=True)) == [
        ((0, 1), False),
        ((0, 2), True),
        ((3, 2), False),
        ((3, 1), True),
    ]


def test_the_frame_after_a_damaged_one_is_a_key_frame() -> None:
    frames = [replace(frame, is_corrupt=frame.index == 2) for frame in moving_frames(6)]
    results = list(Engine(FakeModel(), FakeFlow(), FixedInterval(10)).run(frames))
    assert [result.key_reason for result in results] == [KeyReason.FIRST, None, None, KeyReason.CORRUPT, None, None]


@pytest.mark.parametrize("two_sided", [False, True])
def test_a_change_of_size_starts_anew(two_sided: bool) -> None:
    small = list(moving_frames(2))
    large = [replace(frame, index=frame.index + 2) for frame in moving_frames(2, size=(64, 64))]
    results = list(Engine(FakeModel(), FakeFlow(), FixedInterval(9), two_sided=two_sided).run(small + large))
    assert [result.key_reason for result in results] == [KeyReason.FIRST, None, KeyReason.RESIZED, None]


def test_causal_results_come_as_frames_come() -> None:
    taken = []

    def source():  # type: ignore[no-untyped-def]
        for frame in moving_frames(6):
            taken.append(frame.index)
            yield frame

    for result in Engine(FakeModel(), FakeFlow(), FixedInterval(4)).run(source()):
        assert taken[-1] == result.frame.index


def test_two_sided_waits_for_one_interval_and_no_longer() -> None:
    taken = []

    def source():  # type: ignore[no-untyped-def]
        for frame in moving_frames(20):
            taken.append(frame.index)
            yield frame

    for result in Engine(FakeModel(), FakeFlow(), FixedInterval(4), two_sided=True).run(source()):
        assert taken[-1] - result.frame.index <= 4
