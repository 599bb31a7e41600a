"""Propagation: what is carried, and that both ways of computing it agree."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dffcli.core.types import BoxMaps, FlowField
from dffcli.core.warp import resize_displacement, sampling_grid, warp


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (2.0, -1.0), (0.3, 0.0), (-1.4, 2.2)])
def test_boxes_move_by_fractions_of_a_cell_and_keep_their_scores(dx: float, dy: float) -> None:
    h, w, at_y, at_x = 12, 16, 6, 8
    scores, distances = torch.zeros(1, 1, h, w), torch.full((1, 4, h, w), 2.0)
    scores[0, 0, at_y, at_x] = 5.0
    key = torch.cat((scores, distances), 1)
    field = FlowField(torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, h, w).contiguous())
    carried = warp(BoxMaps((key,)), field)

    assert isinstance(carried, BoxMaps)
    maps = carried[0][0]
    assert maps[0].max() == 5.0
    y, x = divmod(int(maps[0].argmax()), w)
    left, upper, right, lower = maps[1:, y, x].tolist()
    sides = (x - left, y - upper, x + right, y + lower)
    wanted = (at_x - dx - 2, at_y - dy - 2, at_x - dx + 2, at_y - dy + 2)  # the flow leads back to the key
    assert sides == pytest.approx(wanted, abs=1e-5)


def test_boxes_of_two_sides_are_averaged() -> None:
    maps = BoxMaps((torch.rand(1, 7, 6, 8),))
    still = FlowField(torch.zeros(1, 2, 6, 8))
    half = torch.full((1, 1, 3, 4), 0.5)
    both = warp(maps, still, weight=half, onto=warp(maps, still, weight=half))

    assert isinstance(both, BoxMaps)
    assert torch.allclose(both[0], maps[0])


def field_of(dx: float, dy: float, size: tuple[int, int], **options: object) -> FlowField:
    displacement = torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, *size).contiguous()
    return FlowField(displacement, **options)  # type: ignore[arg-type]


def features_of(*shape: int) -> torch.Tensor:
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))


def test_zero_flow_changes_nothing() -> None:
    values = features_of(5, 7, 9)
    with torch.inference_mode():
        (warped,) = warp((values,), field_of(0, 0, (7, 9)))
    assert torch.equal(warped, values)


def test_content_is_read_where_the_flow_points() -> None:
    values = features_of(3, 6, 8)
    with torch.inference_mode():
        (warped,) = warp((values,), field_of(2, -1, (6, 8)))
    assert torch.allclose(warped[..., 1:, :-2], values[..., :-1, 2:])


def test_outside_the_map_the_border_repeats() -> None:
    values = features_of(3, 6, 8)
    with torch.inference_mode():
        (warped,) = warp((values,), field_of(100, 0, (6, 8)))
    assert torch.allclose(warped, values[..., -1:].expand_as(values))


def test_outside_the_map_zeros_lie_where_asked_for() -> None:
    values = features_of(3, 6, 8)
    (warped,) = warp((values,), field_of(100, 0, (6, 8), padding="zeros"))
    assert torch.equal(warped, torch.zeros_like(values))


displacements = arrays(np.float32, (2, 5, 6), elements=st.floats(-9, 9, width=32))


@settings(deadline=None, max_examples=40)
@given(displacement=displacements, share=st.floats(0, 1))
def test_gathering_equals_grid_sample(displacement: np.ndarray, share: float) -> None:
    field = FlowField(torch.from_numpy(displacement[None]))
    values = (features_of(4, 5, 6), features_of(2, 10, 12))
    weight = torch.full((1, 1, 5, 6), share)
    by_grid_sample = warp(values, field, weight=weight)
    with torch.inference_mode():
        by_gathering = warp(values, field, weight=weight)
    for one, other in zip(by_grid_sample, by_gathering, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-5)  # grid_sample normalises its coordinates


def test_a_field_on_another_grid_is_measured_in_that_grids_pixels() -> None:
    values = features_of(3, 6, 8)
    with torch.inference_mode():
        (fine,) = warp((values,), field_of(8, 4, (24, 32)))
        (own,) = warp((values,), field_of(2, 1, (6, 8)))
    torch.testing.assert_close(fine, own)


def test_resizing_a_displacement_scales_its_vectors() -> None:
    resized = resize_displacement(torch.ones(1, 2, 4, 4), (8, 12))
    assert resized.shape == (1, 2, 8, 12)
    assert torch.equal(resized[:, 0], torch.full((1, 8, 12), 3.0))
    assert torch.equal(resized[:, 1], torch.full((1, 8, 12), 2.0))


def test_the_scale_field_multiplies_after_the_warp() -> None:
    values = features_of(3, 6, 8)
    scale = features_of(3, 6, 8)
    (warped,) = warp((values,), field_of(0, 0, (6, 8), scale_map=scale))
    torch.testing.assert_close(warped, values * scale)


def test_two_sides_of_a_blend_add_up() -> None:
    values = features_of(3, 6, 8)
    share = torch.rand(1, 1, 6, 8)
    with torch.inference_mode():
        before = warp((values,), field_of(0, 0, (6, 8)), weight=share)
        (both,) = warp((values,), field_of(0, 0, (6, 8)), weight=1 - share, onto=before)
    torch.testing.assert_close(both, values)


def test_the_mmtracking_grid_shrinks_at_zero_flow() -> None:
    zero = torch.zeros(1, 2, 4, 63)
    exact, theirs = sampling_grid(zero), sampling_grid(zero, grid="mmtracking")
    assert exact[0, 0, -1, 0] == 1
    shift = (exact[0, 0, -1, 0] - theirs[0, 0, -1, 0]) / 2 * 62
    assert shift == pytest.approx(0.98, abs=0.01)  # feature pixels at the right edge of a map 63 wide


def test_gradients_reach_features_and_flow() -> None:
    values = features_of(3, 6, 8).requires_grad_()
    displacement = torch.full((1, 2, 6, 8), 0.3, requires_grad=True)
    (warped,) = warp((values,), FlowField(displacement))
    warped.square().sum().backward()
    assert values.grad is not None
    assert values.grad.abs().sum() > 0
    assert displacement.grad is not None
    assert displacement.grad.abs().sum() > 0
