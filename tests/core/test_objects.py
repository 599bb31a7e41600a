"""Objects between key frames: where they are, whether they are there, and whose they are."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from dffcli.core.objects import ObjectPropagation
from dffcli.core.types import Detections, FlowField, Frame, KeyFrame, KeyReason, PreparedImage, SegmentationMap
from dffcli.errors import ModelError

SIZE = (120, 200)
CELL = 2
GRID = (SIZE[0] // CELL, SIZE[1] // CELL)
SPEED = 3.0  # pixels a frame, to the right
BOX = (60.0, 40.0, 100.0, 80.0)
PERSON, CAR = 1, 3


def image(index: int) -> PreparedImage:
    frame = Frame(index, np.zeros((*SIZE, 3), np.uint8), Fraction(index))
    return PreparedImage(frame, SIZE, SIZE, lambda: torch.zeros(1, 3, *SIZE))


def key(
    index: int,
    *objects: tuple[tuple[float, float, float, float], float, int],
    masks: np.ndarray | None = None,
) -> KeyFrame:
    """A key frame with objects: box, score and category."""
    found = Detections(
        np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in objects], np.float32),
        np.array([category for _, _, category in objects], np.int64),
        masks,
    )
    return KeyFrame(image(index).frame, image(index), (), found, KeyReason.INTERVAL)


def at(box: tuple[float, float, float, float], frames: float) -> tuple[float, float, float, float]:
    """Where a box that moves with everything else is after some frames."""
    return box[0] + SPEED * frames, box[1], box[2] + SPEED * frames, box[3]


def field(frames: float, *, error: float | np.ndarray | None = 0.0) -> FlowField:
    """To a key frame so many frames before; after, if negative."""
    displacement = torch.zeros(1, 2, *GRID)
    displacement[:, 0] = -SPEED * frames / CELL
    map_ = None if error is None else np.broadcast_to(np.asarray(error, np.float32), GRID).copy()
    return FlowField(displacement, photometric_error=map_)


def between(before: KeyFrame, after: KeyFrame, index: int, **options: object) -> Detections:
    """The frame `index` from both sides."""
    errors = options.get("errors", (0.0, 0.0))
    back = field(index - before.frame.index, error=errors[0])  # type: ignore[index]
    onward = field(index - after.frame.index, error=errors[1])  # type: ignore[index]
    found = ObjectPropagation().from_both(before, back, image(index), onward, after)
    assert isinstance(found, Detections)
    return found


def test_a_key_frame_tells_what_was_found_there() -> None:
    told = ObjectPropagation().at_key(key(0, (BOX, 0.9, CAR), (BOX, 0.01, PERSON)))
    assert isinstance(told, Detections)
    np.testing.assert_array_equal(told.boxes, np.float32([BOX, BOX]))
    np.testing.assert_array_equal(told.key_rows, [[0], [1]])


def test_from_one_side_objects_move_with_the_picture() -> None:
    found = ObjectPropagation().from_one(key(0, (BOX, 0.9, CAR)), field(4), image(4))
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.boxes, [at(BOX, 4)], atol=1e-3)
    np.testing.assert_allclose(found.scores, 0.9, atol=1e-3)
    np.testing.assert_array_equal(found.category_ids, [CAR])
    np.testing.assert_array_equal(found.key_rows, [[0]])


def test_what_scores_less_than_is_asked_for_is_not_told() -> None:
    objects = (BOX, 0.9, CAR), ((10.0, 10.0, 40.0, 40.0), 0.3, CAR)
    propagation = ObjectPropagation(lowest_score=0.5)
    told, moved = propagation.at_key(key(0, *objects)), propagation.from_one(key(0, *objects), field(2), image(2))
    assert isinstance(told, Detections)
    assert isinstance(moved, Detections)
    np.testing.assert_allclose([*told.scores, *moved.scores], 0.9, atol=1e-3)


def test_the_weakest_detections_are_not_carried() -> None:
    found = ObjectPropagation().from_one(key(0, (BOX, 0.06, CAR), (BOX, 0.04, PERSON)), field(1), image(1))
    assert isinstance(found, Detections)
    np.testing.assert_array_equal(found.category_ids, [CAR])


def test_at_most_the_best_are_carried() -> None:
    many = [
        ((float(x), float(y), x + 4.0, y + 4.0), 0.1 + 0.001 * x, CAR)
        for x in range(0, 190, 10)
        for y in range(0, 110, 10)
    ]
    found = ObjectPropagation().from_one(key(0, *many), field(0), image(1))
    assert isinstance(found, Detections)
    assert len(found) == 100
    assert found.scores.min() > 0.17
    assert found.key_rows is not None
    np.testing.assert_allclose(found.scores, [many[row][1] for row in found.key_rows[:, 0]], atol=1e-3)


@pytest.mark.parametrize(("index", "share"), [(1, 0.1), (5, 0.5), (9, 0.9)])
def test_an_object_of_both_sides_is_mixed_by_distance(index: int, share: float) -> None:
    wide = (52.0, 40.0, 108.0, 80.0)  # 16 pixels wider at the second key frame
    found = between(key(0, (BOX, 0.6, CAR)), key(10, (at(wide, 10), 0.9, CAR)), index)
    x1, y1, x2, y2 = at(BOX, index)
    np.testing.assert_allclose(found.boxes, [(x1 - 8 * share, y1, x2 + 8 * share, y2)], atol=1e-2)
    logit = (1 - share) * np.log(0.6 / 0.4) + share * np.log(0.9 / 0.1)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-logit)), atol=1e-3)
    np.testing.assert_array_equal(found.key_rows, [[0, 0]])


@pytest.mark.parametrize(("index", "share"), [(1, 0.1), (5, 0.5), (9, 0.9)])
def test_the_side_that_sees_less_of_an_object_counts_less(index: int, share: float) -> None:
    wide = (52.0, 40.0, 108.0, 80.0)
    keys = key(0, (BOX, 0.6, CAR)), key(10, (at(wide, 10), 0.9, CAR))
    even = between(*keys, index)
    hidden_before = between(*keys, index, errors=(15.0, 0.0))
    hidden_after = between(*keys, index, errors=(0.0, 15.0))
    widths = [float(found.boxes[0, 2] - found.boxes[0, 0]) for found in (hidden_after, even, hidden_before)]
    assert widths[0] + 0.3 < widths[1] < widths[2] - 0.3
    odds = share / (1 - share) * np.exp(15 / 20)  # grey levels, over those that cost a factor e
    np.testing.assert_allclose(widths[2], 40 + 16 * odds / (1 + odds), atol=0.05)


def test_an_object_of_one_side_fades_with_the_distance_from_it() -> None:
    before, after = key(0, (BOX, 0.9, CAR)), key(10)
    scores = [float(between(before, after, index).scores[0]) for index in range(1, 10)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8
    assert scores[-1] < 0.3
    mirrored = [float(between(key(0), key(10, (at(BOX, 10), 0.9, CAR)), index).scores[0]) for index in range(9, 0, -1)]
    np.testing.assert_allclose(mirrored, scores, atol=1e-3)


def test_objects_of_one_side_know_their_row() -> None:
    left, right = (10.0, 10.0, 40.0, 40.0), (120.0, 60.0, 160.0, 100.0)
    found = between(
        key(0, (BOX, 0.9, CAR), (left, 0.8, CAR)), key(10, (at(right, 10), 0.7, CAR), (at(BOX, 10), 0.9, CAR)), 5
    )
    assert found.key_rows is not None
    assert {tuple(row) for row in found.key_rows.tolist()} == {(0, 1), (1, -1), (-1, 0)}


def test_another_class_is_another_object() -> None:
    found = between(key(0, (BOX, 0.9, CAR)), key(10, (at(BOX, 10), 0.9, PERSON)), 5)
    assert sorted(found.category_ids) == [PERSON, CAR]


def test_of_two_boxes_on_one_object_the_better_stays() -> None:
    shifted = (66.0, 46.0, 106.0, 86.0)  # overlaps too much to be another one, and has no partner
    before = key(0, (BOX, 0.9, CAR), (shifted, 0.8, CAR))
    found = ObjectPropagation().from_one(before, field(2), image(2))
    assert isinstance(found, Detections)
    assert len(found) == 2
    nearly = replace(before, prediction=key(0, (BOX, 0.9, CAR), ((62.0, 42.0, 102.0, 82.0), 0.95, CAR)).prediction)
    found = ObjectPropagation().from_one(nearly, field(2), image(2))
    assert isinstance(found, Detections)
    np.testing.assert_array_equal(found.key_rows, [[1]])


def test_an_object_that_is_hidden_loses_its_score() -> None:
    hidden = np.zeros(GRID, np.float32)
    hidden[:, : 92 // CELL] = 100.0
    clear = ObjectPropagation().from_one(key(0, (BOX, 0.9, CAR)), field(0), image(1))
    covered = ObjectPropagation().from_one(key(0, (BOX, 0.9, CAR)), field(0, error=hidden), image(1))
    assert isinstance(clear, Detections)
    assert isinstance(covered, Detections)
    assert covered.scores[0] < clear.scores[0] - 0.03


def test_an_object_that_has_left_the_picture_is_not_told() -> None:
    found = ObjectPropagation().from_one(key(0, (BOX, 0.9, CAR)), field(50), image(50))
    assert isinstance(found, Detections)
    assert len(found) == 0


def test_an_object_that_one_side_has_lost_is_where_the_other_sees_it() -> None:
    leaving = (160.0, 40.0, 200.0, 80.0)
    keys = key(0, (leaving, 0.9, CAR)), key(10, ((184.0, 40.0, 200.0, 80.0), 0.6, CAR))
    found = between(*keys, 8)
    assert found.boxes[0, 2] == 200


@pytest.mark.parametrize("errors", [(90.0, 5.0), (5.0, 90.0)])
def test_nothing_comes_from_beyond_a_cut(errors: tuple[float, float]) -> None:
    before, after = key(0, (BOX, 0.9, CAR)), key(10, (at(BOX, 10), 0.9, PERSON))
    found = between(before, after, 5, errors=errors)
    np.testing.assert_array_equal(found.category_ids, [PERSON if errors[0] > errors[1] else CAR])
    assert found.key_rows is not None
    assert found.key_rows.shape == (1, 2)


def test_pictures_need_not_be_compared() -> None:
    found = between(key(0, (BOX, 0.9, CAR)), key(10, (at(BOX, 10), 0.9, CAR)), 5, errors=(None, None))
    np.testing.assert_allclose(found.boxes, [at(BOX, 5)], atol=1e-3)


@pytest.mark.parametrize(("before", "after"), [((), ()), (((BOX, 0.9, CAR),), ()), ((), ((BOX, 0.9, CAR),))])
def test_key_frames_may_be_empty(before: tuple, after: tuple) -> None:  # type: ignore[type-arg]
    assert len(between(key(0, *before), key(10, *after), 5)) == len(before) + len(after)


def test_masks_travel_with_their_boxes() -> None:
    mask = np.zeros((1, *SIZE), bool)
    mask[0, 40:80, 60:80] = True
    found = ObjectPropagation().from_one(key(0, (BOX, 0.9, CAR), masks=mask), field(4), image(4))
    assert isinstance(found, Detections)
    assert found.masks is not None
    expected = np.roll(mask, round(4 * SPEED), axis=2)
    np.testing.assert_array_equal(found.masks, expected)


@pytest.mark.parametrize(("index", "nearer"), [(2, 0), (8, 1)])
def test_a_mask_comes_from_the_nearer_key_frame(index: int, nearer: int) -> None:
    upper, lower = np.zeros((2, 1, *SIZE), bool)
    upper[0, 40:60, 60:100] = True
    lower[0, 60:80, 90:130] = True
    found = between(key(0, (BOX, 0.9, CAR), masks=upper), key(10, (at(BOX, 10), 0.9, CAR), masks=lower), index)
    assert found.masks is not None
    assert found.masks[0, 45:55].any() == (nearer == 0)
    assert found.masks[0, 65:75].any() == (nearer == 1)


def test_maps_are_no_objects() -> None:
    wrong = replace(key(0), prediction=SegmentationMap(np.zeros(SIZE, np.uint8)))
    with pytest.raises(ModelError, match="SegmentationMap"):
        ObjectPropagation().from_one(wrong, field(1), image(1))


@pytest.mark.parametrize("index", [1, 5, 9])
def test_there_are_as_many_confident_objects_between_key_frames_as_on_them(index: int) -> None:
    one = [((10.0 + 40 * n, 10.0, 40.0 + 40 * n, 40.0), 0.7, CAR) for n in range(4)]
    other = [(at((10.0 + 40 * n, 70.0, 40.0 + 40 * n, 100.0), 10), 0.7, CAR) for n in range(3)]
    found = between(key(0, *one), key(10, *other), index)
    assert int((found.scores >= 0.5).sum()) == (4 if index == 1 else 3)


def test_scores_are_not_ranked_by_a_key_frame_beyond_a_cut() -> None:
    found = between(key(0, (BOX, 0.9, CAR)), key(10), 9, errors=(5.0, 90.0))
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-(0.1 * np.log(9) - 0.9 * 0.3))), atol=0.05)
