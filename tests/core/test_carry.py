"""Boxes along fields whose motion is known exactly."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from dffcli.core.carry import carry, carry_mask, clip, moved_box
from dffcli.core.types import FlowField, Frame, PreparedImage

SIZE = (120, 200)  # frame pixels
CELL = 2  # frame pixels to a cell of the field
GRID = (SIZE[0] // CELL, SIZE[1] // CELL)
BOX = (60.0, 40.0, 100.0, 80.0)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows or [BOX], np.float32)


def picture(*, content: tuple[int, int] = SIZE, padded: tuple[int, int] = SIZE) -> PreparedImage:
    frame = Frame(3, np.zeros((*SIZE, 3), np.uint8), Fraction(0))
    return PreparedImage(frame, content, padded, lambda: torch.zeros(1, 3, *padded))


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """Frame coordinates `(x, y)` of the cells' middles."""
    y, x = np.indices(GRID)
    return (x + 0.5) * CELL, (y + 0.5) * CELL


def field(dx: np.ndarray | float, dy: np.ndarray | float, *, error: np.ndarray | None = None) -> FlowField:
    """Of a motion current -> key in frame pixels."""
    displacement = np.stack([np.broadcast_to(np.asarray(d, np.float32), GRID) / CELL for d in (dx, dy)])
    return FlowField(torch.from_numpy(displacement[None].astype(np.float32)), photometric_error=error)


def zoom(factor: float, *, about: tuple[float, float]) -> FlowField:
    """Everything has grown by `factor` since the key frame."""
    x, y = pixels()
    return field((x - about[0]) / factor - (x - about[0]), (y - about[1]) / factor - (y - about[1]))


def test_nothing_moves_where_the_field_is_zero() -> None:
    found = carry(boxes(), field(0, 0), picture())
    np.testing.assert_allclose(found.boxes, boxes(), atol=1e-4)
    np.testing.assert_allclose(found.seen, 1, atol=1e-4)


@pytest.mark.parametrize("shift", [(7.0, 0.0), (0.0, -13.0), (-21.0, 9.5), (90.0, 3.0)])
def test_a_box_goes_where_what_it_shows_has_gone(shift: tuple[float, float]) -> None:
    found = carry(boxes(), field(-shift[0], -shift[1]), picture())
    np.testing.assert_allclose(found.boxes, boxes() + np.tile(shift, 2), atol=1e-3)


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.1, 1.4])
@pytest.mark.parametrize("about", [(80.0, 60.0), (0.0, 60.0)])
def test_a_box_grows_with_what_it_shows(factor: float, about: tuple[float, float]) -> None:
    box = boxes((70, 45, 110, 75))
    expected = (box.reshape(2, 2) - about) * factor + about
    found = carry(box, zoom(factor, about=about), picture())
    np.testing.assert_allclose(found.boxes.reshape(2, 2), expected, atol=1.0)


def test_an_object_of_a_few_cells_grows_less_than_one_that_shows_how_much() -> None:
    two = boxes((78, 58, 82, 62), (40, 20, 120, 100))
    small, large = np.diff(carry(two, zoom(1.5, about=(80, 60)), picture()).boxes.reshape(2, 2, 2), axis=1)[:, 0, 0]
    assert 4 < small < 4.8
    np.testing.assert_allclose(large, 120, atol=1)


def test_every_box_moves_by_itself() -> None:
    x, _ = pixels()
    two = boxes((20, 40, 60, 80), (140, 40, 180, 80))
    found = carry(two, field(np.where(x < 100, -10.0, 15.0), 0), picture())
    np.testing.assert_allclose(found.boxes[:, 0], [30, 125], atol=0.5)


def test_padding_is_no_part_of_the_picture() -> None:
    padded = picture(content=SIZE, padded=(SIZE[0], SIZE[1] * 2))
    wide = torch.zeros(1, 2, GRID[0], GRID[1] * 2)
    wide[:, 0] = -5  # cells of two pixels
    found = carry(boxes(), FlowField(wide), padded)
    np.testing.assert_allclose(found.boxes, boxes() + np.float32([10, 0, 10, 0]), atol=1e-3)


def test_what_moves_behind_the_object_does_not_take_the_box_along() -> None:
    x, y = pixels()
    mine = (np.abs(x - 80) < 15) & (np.abs(y - 60) < 15)  # the object fills the middle of its box
    found = carry(boxes(), field(np.where(mine, 0.0, 20.0), 0), picture())
    np.testing.assert_allclose(found.boxes, boxes(), atol=2.0)


