"""How two key frames share a frame between them."""

import math

import numpy as np
import pytest
import torch

from dffcli.core.blend import side_weights, sides_that_count
from dffcli.core.types import FlowField

SHAPE = (3, 4)


def field(error: float | np.ndarray | None) -> FlowField:
    error_map = None if error is None else np.broadcast_to(np.asarray(error, np.float32), SHAPE).copy()
    return FlowField(torch.zeros(1, 2, *SHAPE), photometric_error=error_map)


def shares(before: float | np.ndarray | None, after: float | np.ndarray | None, progress: float) -> tuple[float, float]:
    """Weights at the first place."""
    sides = side_weights(field(before), field(after), progress=progress)
    one, other = (0.0 if side is None else float(side[0, 0, 0, 0]) for side in sides)
    return one, other


@pytest.mark.parametrize("error", [None, 0.0, 7.0, 40.0])
@pytest.mark.parametrize("progress", [0.1, 0.5, 0.9])
def test_sides_that_match_equally_well_count_by_distance(error: float | None, progress: float) -> None:
    np.testing.assert_allclose(shares(error, error, progress), (1 - progress, progress), atol=1e-6)


@pytest.mark.parametrize("known", [(None, 5.0), (5.0, None)])
def test_one_photometric_error_alone_says_nothing(known: tuple[float | None, float | None]) -> None:
    np.testing.assert_allclose(shares(*known, 0.25), (0.75, 0.25), atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "progress", "share_before"),
    [
        (6.0, 0.0, 0.1, 9 / math.e / (9 / math.e + 1)),
        (6.0, 0.0, 0.5, 1 / math.e / (1 / math.e + 1)),
        (6.0, 0.0, 0.9, 1 / 9 / math.e / (1 / 9 / math.e + 1)),
        (0.0, 6.0, 0.1, 9 * math.e / (9 * math.e + 1)),
        (0.0, 6.0, 0.5, math.e / (math.e + 1)),
        (0.0, 6.0, 0.9, math.e / 9 / (math.e / 9 + 1)),
        (0.0, 12.0, 0.5, math.e**2 / (math.e**2 + 1)),
    ],
)
def test_a_side_that_matches_worse_counts_less(
    before: float, after: float, progress: float, share_before: float
) -> None:
    np.testing.assert_allclose(shares(before, after, progress), (share_before, 1 - share_before), atol=1e-6)


def test_every_place_is_weighed_by_itself() -> None:
    worse = np.zeros(SHAPE, np.float32)
    worse[:, 2:] = 6.0
    before, after = side_weights(field(worse), field(0.0), progress=0.5)
    assert before is not None
    assert after is not None
    assert before.shape == after.shape == (1, 1, *SHAPE)
    np.testing.assert_allclose(before[0, 0, :, :2], 0.5, atol=1e-6)
    np.testing.assert_allclose(before[0, 0, :, 2:], 1 / (1 + math.e), atol=1e-6)
    np.testing.assert_allclose(before + after, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        (0.0, 0.0, (True, True)),
        (21.0, 10.0, (False, True)),
        (10.0, 21.0, (True, False)),
        (20.0, 1.0, (True, True)),  # not bad enough
        (1.0, 20.0, (True, True)),
        (30.0, 15.0, (True, True)),  # not so much worse than the other: the picture is hard, or moves
        (15.0, 30.0, (True, True)),
        (90.0, 44.0, (False, True)),
        (44.0, 90.0, (True, False)),
        (90.0, None, (True, True)),
        (None, 90.0, (True, True)),
    ],
)
def test_a_side_beyond_a_cut_does_not_count(
    before: float | None, after: float | None, count: tuple[bool, bool]
) -> None:
    assert sides_that_count(field(before), field(after)) == count
    weights = side_weights(field(before), field(after), progress=0.5)
    assert tuple(weight is not None for weight in weights) == count
    if not all(count):
        whole = next(weight for weight in weights if weight is not None)
        assert float(whole.min()) == float(whole.max()) == 1.0


def test_a_cut_is_seen_by_the_whole_picture_and_not_by_one_place() -> None:
    spot = np.zeros(SHAPE, np.float32)
    spot[0, 0] = 200.0
    assert sides_that_count(field(spot), field(0.0)) == (True, True)
