"""Tracks that wait for what comes after them."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from dffcli.core.types import Detections, Frame, FrameResult, KeyReason, SegmentationMap
from dffcli.errors import SettingError
from dffcli.run.postprocess import PostProcessing, TrackSettings
from dffcli.run.track_window import TrackWindow, smoothed

SIZE = (100, 200)
IMAGE = np.zeros((*SIZE, 3), np.uint8)


def frame(index: int, tracks: dict[int, float], *, shift: float | None = None, masks: bool = False) -> FrameResult:
    """A frame with 20 x 40 boxes whose left sides are at `tracks`; the picture has moved by `shift` since frame 0."""
    boxes = np.array([(x, 10, x + 20, 50) for x in tracks.values()], np.float32).reshape(-1, 4)
    n = len(boxes)
    shapes = None
    if masks:
        shapes = np.zeros((n, *SIZE), bool)
        for mask, x in zip(shapes, tracks.values(), strict=True):
            mask[10:50, round(x) : round(x) + 20] = True
    found = Detections(boxes, np.full(n, 0.8, np.float32), np.full(n, 3), shapes, np.array(list(tracks), np.int64))
    displacement = None
    if shift is not None:
        displacement = torch.zeros(1, 2, SIZE[0] // 2, SIZE[1] // 2)
        displacement[:, 0] = -shift / 2
    reason = KeyReason.FIRST if shift is None else None
    return FrameResult(Frame(index, IMAGE, Fraction(index, 10)), found, reason, (0,), displacement)


def over(frames: list[FrameResult], **wanted: int) -> list[dict[int, list[float]]]:
    """What is told: boxes by track, frame by frame."""
    told = list(TrackWindow(TrackSettings(**wanted)).over(frames))
    assert [one.frame.index for one in told] == [one.frame.index for one in frames]
    return [as_told(one) for one in told]


def as_told(one: FrameResult) -> dict[int, list[float]]:
    found = one.prediction
    assert isinstance(found, Detections)
    assert found.track_ids is not None
    return dict(zip(found.track_ids.tolist(), found.boxes.tolist(), strict=True))


@pytest.mark.parametrize(("seen", "is_told"), [(1, False), (2, False), (3, True), (5, True)])
def test_short_tracks_are_left_out_from_their_first_frame_on(seen: int, is_told: bool) -> None:
    frames = [frame(n, {7: 10.0, **({9: 90.0} if n < seen else {})}) for n in range(8)]
    told = over(frames, min_track=3)
    assert [9 in one for one in told] == [is_told and n < seen for n in range(8)]
    assert all(7 in one for one in told)


def test_a_track_with_a_gap_has_twice_the_frames_to_be_seen_often_enough() -> None:
    frames = [frame(n, {9: 90.0} if n in (0, 2, 4) else {}) for n in range(6)]
    assert [9 in one for one in over(frames, min_track=3)] == [True, False, True, False, True, False]
    late = [frame(n, {9: 90.0} if n in (0, 3, 6) else {}) for n in range(8)]
    assert [9 in one for one in over(late, min_track=3)] == [False, False, False, True, False, False, True, False]


@pytest.mark.parametrize(("gap", "is_filled"), [(1, True), (2, True), (3, False)])
def test_gaps_are_filled_up_to_their_longest(gap: int, is_filled: bool) -> None:
    frames = [frame(n, {} if 2 <= n < 2 + gap else {4: 10.0 + 3 * n}) for n in range(8)]
    told = over(frames, fill_gaps=2)
    for n, one in enumerate(told):
        if is_filled or not 2 <= n < 2 + gap:
            np.testing.assert_allclose(one[4], (10 + 3 * n, 10, 30 + 3 * n, 50), atol=1e-4)
        else:
            assert one == {}


def test_a_gap_is_filled_along_the_flow() -> None:
    moved = [0.0, 2.0, 22.0, 26.0, 30.0]  # a jerk in the middle
    frames = [frame(n, {} if n in (1, 2, 3) else {4: 50 + x}, shift=x if n else None) for n, x in enumerate(moved)]
    lefts = [one[4][0] for one in over(frames, fill_gaps=3)]
    np.testing.assert_allclose(lefts, [50 + x for x in moved], atol=1e-3)


def test_what_the_flow_misses_by_is_shared_out() -> None:
    frames = [frame(n, {} if n in (1, 2, 3) else {4: 50 + 8 * n}, shift=4.0 * n if n else None) for n in range(5)]
    lefts = [one[4][0] for one in over(frames, fill_gaps=3)]
    np.testing.assert_allclose(lefts, [50, 58, 66, 74, 82], atol=1e-3)


def test_a_filled_gap_has_what_was_last_seen() -> None:
    frames = [frame(n, {4: 50 + 8.0 * n} if n != 1 else {8: 120.0}, masks=True) for n in range(3)]
    one = list(TrackWindow(TrackSettings(fill_gaps=1)).over(frames))[1].prediction
    assert isinstance(one, Detections)
    assert one.masks is not None
    assert one.track_ids is not None
    row = one.track_ids.tolist().index(4)
    assert (one.scores[row], one.category_ids[row]) == (np.float32(0.8), 3)
    assert one.masks[row, 10:50, 58:78].all()
    assert one.masks[row].sum() == 20 * 40


def test_what_is_put_in_does_not_count_as_seen() -> None:
    frames = [frame(n, {4: 50.0} if n in (0, 2) else {}) for n in range(4)]
    assert over(frames, fill_gaps=1, min_track=3) == [{}] * 4


def test_boxes_that_shake_are_smoothed() -> None:
    shaken = [50 + 5 * n + (2 if n % 2 else -2) for n in range(12)]
    lefts = np.array([one[4][0] for one in over([frame(n, {4: x}) for n, x in enumerate(shaken)], smooth=2)])
    straight = np.array([50 + 5 * n for n in range(12)])
    assert np.abs(lefts - straight).max() < 2
    assert np.abs(lefts[2:-2] - straight[2:-2]).max() < 0.7


def test_steady_motion_is_left_as_it_is() -> None:
    steady = [50 + 5.0 * n for n in range(9)]
    lefts = [one[4][0] for one in over([frame(n, {4: x}) for n, x in enumerate(steady)], smooth=3)]
    np.testing.assert_allclose(lefts, steady, atol=1e-3)


def test_a_box_alone_is_left_as_it_is() -> None:
    box = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(smoothed([None, box, None], 1, 1), box)


def test_other_tracks_keep_their_order_and_their_boxes() -> None:
    frames = [frame(n, {5: 100.0, 2: 30.0, 9: 60.0}) for n in range(4)]
    assert [list(one) for one in over(frames, min_track=2, smooth=1)] == [[5, 2, 9]] * 4


@pytest.mark.parametrize(
    "wanted", [{"min_track": 3}, {"fill_gaps": 4}, {"smooth": 2}, {"min_track": 2, "fill_gaps": 3}]
)
def test_no_more_frames_wait_than_are_needed(wanted: dict[str, int]) -> None:
    taken = []

    def source() -> Iterator[FrameResult]:
        for n in range(20):
            taken.append(n)
            yield frame(n, {4: 10.0})

    settings = TrackSettings(**wanted)
    ahead = [taken[-1] - one.frame.index for one in TrackWindow(settings).over(source())]
    assert max(ahead) == settings.frames_ahead


def test_label_maps_pass_through() -> None:
    one = replace(frame(0, {}), prediction=SegmentationMap(np.zeros(SIZE, np.uint8)))
    assert list(TrackWindow(TrackSettings(smooth=1)).over([one])) == [one]


def test_tracks_are_treated_only_where_there_are_tracks() -> None:
    with pytest.raises(SettingError, match=r"--min-track: .* without --track"):
        PostProcessing(tracks=TrackSettings(min_track=3))
    PostProcessing(track=True, tracks=TrackSettings(min_track=3))


def test_results_are_held_back_only_for_tracks_that_are_treated() -> None:
    frames = [frame(n, {4: 10.0}) for n in range(4)]
    plain = PostProcessing(track=True).over(iter(frames), ())
    assert next(plain).frame.index == 0
    treated = PostProcessing(track=True, tracks=TrackSettings(min_track=4)).over(iter(frames[:3]), ())
    assert [as_told(one) for one in treated] == [{}] * 3
