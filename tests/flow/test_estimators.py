"""Flow estimators on motion that is known: a textured picture shifted by whole pixels."""

import gc
import weakref
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from dffcli.core.types import FlowField, Frame, PreparedImage
from dffcli.errors import ModelError
from dffcli.flow import FLOWS, build_flow
from dffcli.flow.grey import grey_picture, inverted

CLASSICAL = ("dis", "dis-fast", "dis-fine", "farneback")


def texture(h: int, w: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (h // 6, w // 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (w, h), interpolation=cv2.INTER_CUBIC), np.uint8)


def prepared(image: np.ndarray, *, padded: tuple[int, int] | None = None) -> PreparedImage:
    image = np.ascontiguousarray(image)
    size = image.shape[:2]
    return PreparedImage(Frame(0, image, Fraction(0)), size, padded or size, lambda: torch.zeros(1))


def shifted_pair(dx: int, dy: int, *, size: tuple[int, int] = (120, 160)) -> tuple[PreparedImage, PreparedImage]:
    """A key and a current picture whose content moved by (dx, dy) from key to current."""
    h, w = size
    wide = texture(h + 60, w + 60)
    return prepared(wide[30 : 30 + h, 30 : 30 + w]), prepared(wide[30 - dy : 30 - dy + h, 30 - dx : 30 - dx + w])


def middle(field: FlowField) -> np.ndarray:
    h, w = field.displacement.shape[2:]
    return field.displacement[0, :, h // 4 : -h // 4, w // 4 : -w // 4].numpy()


@pytest.mark.parametrize("name", CLASSICAL)
def test_displacement_points_from_the_current_frame_to_the_key(name: str) -> None:
    key, current = shifted_pair(5, -3)
    found = middle(build_flow(name).estimate(key, current))
    assert np.median(found[0]) == pytest.approx(-5, abs=0.3)
    assert np.median(found[1]) == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize("name", ["dis", "dis-fast", "dis-fine"])
def test_a_guess_reaches_what_a_cold_start_cannot(name: str) -> None:
    key, near = shifted_pair(10, 0)
    _, far = shifted_pair(20, 0)
    flow = build_flow(name)
    warm = flow.estimate(key, far, guess=flow.estimate(key, near))
    cold = flow.estimate(key, far)
    error_warm, error_cold = (np.abs(middle(field)[0] + 20).mean() for field in (warm, cold))
    assert error_warm < 1
    assert error_warm <= error_cold + 0.2


@pytest.mark.parametrize("name", ["dis", "dis-fast", "dis-fine"])
def test_motion_too_far_for_one_search_is_reached_in_steps(name: str) -> None:
    key, _ = shifted_pair(0, 0)
    flow = build_flow(name)
    field: FlowField | None = None
    for shift in range(6, 31, 6):
        _, current = shifted_pair(shift, -shift // 2)
        field = flow.estimate(key, current, guess=field)
    assert field is not None
    found = middle(field)
    assert np.median(found[0]) == pytest.approx(-30, abs=0.7)
    assert np.median(found[1]) == pytest.approx(15, abs=0.7)


@pytest.mark.parametrize("name", ["dis", "dis-fast", "dis-fine"])
def test_the_way_back_is_the_way_there_inverted(name: str) -> None:
    pictures = [shifted_pair(shift, 0)[1] for shift in (0, 4, 8)]
    flow = build_flow(name)
    there = flow.estimate(pictures[0], pictures[1])
    flow.estimate(pictures[0], pictures[2], guess=there)
    last = flow.estimate(pictures[2], pictures[1])
    first = flow.estimate(pictures[2], pictures[0], guess=last)

    assert np.median(middle(last)[0]) == pytest.approx(4, abs=0.3)
    assert np.median(middle(first)[0]) == pytest.approx(8, abs=0.3)


def test_a_field_inverted_leads_back() -> None:
    rows, columns = np.indices((60, 80), dtype=np.float32)
    there = np.stack((3 + columns / 40, rows / 30 - 2), 2)  # to (x, y) + this: a shift that also stretches
    back = inverted(there)
    x, y = columns + back[..., 0], rows + back[..., 1]
    error_x, error_y = x + 3 + x / 40 - columns, y + y / 30 - 2 - rows
    assert np.abs(error_x[8:-8, 8:-8]).max() < 0.01  # pixels
    assert np.abs(error_y[8:-8, 8:-8]).max() < 0.01


def test_pictures_are_let_go() -> None:
    flow = build_flow("dis")
    field, key, alive = None, shifted_pair(0, 0)[0], []
    for shift in range(1, 5):
        current = shifted_pair(shift, 0)[1]
        alive.append(weakref.ref(current))
        field = flow.estimate(key, current, guess=field)
    del current
    gc.collect()

    assert [picture() is None for picture in alive] == [True, True, True, False]  # the last one is the field's


@pytest.mark.parametrize("name", [*CLASSICAL, "none"])
def test_still_pictures_match(name: str) -> None:
    key, current = shifted_pair(0, 0)
    field = build_flow(name).estimate(key, current)
    assert field.photometric_error is not None
    assert field.photometric_error.max() < 2  # grey levels
    assert field.displacement.abs().max() < 0.5


def test_unrelated_pictures_do_not_match() -> None:
    key, current = shifted_pair(0, 0)
    other = prepared(255 - current.frame.image)
    field = build_flow("dis").estimate(key, other)
    assert field.photometric_error is not None
    assert field.photometric_error.mean() > 20


def test_hold_says_nothing_moved_but_sees_that_it_did() -> None:
    key, current = shifted_pair(9, 0)
    field = build_flow("none").estimate(key, current)
    assert not field.displacement.any()
    assert field.photometric_error is not None
    assert field.photometric_error.mean() > 5


def test_the_field_spans_the_padded_input() -> None:
    key, current = (prepared(image.frame.image, padded=(128, 192)) for image in shifted_pair(4, 0))
    field = build_flow("dis").estimate(key, current)
    assert field.displacement.shape == (1, 2, 128, 192)


def test_the_decoders_luma_is_used_where_there_is_one() -> None:
    key, _ = shifted_pair(0, 0)
    luma = np.full(key.frame.size, 77, np.uint8)
    picture = grey_picture(replace(key, frame=replace(key.frame, luma=luma)), long_side=64)
    assert (picture == 77).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (13, 13)])
def test_tiny_and_extreme_pictures_have_a_flow(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    for name in (*CLASSICAL, "none"):
        field = build_flow(name).estimate(prepared(image), prepared(image))
        assert torch.isfinite(field.displacement).all()


def test_raft_gives_a_field_in_pixels_of_its_own_grid() -> None:
    key, current = shifted_pair(3, 0)
    field = build_flow("raft_small").estimate(key, current)  # random weights: only the shape is known
    assert field.displacement.shape[2] % 8 == 0
    assert field.photometric_error is not None
    assert field.photometric_error.shape == tuple(field.displacement.shape[2:])


def test_an_unknown_flow_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ModelError, match="did you mean farneback"):
        build_flow("farnback")


def test_every_listed_flow_is_buildable() -> None:
    assert {name: build_flow(name).name for name in FLOWS} == {name: name for name in FLOWS}


@pytest.mark.parametrize("name", CLASSICAL)
def test_what_was_estimated_before_changes_nothing(name: str) -> None:
    key, current = shifted_pair(4, 2)
    _, other = shifted_pair(-9, 5)
    fresh = build_flow(name).estimate(key, current)
    used = build_flow(name)
    used.estimate(key, other, guess=used.estimate(key, current))
    again = used.estimate(key, current)

    assert torch.equal(fresh.displacement, again.displacement)
