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
    found, base, *_ = schedule.drift.memory  # without the guess it began with
    assert found / base == pytest.approx(wrong / FIRST_INTERVAL**0.5, rel=0.01)


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
    list(Engine(FakeModel(), flow, FixedInterval(5), two_sided=True).run(moving_frames(7)))
    assert list(zip(flow.calls, flow.guesses, strict=True)) == [
        *(((0, 1), None), ((0, 2), (0, 1)), ((0, 3), (0, 2)), ((0, 4), (0, 3))),
        *(((5, 4), None), ((5, 3), (5, 4)), ((5, 2), (5, 3)), ((5, 1), (5, 2))),
        ((5, 6), None),
    ]


def test_a_key_frame_is_compared_along_the_chains_on_both_sides() -> None:
    class Compares(FixedInterval):
        begin, needs_repair = LearnsNothing.begin, LearnsNothing.needs_repair
        needs_last, stretch = LearnsNothing.needs_last, LearnsNothing.stretch

        def learn(self, distances, compare):  # type: ignore[no-untyped-def]
            compare()

    flow = FakeFlow()
    list(Engine(FakeModel(), flow, Compares(2), two_sided=True).run(moving_frames(5)))
    assert list(zip(flow.calls, flow.guesses, strict=True)) == [
        *(((0, 1), None), ((0, 2), (0, 1)), ((2, 1), None)),
        *(((2, 3), None), ((2, 4), (2, 3)), ((4, 3), None), ((4, 2), (4, 3))),
    ]


class Tells:
    """A propagation that says from where to where it was asked to carry, in the first pixels of a label map."""

    def at_key(self, key):  # type: ignore[no-untyped-def]
        return key.prediction

    def from_one(self, key, field, image):  # type: ignore[no-untyped-def]
        return self._says(key.frame.index, 255, image.frame.index, field.current.frame.index)

    def from_both(self, before, back, image, onward, after):  # type: ignore[no-untyped-def]
        assert back.current is onward.current is image
        lead = [round(image.frame.index + float(one.displacement[0, 0, 0, 0])) for one in (back, onward)]
        assert lead == [before.frame.index, after.frame.index]
        return self._says(before.frame.index, after.frame.index, image.frame.index, image.frame.index)

    @staticmethod
    def _says(*numbers: int) -> SegmentationMap:
        told = np.zeros((32, 48), np.uint8)
        told[0, :4] = numbers
        return SegmentationMap(told)


def asked(interval: int, count: int, *, two_sided: bool, flow: FakeFlow | None = None, **options: object) -> list:  # type: ignore[type-arg]
    schedule = options.pop("schedule", FixedInterval(interval))
    engine = Engine(FakeModel(), flow or FakeFlow(), schedule, two_sided, Tells())  # type: ignore[arg-type]
    frames = options.pop("frames", moving_frames(count))
    return [labels(one)[0, :4].tolist() for one in engine.run(frames) if not one.is_key]  # type: ignore[arg-type]


def test_each_frame_is_reached_from_the_key_frames_around_it() -> None:
    wanted = [[0, 5, n, n] for n in (1, 2, 3, 4)] + [[5, 10, n, n] for n in (6, 7, 8, 9)] + [[10, 255, 11, 11]]
    assert asked(5, 12, two_sided=True) == wanted


def test_causally_each_frame_is_reached_from_the_key_frame_before() -> None:
    assert asked(3, 8, two_sided=False) == [[n // 3 * 3, 255, n, n] for n in (1, 2, 4, 5, 7)]


def test_a_key_frame_is_told_as_the_propagation_tells_it() -> None:
    class Renames(Tells):
        def at_key(self, key):  # type: ignore[no-untyped-def]
            return self._says(7, 7, 7, key.frame.index)

    engine = Engine(FakeModel(), FakeFlow(), FixedInterval(2), True, Renames())  # type: ignore[arg-type]
    told = [labels(one)[0, :4].tolist() for one in engine.run(moving_frames(3)) if one.is_key]
    assert told == [[7, 7, 7, 0], [7, 7, 7, 2]]


@pytest.mark.parametrize("progress", [1, 5, 9])
def test_a_frame_between_is_blended_by_distance(progress: int) -> None:
    """Dark on one key frame, bright on the other, nothing moves, and neither side matches better."""
    dark, bright = (np.full((32, 48, 3), value, np.uint8) for value in (0, 200))
    frames = [replace(frame, image=bright if frame.index == 10 else dark) for frame in moving_frames(11)]

    class Still(FakeFlow):
        def estimate(self, key, current, *, guess=None):  # type: ignore[no-untyped-def]
            field = super().estimate(key, current, guess=guess)
            return replace(field, displacement=field.displacement * 0, photometric_error=None)

    results = list(Engine(FakeModel(), Still(), FixedInterval(10), two_sided=True).run(frames))
    np.testing.assert_array_equal(labels(results[progress]), 20 * progress)


@pytest.mark.parametrize("cut", [2, 3, 4])
def test_a_cut_that_the_schedule_does_not_see_is_not_blended_across(cut: int) -> None:
    """Frames before the cut match the key before, those after it the key after."""

    class Sees(FakeFlow):
        def estimate(self, key, current, *, guess=None):  # type: ignore[no-untyped-def]
            field = super().estimate(key, current, guess=guess)
            same = (key.frame.index < cut) == (current.frame.index < cut)
            error = np.full_like(field.photometric_error, 1.0 if same else 80.0)
            return replace(field, displacement=field.displacement * 0, photometric_error=error)

    dark, bright = (np.full((32, 48, 3), value, np.uint8) for value in (0, 200))
    frames = [replace(frame, image=dark if frame.index < cut else bright) for frame in moving_frames(6)]
    for result in Engine(FakeModel(), Sees(), FixedInterval(5), two_sided=True).run(frames):
        np.testing.assert_array_equal(labels(result), true_answer(result))


def test_a_damaged_picture_teaches_nothing() -> None:
    learned = []

    class Learns(FixedInterval):
        begin, needs_repair = LearnsNothing.begin, LearnsNothing.needs_repair
        needs_last, stretch = LearnsNothing.needs_last, LearnsNothing.stretch

        def learn(self, distances, compare):  # type: ignore[no-untyped-def]
            learned.append(distances)

    frames = [replace(frame, is_corrupt=frame.index in (2, 3)) for frame in moving_frames(9)]
    results = list(Engine(FakeModel(), FakeFlow(), Learns(4), two_sided=True).run(frames))
    assert [one.frame.index for one in results if one.is_key] == [0, 4, 8]
    assert results[4].key_reason is KeyReason.CORRUPT
    assert learned == [(4,)]


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
