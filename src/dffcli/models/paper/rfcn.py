"""R-FCN (Dai et al., NIPS 2016) on a dilated ResNet, the paper's detector, with its flow network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.models.paper.boxes import clip_pixel_boxes, decode_pixel_boxes, pixel_nms
from dffcli.models.paper.proposals import ANCHORS, propose
from dffcli.models.paper.psroi import BINS, bin_edges, vote
from dffcli.models.paper.resnet import STRIDE, ResNet

FEATURE_DILATION = 6
BOX_DELTA_STD = (0.1, 0.1, 0.2, 0.2)


class RfcnNetwork(nn.Module):
    """N_feat, N_task and F of the released detector in one module.

    Args:
        backbone: the ResNet.
        flow: F, trained together with the rest; None in the per-frame baseline.
        classes: without background.
        channels: of the features: the first half is for proposals, the other for recognition.
    """

    def __init__(self, backbone: ResNet, flow: nn.Module | None, *, classes: int = 30, channels: int = 1024) -> None:
        super().__init__()
        self.backbone = backbone
        self.flow = flow
        self.classes = classes
        self.reduce = nn.Conv2d(backbone.channels, channels, 3, padding=FEATURE_DILATION, dilation=FEATURE_DILATION)
        half = channels // 2
        self.rpn_score = nn.Conv2d(half, 2 * ANCHORS, 1)
        self.rpn_delta = nn.Conv2d(half, 4 * ANCHORS, 1)
        self.class_maps = nn.Conv2d(half, (classes + 1) * BINS * BINS, 1)
        self.box_maps = nn.Conv2d(half, 2 * 4 * BINS * BINS, 1)

    def features(self, image: Tensor) -> Tensor:
        """N_feat: pictures less their mean `[N, 3, H, W]` to `[N, channels, ceil(H/16), ceil(W/16)]`."""
        return F.relu(self.reduce(self.backbone(image)), inplace=True)

    def propose(self, features: Tensor, *, size: tuple[int, int]) -> Tensor:
        """Proposals for an input of `(height, width)`, at most `[300, 4]`."""
        half = features[:, : features.shape[1] // 2]
        return propose(self.rpn_score(half), self.rpn_delta(half), size=size)


@dataclass(frozen=True, slots=True)
class RecognisedBoxes:
    """What the second stage says of boxes.

    Attributes:
        boxes: `[R, 4]` in input pixels, as proposed.
        probabilities: `[R, 1 + classes]`, background first.
        deltas: `[R, 4]` in units of `BOX_DELTA_STD`; the same for all classes.
    """

    boxes: Tensor
    probabilities: Tensor
    deltas: Tensor


class Recogniser:
    """The second stage as inference wants it: both maps from one product, laid out as voting reads them.

    The background's box, which nothing uses, is left out.

    Args:
        network: read once, not kept.
    """

    def __init__(self, network: RfcnNetwork) -> None:
        bins = BINS * BINS
        weights, biases = [], []
        for conv, classes in ((network.class_maps, slice(None)), (network.box_maps, slice(4, 8))):
            weight = conv.weight.detach().view(-1, bins, conv.in_channels)[classes]
            weights.append(weight.permute(1, 0, 2))  # [bins, classes, channels]
            bias = conv.bias
            if bias is not None:
                biases.append(bias.detach().view(-1, bins)[classes].t())
        self.outputs = sum(weight.shape[1] for weight in weights)
        self.weight = torch.cat(weights, dim=1).reshape(bins * self.outputs, -1).contiguous()
        self.bias = torch.cat(biases, dim=1).flatten()

    def recognise(self, features: Tensor, boxes: Tensor) -> RecognisedBoxes:
        """Classes and moves of boxes `[R, 4]` on features `[1, channels, h, w]`."""
        h, w = features.shape[2:]
        cells = features[0, features.shape[1] // 2 :].permute(1, 2, 0).reshape(h * w, -1)
        table = F.linear(cells, self.weight, self.bias).view(-1, self.outputs)  # [h * w * bins, outputs]
        votes = vote(table, bin_edges(boxes, size=(h, w), stride=STRIDE), width=w)
        return RecognisedBoxes(boxes, torch.softmax(votes[:, :-4], dim=1), votes[:, -4:])


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """Final boxes in input pixels, best first: `[N, 4]`, `[N]`, and the position of the class, from 0, `[N]`."""

    boxes: Tensor
    scores: Tensor
    classes: Tensor


def final_boxes(
    recognised: RecognisedBoxes, *, size: tuple[int, int], threshold: float, overlap: float, limit: int
) -> FoundBoxes:
    """Move boxes, and keep of each class those that no better one of the class covers.

    Args:
        recognised: proposals with their classes.
        size: `(height, width)` of the input.
        threshold: smallest probability.
        overlap: largest intersection over union between two boxes of a class.
        limit: how many to keep.
    """
    moves = recognised.deltas * recognised.deltas.new_tensor(BOX_DELTA_STD)
    boxes = clip_pixel_boxes(decode_pixel_boxes(recognised.boxes, moves), size)
    rows_kept, classes_kept = [], []
    for position in range(1, recognised.probabilities.shape[1]):
        scores = recognised.probabilities[:, position]
        rows = torch.nonzero(scores > threshold).flatten()
        if len(rows):
            rows = rows[pixel_nms(boxes[rows], scores[rows], overlap)]
            rows_kept.append(rows)
            classes_kept.append(torch.full_like(rows, position - 1))
    if not rows_kept:
        none = torch.zeros(0, dtype=torch.long, device=boxes.device)
        return FoundBoxes(boxes[:0], boxes[:0, 0], none)
    rows, classes = torch.cat(rows_kept), torch.cat(classes_kept)
    scores = recognised.probabilities[rows, classes + 1]
    order = scores.argsort(descending=True, stable=True)[:limit]
    return FoundBoxes(boxes[rows][order], scores[order], classes[order])