def test_points_that_match_badly_are_not_believed() -> None:
    x, _ = pixels()
    wrong = x > 78
    error = np.where(wrong, 120.0, 0.0).astype(np.float32)
    motion = field(np.where(wrong, 9.0, -4.0), 0, error=error)
    found = carry(boxes(), motion, picture())
    np.testing.assert_allclose(found.boxes[0, [1, 3]], [40, 80], atol=1.0)
    assert abs((found.boxes[0, 0] + found.boxes[0, 2]) / 2 - 84) < 2


def test_less_of_an_object_is_seen_where_the_pictures_do_not_match() -> None:
    x, _ = pixels()
    shares = []
    for hidden in (0.0, 70.0, 80.0, 90.0, 120.0):
        error = np.where(x < hidden, 100.0, 0.0).astype(np.float32)
        shares.append(float(carry(boxes(), field(0, 0, error=error), picture()).seen[0]))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.99
    assert 0.3 < shares[2] < 0.7
    assert shares[-1] < 0.05


def test_what_is_seen_nowhere_fits_badly() -> None:
    x, _ = pixels()
    apart = field(3 * (x - 80), 0)  # a field that tears the object apart
    assert carry(boxes(), apart, picture()).seen[0] < 0.6


@pytest.mark.parametrize(("shift", "left"), [(70.0, True), (90.0, True), (96.0, False), (130.0, False)])
def test_an_object_that_has_left_is_gone(shift: float, left: bool) -> None:
    found = carry(boxes(), field(-shift, 0), picture())  # 40 wide, from 60 on; the picture ends at 200
    assert (found.seen[0] > 0) == (shift < 110) or not left
    far = carry(boxes((150, 40, 190, 80)), field(-45.0, 0), picture())
    assert far.seen[0] == 0


def test_a_box_reaches_out_of_the_picture_with_its_object() -> None:
    found = carry(boxes((160, 40, 190, 80)), field(-20.0, 0), picture())
    np.testing.assert_allclose(found.boxes[0], (180, 40, 210, 80), atol=0.5)
    np.testing.assert_allclose(clip(found.boxes, SIZE)[0], (180, 40, 200, 80), atol=0.5)


@pytest.mark.parametrize(
    ("box", "shift", "expected"),
    [
        ((0, 40, 40, 80), (20, 0), (0, 40, 60, 80)),
        ((160, 40, 200, 80), (-20, 0), (140, 40, 200, 80)),
        ((60, 0, 100, 40), (0, 20), (60, 0, 100, 60)),
        ((60, 80, 100, 120), (0, -20), (60, 60, 100, 120)),
    ],
)
def test_an_object_that_began_at_the_edge_goes_on_outside(
    box: tuple[float, ...], shift: tuple[float, float], expected: tuple[float, ...]
) -> None:
    found = carry(boxes(box), field(-shift[0], -shift[1]), picture())  # type: ignore[arg-type]
    np.testing.assert_allclose(found.boxes[0], expected, atol=0.5)


def test_nothing_is_carried_from_nothing() -> None:
    found = carry(np.zeros((0, 4), np.float32), field(0, 0), picture())
    assert found.boxes.shape == (0, 4)
    assert found.seen.shape == (0,)


def test_a_box_moves_as_another_does() -> None:
    moved = moved_box(np.float32([10, 10, 20, 30]), np.float32([0, 0, 20, 40]), np.float32([100, 50, 140, 90]))
    np.testing.assert_allclose(moved, [120, 60, 140, 80])


def test_a_mask_moves_and_grows_with_its_box() -> None:
    mask = np.zeros(SIZE, bool)
    mask[40:80, 60:80] = True  # the left half of its box
    onto = np.zeros(SIZE, bool)
    carry_mask(mask, np.float32(BOX), np.float32((20, 10, 100, 90)), onto=onto)
    expected = np.zeros(SIZE, bool)
    expected[10:90, 20:60] = True
    np.testing.assert_array_equal(onto, expected)


def test_a_mask_is_cut_at_the_edge_of_the_picture() -> None:
    mask = np.zeros(SIZE, bool)
    mask[40:80, 60:100] = True
    onto = np.zeros(SIZE, bool)
    carry_mask(mask, np.float32(BOX), np.float32((-20, 100, 20, 140)), onto=onto)
    expected = np.zeros(SIZE, bool)
    expected[100:, :20] = True
    np.testing.assert_array_equal(onto, expected)
    carry_mask(mask, np.float32(BOX), np.float32((300, 100, 340, 140)), onto=onto)
    np.testing.assert_array_equal(onto, expected)
