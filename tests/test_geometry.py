"""Boxes: overlap and non-maximum suppression, against torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dffcli.geometry import best_pairs, box_iou, nms


def test_iou_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [40, 40, 50, 50]], np.float32)
    np.testing.assert_allclose(box_iou(boxes, others), [[1, 1 / 3, 0, 0], [0, 0, 0, 0]])


def test_a_box_without_an_area_overlaps_nothing_not_even_itself() -> None:
    empty = np.array([[5, 5, 5, 9], [9, 9, 1, 1]], np.float32)
    whole = np.array([[0, 0, 10, 10]], np.float32)
    assert box_iou(empty, empty).tolist() == [[0, 0], [0, 0]]
    assert box_iou(empty, whole).tolist() == [[0], [0]]


@pytest.mark.parametrize(("one", "other"), [(0, 0), (0, 3), (3, 0)])
def test_iou_with_no_boxes_has_no_entries(one: int, other: int) -> None:
    assert box_iou(np.zeros((one, 4)), np.zeros((other, 4))).shape == (one, other)


@pytest.mark.parametrize("count", [0, 1, 7, 400])
def test_doubles_are_dropped_as_torchvision_drops_them(count: int) -> None:
    from torchvision.ops import batched_nms

    rng = np.random.default_rng(count)
    corners, sides = rng.uniform(0, 300, (count, 2)), rng.uniform(5, 120, (count, 2))
    boxes = np.concatenate((corners, corners + sides), 1).astype(np.float32)
    scores, classes = rng.uniform(0.01, 1, count).astype(np.float32), rng.integers(0, 6, count)
    wanted = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(classes), 0.5)

    assert nms(boxes, scores, classes, max_overlap=0.5).tolist() == wanted.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_matched_one_to_one_the_best_first(seed: int) -> None:
    worth = np.random.default_rng(seed).uniform(0, 1, (7, 9))
    rows, columns = best_pairs(worth, least=0.4)
    wanted, left = set(), worth.copy()
    while left.max() >= 0.4:
        row, column = np.unravel_index(left.argmax(), left.shape)
        wanted.add((int(row), int(column)))
        left[row], left[:, column] = -1, -1
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == wanted


def test_what_is_worth_just_enough_is_matched() -> None:
    rows, columns = best_pairs(np.array([[0.5, 0.5], [0.5, 0.49]]), least=0.5)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_matches_nothing(shape: tuple[int, int]) -> None:
    rows, columns = best_pairs(np.zeros(shape), least=0.0)
    assert len(rows) == len(columns) == 0
