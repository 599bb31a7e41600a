"""What is minimised for R-FCN: proposals from anchors, and the hardest of what was proposed (OHEM)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dffcli.models.paper.boxes import encode_pixel_boxes, pixel_anchors, pixel_overlaps
from dffcli.models.paper.proposals import ANCHORS, DELTA_STD, propose
from dffcli.models.paper.psroi import bin_edges, vote, vote_table
from dffcli.models.paper.resnet import STRIDE
from dffcli.models.paper.rfcn import BOX_DELTA_STD, RfcnNetwork

ANCHORS_A_PICTURE = 256
LARGEST_OBJECT_SHARE = 0.5  # of these
OBJECT_OVERLAP = 0.7  # an anchor is an object's from here
BACKGROUND_OVERLAP = 0.3  # and background below this
BOX_OVERLAP = 0.5  # a proposal is an object's from here
HARD_BOXES = 128  # of all proposals, those with the greatest loss
IGNORED = -1


def anchor_targets(
    boxes: Tensor, *, grid: tuple[int, int], size: tuple[int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What each anchor should say.

    Args:
        boxes: of the objects, `x1, y1, x2, y2` with inclusive corners, `[N, 4]`.
        grid: `(height, width)` of the feature map.
        size: `(height, width)` of the input; anchors that reach beyond it do not count.
        generator: the source of chance.

    Returns:
        1 for an object, 0 for background, -1 where it does not count, `[A]`; and moves in units of their
        deviation, `[A, 4]`.
    """
    anchors = pixel_anchors(grid, STRIDE).to(boxes.device)
    inside = (anchors[:, 0] >= 0) & (anchors[:, 1] >= 0) & (anchors[:, 2] < size[1]) & (anchors[:, 3] < size[0])
    labels = anchors.new_full((len(anchors),), IGNORED, dtype=torch.long)
    moves = torch.zeros_like(anchors)
    members = inside.nonzero().flatten()
    if len(members) == 0:
        return labels, moves
    if len(boxes) == 0:
        labels[members] = 0
    else:
        overlaps = pixel_overlaps(anchors[members], boxes)  # [M, N]
        best, which = overlaps.max(1)
        labels[members[best < BACKGROUND_OVERLAP]] = 0
        nearest = (overlaps == overlaps.amax(0, keepdim=True)) & (overlaps > 0)
        labels[members[nearest.any(1)]] = 1  # every object has an anchor
        labels[members[best >= OBJECT_OVERLAP]] = 1
        deviation = anchors.new_tensor(DELTA_STD)
        moves[members] = encode_pixel_boxes(anchors[members], boxes[which]) / deviation
    _keep_some(labels, 1, round(ANCHORS_A_PICTURE * LARGEST_OBJECT_SHARE), generator)
    _keep_some(labels, 0, ANCHORS_A_PICTURE - int((labels == 1).sum()), generator)
    return labels, moves


def _keep_some(labels: Tensor, value: int, most: int, generator: torch.Generator) -> None:
    """Leave at most so many of a value, drawn evenly; the others do not count."""
    members = (labels == value).nonzero().flatten()
    if len(members) > most:
        order = torch.randperm(len(members), generator=generator).to(labels.device)
        labels[members[order[most:]]] = IGNORED


def proposal_losses(scores: Tensor, deltas: Tensor, labels: Tensor, moves: Tensor) -> dict[str, Tensor]:
    """Losses of the proposal network.

    Args:
        scores: `[1, 2 * A, h, w]`, backgrounds first.
        deltas: `[1, 4 * A, h, w]`.
        labels: as `anchor_targets` gives them.
        moves: likewise.
    """
    h, w = scores.shape[2:]
    pairs = scores.reshape(2, ANCHORS, h * w).permute(2, 1, 0).reshape(-1, 2)
    found = deltas[0].reshape(ANCHORS, 4, h * w).permute(2, 0, 1).reshape(-1, 4)
    counted = labels != IGNORED
    recognition = F.cross_entropy(pairs[counted], labels[counted]) if bool(counted.any()) else pairs.sum() * 0
    objects = labels == 1
    place = F.smooth_l1_loss(found[objects], moves[objects], reduction="sum") / ANCHORS_A_PICTURE
    return {"proposal class": recognition, "proposal box": place}


def recognition_losses(scores: Tensor, deltas: Tensor, labels: Tensor, moves: Tensor) -> dict[str, Tensor]:
    """Losses of the second stage over the boxes that it is worst at (online hard example mining).

    Args:
        scores: `[R, 1 + classes]`, background first.
        deltas: `[R, 4]`.
        labels: class of each box, 0 for background, `[R]`.
        moves: wanted, in units of their deviation, `[R, 4]`.
    """
    recognition = F.cross_entropy(scores, labels, reduction="none")  # [R]
    place = F.smooth_l1_loss(deltas, moves, reduction="none").sum(1) * (labels > 0)  # [R]
    hardest = (recognition + place).detach().argsort(descending=True)[:HARD_BOXES]
    return {"class": recognition[hardest].mean(), "box": place[hardest].sum() / HARD_BOXES}


def box_targets(proposals: Tensor, boxes: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the second stage should say of each proposal, and of the objects' own boxes.

    Args:
        proposals: `[R, 4]`.
        boxes: of the objects, `[N, 4]`.
        classes: of the objects, from 1, `[N]`.

    Returns:
        Boxes `[R + N, 4]`, labels (0 for background) `[R + N]`, moves in units of their deviation `[R + N, 4]`.
    """
    together = torch.cat((proposals, boxes))
    if len(boxes) == 0:
        return together, classes.new_zeros(len(together)), torch.zeros_like(together)
    best, which = pixel_overlaps(together, boxes).max(1)
    labels = torch.where(best >= BOX_OVERLAP, classes[which], torch.zeros_like(which))
    moves = encode_pixel_boxes(together, boxes[which]) / together.new_tensor(BOX_DELTA_STD)
    return together, labels, moves


def rfcn_losses(
    network: RfcnNetwork,
    features: Tensor,
    *,
    boxes: Tensor,
    classes: Tensor,
    size: tuple[int, int],
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """All losses of the detector on one frame's features.

    Args:
        network: the detector.
        features: `[1, channels, h, w]`, carried or not.
        boxes: of the objects in input pixels, corners inclusive, `[N, 4]`.
        classes: of the objects, from 1, `[N]`.
        size: `(height, width)` of the input.
        generator: the source of chance.
    """
    grid = (features.shape[2], features.shape[3])
    first, second = features.chunk(2, dim=1)
    scores, deltas = network.rpn_score(first), network.rpn_delta(first)
    labels, moves = anchor_targets(boxes, grid=grid, size=size, generator=generator)
    losses = proposal_losses(scores, deltas, labels, moves)
    with torch.no_grad():
        proposals = propose(scores.float(), deltas.float(), size=size)
    rows, row_labels, row_moves = box_targets(proposals, boxes, classes)
    edges = bin_edges(rows, size=grid, stride=STRIDE)
    class_votes = vote(vote_table(network.class_maps(second).float()), edges, width=grid[1])
    box_votes = vote(vote_table(network.box_maps(second).float()), edges, width=grid[1])[:, 4:]  # objects' half
    return losses | recognition_losses(class_votes, box_votes, row_labels, row_moves)
