"""NanoDet-g: plain 3x3 convolutions, a pyramid of sums, one layer of answers at each of three strides.

The network of https://github.com/RangiLyu/nanodet (`nanodet-g`: a CSPNet backbone, a PAN without convolutions and a
head with Generalized Focal Loss, arXiv 2006.04388), without its batch norms, which are merged into the convolutions.
Every cell of three grids says what it sees (one logit a class) and how far the object's left, top, right and bottom lie
from its centre, each as a distribution over whole strides whose mean is the distance.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.models.nanodet_g import LEAK, NanoDetBackbone, activate, convolution

STRIDES = (8, 16, 32)  # input pixels between two cells of a grid
BINS = 11  # an ltrb distance is a distribution over 0, 1 ... BINS - 1 strides
WIDTH = 128  # channels of the pyramid


class CocoDetector(nn.Module):
    """Backbone, top-down and bottom-up sums, answers at strides 8, 16 and 32.

    Args:
        classes: number of classes.
    """

    def __init__(self, *, classes: int = 80) -> None:
        super().__init__()
        self.classes = classes
        backbone = NanoDetBackbone()
        self.stem, self.stages = backbone.stem, backbone.stages
        self.lateral = nn.ModuleList(convolution(width, WIDTH, kernel=1) for width in backbone.widths[1:])
        self.tower = nn.ModuleList(convolution(WIDTH, WIDTH) for _ in STRIDES)
        self.pred = nn.ModuleList(convolution(WIDTH, classes + 4 * BINS, kernel=1) for _ in STRIDES)
        self._begin()

    def _begin(self) -> None:
        """Values to learn from: no norm evens out what the layers do, so each keeps the spread of what it is given."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=LEAK)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # convolution() gives each one
        for layer, stride in zip(self.pred, STRIDES, strict=True):
            weight, bias = layer.parameters()
            nn.init.normal_(weight, std=0.01)
            # a class is seen at about 5 cells of a 640 x 640 picture before anything is learned
            nn.init.constant_(bias[: self.classes], math.log(5 / self.classes / (640 / stride) ** 2))

    def pyramid(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`[N, 3, H, W]` to maps `[N, WIDTH, H / stride, W / stride]` at strides 8, 16 and 32."""
        x = F.max_pool2d(activate(self.stem(x)), 3, stride=2, padding=1)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        c8, c16, c32 = (lateral(level) for lateral, level in zip(self.lateral, levels[1:], strict=True))
        top16 = c16 + resized(c32, c16)
        p8 = c8 + resized(top16, c8)
        p16 = top16 + resized(p8, top16)
        return p8, p16, c32 + resized(p16, c32)

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """At strides 8, 16 and 32: class logits `[N, classes, h, w]` and distance logits `[N, 4 * BINS, h, w]`."""
        answers = (
            pred(activate(tower(level)))
            for pred, tower, level in zip(self.pred, self.tower, self.pyramid(x), strict=True)
        )
        return [(answer[:, : self.classes], answer[:, self.classes :]) for answer in answers]

    def dense_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """N_feat: at each stride `[N, classes + 4, h, w]`: class logits, then ltrb distances in strides."""
        return tuple(torch.cat((logits, mean_distances(bins)), 1) for logits, bins in self(x))


def resized(x: Tensor, like: Tensor) -> Tensor:
    """`[N, C, h, w]` at the size of another map, larger or smaller; no averaging where it shrinks."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


def mean_distances(distance_logits: Tensor) -> Tensor:
    """Ltrb distances in strides, `[N, 4, h, w]`, from `[N, 4 * BINS, h, w]`."""
    n, _, h, w = distance_logits.shape
    bins = torch.arange(BINS, device=distance_logits.device, dtype=torch.float32)
    shares = distance_logits.float().view(n, 4, BINS, h, w).softmax(2)
    return (shares * bins.view(1, 1, BINS, 1, 1)).sum(2)  # [N, 4, h, w]


def cell_centres(height: int, width: int, stride: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Centres `(x, y)` of a grid's cells in input pixels, row by row, `[height * width, 2]`."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return (torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride


def boxes_from_distances(centres: Tensor, distances: Tensor) -> Tensor:
    """`x1, y1, x2, y2` from centres `[..., 2]` and ltrb distances `[..., 4]`, all in input pixels."""
    return torch.cat((centres - distances[..., :2], centres + distances[..., 2:]), -1)
