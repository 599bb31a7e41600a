"""Boxes whose corners are pixels: anchors, moves, overlaps and suppression."""

from __future__ import annotations

import torch

from dffcli.models.paper import faster_rcnn
from dffcli.models.paper.boxes import (
    NMS_STEP,
    clip_pixel_boxes,
    decode_pixel_boxes,
    encode_pixel_boxes,
    pixel_anchors,
    pixel_nms,
    pixel_overlaps,
)
from dffcli.models.paper.proposals import propose


def random_boxes(count: int, *, seed: int = 0, side: float = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * side
    return torch.cat((corners, corners + 1 + torch.rand(count, 2, generator=generator) * 80), 1)


def test_anchors_are_those_of_the_released_network() -> None:
    assert pixel_anchors((1, 1), 16).tolist() == [
        [-84, -40, 99, 55],
        [-176, -88, 191, 103],
        [-360, -184, 375, 199],
        [-56, -56, 71, 71],
        [-120, -120, 135, 135],
        [-248, -248, 263, 263],
        [-36, -80, 51, 95],
        [-80, -168, 95, 183],
        [-168, -344, 183, 359],
    ]


def test_anchors_shift_by_the_stride_column_by_column() -> None:
    anchors = pixel_anchors((2, 3), 16).view(2, 3, 9, 4)
    torch.testing.assert_close(anchors[1, 2] - anchors[0, 0], torch.tensor([32.0, 16, 32, 16]).expand(9, 4))


def test_decoding_undoes_encoding() -> None:
    boxes, targets = random_boxes(50), random_boxes(50, seed=1)
    torch.testing.assert_close(
        decode_pixel_boxes(boxes, encode_pixel_boxes(boxes, targets)), targets, atol=1e-3, rtol=1e-4
    )


def test_a_box_of_one_pixel_overlaps_itself_wholly() -> None:
    box = torch.tensor([[3.0, 4.0, 3.0, 4.0]])
    assert pixel_overlaps(box, box).item() == 1
    assert pixel_overlaps(box, box + 1).item() == 0


def test_clipping_keeps_the_last_pixel() -> None:
    clipped = clip_pixel_boxes(torch.tensor([[-5.0, 2.0, 500.0, 700.0]]), (60, 80))
    assert clipped.tolist() == [[0, 2, 79, 59]]


def test_survivors_overlap_at_most_the_threshold_and_each_victim_has_a_cause() -> None:
    boxes = random_boxes(300)
    scores = torch.rand(300, generator=torch.Generator().manual_seed(2))
    kept = pixel_nms(boxes, scores, 0.3)
    overlaps = pixel_overlaps(boxes[kept], boxes[kept]).fill_diagonal_(0)
    assert overlaps.max() <= 0.3 + 1e-6
    lost = torch.tensor(sorted(set(range(300)) - set(kept.tolist())))
    better = scores[kept][None] >= scores[lost][:, None]
    assert ((pixel_overlaps(boxes[lost], boxes[kept]) > 0.3) & better).any(1).all()


def test_the_shortcut_for_the_best_few_changes_nothing() -> None:
    boxes = random_boxes(NMS_STEP + 500, side=2000)
    scores = torch.linspace(1, 0, len(boxes))
    torch.testing.assert_close(pixel_nms(boxes, scores, 0.5, keep=40), pixel_nms(boxes, scores, 0.5)[:40])
    crowded = random_boxes(NMS_STEP + 500, side=5)
    torch.testing.assert_close(pixel_nms(crowded, scores, 0.7, keep=300), pixel_nms(crowded, scores, 0.7)[:300])


def test_places_beyond_the_last_whole_stride_propose_last() -> None:
    scores = torch.zeros(1, 18, 3, 3)
    scores[:, 9:, 2, 2] = 50.0  # the surest place lies in the ragged corner
    deltas = torch.zeros(1, 36, 3, 3)
    whole = propose(scores, deltas, size=(48, 48))
    ragged = propose(scores, deltas, size=(40, 40))
    corner = clip_pixel_boxes(pixel_anchors((3, 3), 16).view(9, 9, 4)[8], (48, 48))
    assert (whole[0] == corner).all(1).any()
    assert len(ragged) > 0


def test_mmtracking_anchors_are_centred_on_the_stride() -> None:
    anchors = faster_rcnn.centred_anchors((2, 2)).view(4, 12, 4)
    centers = (anchors[..., :2] + anchors[..., 2:]) / 2
    torch.testing.assert_close(centers[3], torch.full((12, 2), 16.0))
    areas = (anchors[0, :, 2:] - anchors[0, :, :2]).prod(1).view(3, 4)
    torch.testing.assert_close(areas, torch.tensor([64.0, 128, 256, 512]).square().expand(3, 4))
