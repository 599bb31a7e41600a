"""Voting reads exactly the cells that the definition of position-sensitive pooling names."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dffcli.models.paper.psroi import BINS, bin_edges, vote, vote_table

STRIDE = 16


def pooled_by_definition(maps: np.ndarray, box: list[float]) -> np.ndarray:
    """The operator of the released code, written out: bins of rounded corners, mean of each, mean of all."""
    channels, h, w = maps.shape
    classes = channels // (BINS * BINS)
    x1, y1, x2, y2 = (np.float32(math.floor(value + 0.5)) for value in box)
    start_w, start_h = x1 / np.float32(STRIDE), y1 / np.float32(STRIDE)
    bin_w = np.float32(max((x2 + 1) / np.float32(STRIDE) - start_w, np.float32(0.1))) / np.float32(BINS)
    bin_h = np.float32(max((y2 + 1) / np.float32(STRIDE) - start_h, np.float32(0.1))) / np.float32(BINS)
    total = np.zeros(classes)
    for row in range(BINS):
        top = min(max(math.floor(np.float32(row * bin_h + start_h)), 0), h)
        bottom = min(max(math.ceil(np.float32((row + 1) * bin_h + start_h)), 0), h)
        for column in range(BINS):
            left = min(max(math.floor(np.float32(column * bin_w + start_w)), 0), w)
            right = min(max(math.ceil(np.float32((column + 1) * bin_w + start_w)), 0), w)
            if bottom <= top or right <= left:
                continue
            for position in range(classes):
                channel = (position * BINS + row) * BINS + column
                total[position] += maps[channel, top:bottom, left:right].mean()
    return total / (BINS * BINS)


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 223, 159],
        [10.5, 20.49, 100.5, 90.2],
        [37, 41, 37, 41],
        [200, 150, 223, 159],
        [15.5, 15.5, 16.4, 16.4],
        [0, 0, 0, 0],
        [400, 400, 500, 500],
    ],
)
def test_a_vote_is_the_mean_of_means(box: list[float]) -> None:
    maps = torch.randn(3 * BINS * BINS, 10, 14, generator=torch.Generator().manual_seed(0))
    edges = bin_edges(torch.tensor([box], dtype=torch.float32), size=(10, 14), stride=STRIDE)
    found = vote(vote_table(maps[None]), edges, width=14)[0]
    np.testing.assert_allclose(found.numpy(), pooled_by_definition(maps.numpy(), box), atol=1e-5)


def test_boxes_do_not_disturb_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2 * BINS * BINS, 6, 8, generator=generator)
    corners = torch.rand(20, 2, generator=generator) * 60
    boxes = torch.cat((corners, corners + torch.rand(20, 2, generator=generator) * 60), 1)
    table = vote_table(maps)
    together = vote(table, bin_edges(boxes, size=(6, 8), stride=STRIDE), width=8)
    alone = [vote(table, bin_edges(box[None], size=(6, 8), stride=STRIDE), width=8) for box in boxes]
    torch.testing.assert_close(together, torch.cat(alone))


def test_gradients_reach_only_cells_under_the_box() -> None:
    table = torch.zeros(4 * 4 * BINS * BINS, 1, requires_grad=True)
    edges = bin_edges(torch.tensor([[0.0, 0.0, 15.0, 15.0]]), size=(4, 4), stride=STRIDE)
    vote(table, edges, width=4).sum().backward()
    assert table.grad is not None
    cells = table.grad.view(16, -1).sum(1)
    assert cells[0] == pytest.approx(1.0)
    assert cells[1:].abs().max() == 0
