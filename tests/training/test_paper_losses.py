"""The detector's losses: what anchors and proposals should say, and which of them count."""

from __future__ import annotations

import pytest
import torch

from dffcli.models.paper.boxes import pixel_anchors, pixel_overlaps
from dffcli.training.paper_losses import (
    ANCHORS_A_PICTURE,
    HARD_BOXES,
    anchor_targets,
    box_targets,
    proposal_losses,
    recognition_losses,
)

GRID, SIZE = (20, 30), (320, 480)


def targets(boxes: list[list[float]], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    given = torch.tensor(boxes).view(-1, 4)
    return anchor_targets(given, grid=GRID, size=SIZE, generator=torch.Generator().manual_seed(seed))


def test_every_object_has_an_anchor_even_a_small_one() -> None:
    boxes = [[100.0, 100, 112, 110], [200, 50, 330, 180]]
    labels, _ = targets(boxes)
    chosen = pixel_anchors(GRID, 16)[labels == 1]
    assert (pixel_overlaps(chosen, torch.tensor(boxes)).amax(0) > 0).all()


def test_anchors_that_reach_beyond_the_picture_do_not_count() -> None:
    labels, _ = targets([[200.0, 50, 330, 180]])
    anchors = pixel_anchors(GRID, 16)
    outside = (anchors[:, :2] < 0).any(1) | (anchors[:, 2] >= SIZE[1]) | (anchors[:, 3] >= SIZE[0])
    assert (labels[outside] == -1).all()


def test_at_most_256_anchors_count_and_at_most_half_of_them_are_objects() -> None:
    labels, _ = targets([[float(x), 20, float(x) + 130, 150] for x in range(0, 300, 3)])
    assert (labels == 1).sum() <= ANCHORS_A_PICTURE / 2
    assert (labels >= 0).sum() <= ANCHORS_A_PICTURE


def test_a_picture_without_objects_is_all_background() -> None:
    labels, moves = targets([])
    assert (labels == 1).sum() == 0
    assert (labels == 0).sum() == ANCHORS_A_PICTURE
    assert moves.abs().sum() == 0


def test_perfect_proposals_cost_nothing() -> None:
    labels, moves = targets([[200.0, 50, 330, 180]])
    sure = torch.where(labels == 1, 50.0, -50.0).view(*GRID, 9).permute(2, 0, 1)
    deltas = moves.view(GRID[0] * GRID[1], 9, 4).permute(1, 2, 0).reshape(1, 36, *GRID)
    losses = proposal_losses(torch.cat((-sure, sure))[None], deltas, labels, moves)
    assert sum(float(loss) for loss in losses.values()) == pytest.approx(0, abs=1e-6)


def test_only_the_hardest_boxes_count() -> None:
    scores = torch.zeros(300, 3, requires_grad=True)
    labels = torch.zeros(300, dtype=torch.long)
    with torch.no_grad():
        scores[:, 0] = torch.linspace(-5, 5, 300)  # surer and surer that it is background, as it is
    losses = recognition_losses(scores, torch.zeros(300, 4), labels, torch.ones(300, 4))
    losses["class"].backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    taught = scores.grad.abs().sum(1) > 0
    assert taught[:HARD_BOXES].all()
    assert not taught[HARD_BOXES:].any()
    assert losses["box"] == 0  # background has no box


def test_objects_own_boxes_are_among_the_boxes_with_nothing_to_move() -> None:
    proposals = torch.tensor([[0.0, 0, 30, 30], [100, 100, 160, 160]])
    boxes = torch.tensor([[105.0, 102, 166, 158]])
    rows, labels, moves = box_targets(proposals, boxes, torch.tensor([4]))
    assert labels.tolist() == [0, 4, 4]
    torch.testing.assert_close(rows[2], boxes[0])
    torch.testing.assert_close(moves[2], torch.zeros(4))
