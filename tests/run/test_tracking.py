"""Identities: what keeps them, what ends them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from dffcli.core.types import Detections, Frame, FrameResult, KeyReason, SegmentationMap
from dffcli.run.tracking import Tracker, flow_motion

SIZE = (100, 200)
IMAGE = np.zeros((*SIZE, 3), np.uint8)


def result(
    index: int,
    boxes: list[tuple[float, float, float, float]],
    *,
    scores: list[float] | None = None,
    categories: list[int] | None = None,
    reason: KeyReason | None = KeyReason.INTERVAL,
    key: int | None = None,
    displacement: torch.Tensor | None = None,
) -> FrameResult:
    n = len(boxes)
    found = Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.array(scores or [0.9] * n, np.float32),
        np.array(categories or [1] * n, np.int64),
    )
    keys = (index if key is None else key,)
    return FrameResult(Frame(index, IMAGE, Fraction(index, 10)), found, reason, keys, displacement)


def ids(tracker: Tracker, one: FrameResult) -> list[int]:
    found = tracker.update(one).prediction
    assert isinstance(found, Detections)
    assert found.track_ids is not None
    return found.track_ids.tolist()


def moving(index: int, *, speed: float = 4.0, x: float = 10.0, y: float = 10.0) -> tuple[float, float, float, float]:
    return (x + speed * index, y, x + 20 + speed * index, y + 40)


def test_objects_that_move_keep_their_identity() -> None:
    tracker = Tracker(score_threshold=0.5)
    for index in range(10):
        here = [moving(index), moving(index, speed=-4, x=150, y=50)]
        assert ids(tracker, result(index, here)) == [1, 2]


def test_the_order_of_boxes_does_not_matter() -> None:
    tracker = Tracker(score_threshold=0.5)
    assert ids(tracker, result(0, [moving(0), moving(0, x=100)])) == [1, 2]
    assert ids(tracker, result(1, [moving(1, x=100), moving(1)])) == [2, 1]


def test_a_short_gap_is_bridged() -> None:
    tracker = Tracker(score_threshold=0.5)
    for index in range(5):
        ids(tracker, result(index, [moving(index)]))
    for index in range(5, 9):
        assert ids(tracker, result(index, [])) == []
    assert ids(tracker, result(9, [moving(9)])) == [1]


def test_a_long_gap_ends_a_track() -> None:
    tracker = Tracker(score_threshold=0.5)
    ids(tracker, result(0, [moving(0, speed=0)]))
    ids(tracker, result(1, []))
    assert ids(tracker, result(40, [moving(40, speed=0)])) == [2]


def test_a_scene_cut_ends_all_tracks() -> None:
    tracker = Tracker(score_threshold=0.5)
    ids(tracker, result(0, [moving(0)]))
    assert ids(tracker, result(1, [moving(1)], reason=KeyReason.SCENE_CUT)) == [2]


def test_weak_boxes_continue_tracks_but_begin_none() -> None:
    tracker = Tracker(score_threshold=0.5)
    assert ids(tracker, result(0, [moving(0)], scores=[0.4])) == []
    assert ids(tracker, result(1, [moving(1)], scores=[0.8])) == [1]
    assert ids(tracker, result(2, [moving(2), moving(2, x=100)], scores=[0.4, 0.4])) == [1]


def test_a_wavering_category_does_not_break_a_track() -> None:
    tracker = Tracker(score_threshold=0.5)
    assert ids(tracker, result(0, [moving(0, speed=0)], categories=[3])) == [1]
    assert ids(tracker, result(1, [moving(1, speed=0)], categories=[8])) == [1]


def shift(cells: float) -> torch.Tensor:
    """The whole picture is `cells` to the left in the key frame, on a grid of half the frame's size."""
    displacement = torch.zeros(1, 2, SIZE[0] // 2, SIZE[1] // 2)
    displacement[:, 0] = -cells
    return displacement


def fast(use_flow: bool) -> list[int]:
    """Two small objects side by side that move a whole width a frame."""
    tracker = Tracker(score_threshold=0.5, use_flow=use_flow)
    seen = []
    for index in range(4):
        boxes = [(20.0 + 20 * index + x, 10.0, 32.0 + 20 * index + x, 40.0) for x in (0, 20)]
        reason, displacement = (None, shift(10.0 * index)) if index else (KeyReason.FIRST, None)
        seen.append(ids(tracker, result(index, boxes, reason=reason, key=0, displacement=displacement)))
    return [identity for row in seen[1:] for identity in row]


def test_flow_links_what_overlap_alone_confuses() -> None:
    assert fast(use_flow=True) == [1, 2] * 3
    assert fast(use_flow=False) != [1, 2] * 3


def test_flow_motion_is_the_difference_of_two_fields() -> None:
    box = np.array([20.0, 10.0, 40.0, 40.0])
    before, current = shift(3.0)[0].numpy(), shift(5.0)[0].numpy()
    np.testing.assert_allclose(flow_motion(box, before, current, size=SIZE), [4.0, 0.0])
    np.testing.assert_allclose(flow_motion(box, None, current, size=SIZE), [10.0, 0.0])


@pytest.mark.parametrize("box", [(-500, -500, -400, -400), (0, 0, 0, 0), (500, 500, 900, 900)])
def test_flow_is_read_somewhere_even_off_the_picture(box: tuple[float, ...]) -> None:
    motion = flow_motion(np.array(box, float), None, shift(1.0)[0].numpy(), size=SIZE)
    assert np.isfinite(motion).all()


def test_label_maps_pass_through() -> None:
    one = replace(result(0, []), prediction=SegmentationMap(np.zeros(SIZE, np.uint8)))
    assert Tracker(score_threshold=0.5).update(one) is one


def carried(
    index: int, boxes: list[tuple[float, float, float, float]], rows: list[list[int]], keys: list[int]
) -> FrameResult:
    """A result whose boxes come from those rows of those key frames."""
    one = result(index, boxes, reason=KeyReason.INTERVAL if keys == [index] else None)
    assert isinstance(one.prediction, Detections)
    return replace(one, key_indices=tuple(keys), prediction=replace(one.prediction, key_rows=np.array(rows, np.int64)))


LEFT, RIGHT = (10.0, 10.0, 30.0, 50.0), (120.0, 10.0, 140.0, 50.0)


def test_objects_keep_the_identity_they_have_on_their_way() -> None:
    tracker = Tracker(score_threshold=0.5)
    assert ids(tracker, carried(0, [LEFT, RIGHT], [[0], [1]], [0])) == [1, 2]
    assert ids(tracker, carried(1, [LEFT, RIGHT], [[1, 5], [0, 4]], [0, 2])) == [2, 1]  # they have changed places
    assert ids(tracker, carried(2, [LEFT, RIGHT], [[4], [5]], [2])) == [1, 2]


def test_an_object_that_comes_up_on_the_way_keeps_its_identity_on_the_key_frame() -> None:
    tracker = Tracker(score_threshold=0.5)
    assert ids(tracker, carried(0, [LEFT], [[0]], [0])) == [1]
    assert ids(tracker, carried(1, [LEFT, RIGHT], [[0, 1], [-1, 0]], [0, 2])) == [1, 2]
    assert ids(tracker, carried(2, [LEFT, RIGHT], [[0], [1]], [2])) == [2, 1]


def test_most_frames_decide_whose_an_object_of_a_key_frame_is() -> None:
    tracker = Tracker(score_threshold=0.5)
    ids(tracker, carried(0, [LEFT, RIGHT], [[0], [1]], [0]))
    ids(tracker, carried(1, [LEFT, RIGHT], [[0, 1], [1, 0]], [0, 4]))
    for index in (2, 3):
        ids(tracker, carried(index, [LEFT, RIGHT], [[0, 0], [1, 1]], [0, 4]))
    assert ids(tracker, carried(4, [RIGHT, LEFT], [[0], [1]], [4])) == [1, 2]


def test_a_row_of_another_key_frame_is_another_object() -> None:
    tracker = Tracker(score_threshold=0.5)
    ids(tracker, carried(0, [LEFT, RIGHT], [[0], [1]], [0]))
    assert ids(tracker, carried(1, [LEFT, RIGHT], [[1], [0]], [1])) == [1, 2]


@pytest.mark.parametrize(("first", "expected"), [(0.9, [1]), (0.55, [])])
def test_weak_boxes_continue_only_tracks_that_were_confident(first: float, expected: list[int]) -> None:
    tracker = Tracker(score_threshold=0.5)
    ids(tracker, result(0, [moving(0)], scores=[first]))
    assert ids(tracker, result(1, [moving(1)], scores=[0.4])) == expected
    tracker = Tracker(score_threshold=0.5)
    before, after = carried(0, [LEFT], [[0]], [0]), carried(1, [RIGHT], [[0]], [0])
    for one, score in ((before, first), (after, 0.4)):
        scored = replace(one.prediction, scores=np.array([score], np.float32))  # type: ignore[type-var]
        last = ids(tracker, replace(one, prediction=scored))
    assert last == expected
