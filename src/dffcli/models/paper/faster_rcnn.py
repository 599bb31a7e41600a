"""Faster R-CNN on a dilated ResNet as mmtracking trains it for Deep Feature Flow, with its flow network."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import nms, roi_align

from dffcli.models.paper.resnet import STRIDE, ResNet

SCALES = (4, 8, 16, 32)  # of the stride
RATIOS = (0.5, 1.0, 2.0)  # height / width
ANCHORS = len(SCALES) * len(RATIOS)
BEFORE_NMS = 6000
AFTER_NMS = 300
PROPOSAL_OVERLAP = 0.7
DELTA_STD = (0.2, 0.2, 0.2, 0.2)  # of the second stage; the first has 1
LARGEST_STEP = abs(math.log(16 / 1000))  # of a logarithmic size
ROI_SIDE = 7  # cells
ROI_SAMPLES = 2  # a cell and axis
NMS_STEP = 1500  # best boxes tried before all the others are


class FasterRcnnNetwork(nn.Module):
    """N_feat, N_task and F of mmtracking's detector in one module.

    Args:
        backbone: the ResNet, stride on its 3x3 convolutions.
        flow: F.
        classes: without background, which is the last one here.
        channels: of the features.
        hidden: of the two layers before the answers.
    """

    def __init__(
        self, backbone: ResNet, flow: nn.Module | None, *, classes: int = 30, channels: int = 512, hidden: int = 1024
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.flow = flow
        self.classes = classes
        self.reduce = nn.Conv2d(backbone.channels, channels, 3, padding=1)
        self.rpn_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.rpn_score = nn.Conv2d(channels, ANCHORS, 1)
        self.rpn_delta = nn.Conv2d(channels, 4 * ANCHORS, 1)
        self.fc1 = nn.Linear(channels * ROI_SIDE * ROI_SIDE, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.class_scores = nn.Linear(hidden, classes + 1)
        self.box_deltas = nn.Linear(hidden, 4 * classes)

    def features(self, image: Tensor) -> Tensor:
        """N_feat: normalised pictures `[N, 3, H, W]` to `[N, channels, H / 16, W / 16]`."""
        return F.relu(self.reduce(self.backbone(image)), inplace=True)

    def propose(self, features: Tensor, *, size: tuple[int, int]) -> Tensor:
        """Proposals within a picture of `(height, width)`, best first, at most `[300, 4]`."""
        h, w = features.shape[2:]
        x = F.relu(self.rpn_conv(features), inplace=True)
        scores = self.rpn_score(x)[0].permute(1, 2, 0).flatten().sigmoid()
        deltas = self.rpn_delta(x)[0].permute(1, 2, 0).reshape(-1, 4)
        scores, order = scores.sort(descending=True, stable=True)
        scores, order = scores[:BEFORE_NMS], order[:BEFORE_NMS]
        anchors = centred_anchors((h, w)).to(features.device)[order]
        boxes = decode_boxes(anchors, deltas[order], size=size)
        real = ((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])).nonzero().flatten()
        boxes, scores = boxes[real], scores[real]
        rows = nms(boxes[:NMS_STEP], scores[:NMS_STEP], PROPOSAL_OVERLAP)
        if len(rows) < AFTER_NMS and len(boxes) > NMS_STEP:  # else later boxes cannot change the first survivors
            rows = nms(boxes, scores, PROPOSAL_OVERLAP)
        return boxes[rows[:AFTER_NMS]]

    def recognise(self, features: Tensor, proposals: Tensor) -> tuple[Tensor, Tensor]:
        """Classes of proposals `[R, 4]`: probabilities `[R, classes + 1]`, moves `[R, classes, 4]` in std units."""
        pooled = roi_align(
            features, [proposals], ROI_SIDE, spatial_scale=1 / STRIDE, sampling_ratio=ROI_SAMPLES, aligned=True
        )
        x = F.relu(self.fc1(pooled.flatten(1)))
        x = F.relu(self.fc2(x))
        return self.class_scores(x).softmax(1), self.box_deltas(x).view(-1, self.classes, 4)


@lru_cache(maxsize=8)
def centred_anchors(size: tuple[int, int]) -> Tensor:
    """Anchors centred on multiples of the stride, `[h * w * 12, 4]`, those of one place together."""
    cell = []
    for ratio in RATIOS:
        for scale in SCALES:
            half_w, half_h = STRIDE * scale / math.sqrt(ratio) / 2, STRIDE * scale * math.sqrt(ratio) / 2
            cell.append([-half_w, -half_h, half_w, half_h])
    y, x = torch.meshgrid(torch.arange(size[0]) * STRIDE, torch.arange(size[1]) * STRIDE, indexing="ij")
    shifts = torch.stack((x, y, x, y), dim=2).view(-1, 1, 4)  # [h * w, 1, 4]
    return (shifts + torch.tensor(cell)).view(-1, 4)


def decode_boxes(boxes: Tensor, deltas: Tensor, *, size: tuple[int, int]) -> Tensor:
    """Move boxes `[N, 4]` by `(dx, dy, dw, dh)` and clip them to `(height, width)`, edges included."""
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = boxes[:, 2:] - boxes[:, :2]
    centers = centers + deltas[:, :2] * sides
    half = sides * deltas[:, 2:].clamp(-LARGEST_STEP, LARGEST_STEP).exp() / 2
    moved = torch.cat((centers - half, centers + half), dim=1)
    limit = moved.new_tensor([size[1], size[0], size[1], size[0]])
    return torch.minimum(moved.clamp(min=0), limit)


def final_boxes(
    proposals: Tensor,
    probabilities: Tensor,
    deltas: Tensor,
    *,
    size: tuple[int, int],
    threshold: float,
    overlap: float,
    limit: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Move proposals, and keep of each class those that no better one of the class covers.

    Args:
        proposals: `[R, 4]` in input pixels.
        probabilities: `[R, classes + 1]`, background last.
        deltas: `[R, classes, 4]` in units of `DELTA_STD`.
        size: `(height, width)` of the picture within the input.
        threshold: smallest probability.
        overlap: largest intersection over union between two boxes of a class.
        limit: how many to keep.

    Returns:
        Boxes `[N, 4]`, scores `[N]` and positions of classes `[N]`, best first.
    """
    rows, classes = torch.nonzero(probabilities[:, :-1] > threshold, as_tuple=True)
    moves = deltas[rows, classes] * deltas.new_tensor(DELTA_STD)
    boxes = decode_boxes(proposals[rows], moves, size=size)
    scores = probabilities[rows, classes]
    kept = [boxes.new_zeros(0, dtype=torch.long)]
    for position in set(classes.tolist()):
        members = (classes == position).nonzero().flatten()
        kept.append(members[nms(boxes[members], scores[members], overlap)])
    best = torch.cat(kept)
    best = best[scores[best].argsort(descending=True, stable=True)[:limit]]
    return boxes[best], scores[best], classes[best]
