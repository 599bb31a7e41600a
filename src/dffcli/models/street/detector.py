"""The bundled street detector: an anchor-free dense detector on the street backbone.

Every place of three grids (strides 8, 16, 32) says what it sees (one logit a class) and how far the object's four sides
are from it, as a distribution over whole strides whose mean is the distance (Generalized Focal Loss, arXiv 2006.04388).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.models.street.network import ConvNorm, PooledContext, StreetBackbone, StreetShape, double_to

STRIDES = (8, 16, 32)  # input pixels between two places of a grid
BINS = 16  # a side's distance is a distribution over 0, 1 ... BINS - 1 strides
SHAPE = StreetShape(stem=32, widths=(48, 96, 160, 224), depths=(1, 2, 3, 2))  # the bundled detector's backbone


class LevelHead(nn.Module):
    """Two towers at one stride: classes, and distances to the four sides."""

    def __init__(self, width: int, classes: int, *, stride: int, box_width: int) -> None:
        super().__init__()
        self.class_tower = ConvNorm(width, width)
        self.box_tower = ConvNorm(width, box_width)
        self.class_logits = nn.Conv2d(width, classes, 1)
        self.side_logits = nn.Conv2d(box_width, 4 * BINS, 1)
        # a class is seen at about 5 places of a 640 x 640 picture before anything is learned
        nn.init.constant_(self.class_logits.bias, math.log(5 / classes / (640 / stride) ** 2))  # type: ignore[arg-type]
        nn.init.normal_(self.class_logits.weight, std=0.01)
        nn.init.normal_(self.side_logits.weight, std=0.01)
        nn.init.constant_(self.side_logits.bias, 1.0)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`[N, width, h, w]` to class logits `[N, classes, h, w]` and side logits `[N, 4 * BINS, h, w]`."""
        return self.class_logits(self.class_tower(x)), self.side_logits(self.box_tower(x))


class StreetDetector(nn.Module):
    """Backbone, a top-down path to three grids, two towers on each.

    Args:
        classes: number of classes.
        shape: the backbone's numbers, by default `SHAPE`.
        width: channels of the top-down path and of the class towers.
        box_width: channels of the box towers.
    """

    def __init__(
        self, *, classes: int = 6, shape: StreetShape | None = None, width: int = 96, box_width: int = 64
    ) -> None:
        super().__init__()
        self.classes, self.width, self.box_width = classes, width, box_width
        self.backbone = StreetBackbone(shape or SHAPE)
        widths = self.backbone.shape.widths
        self.context = PooledContext(widths[3], width)
        self.lateral16 = ConvNorm(widths[2], width, kernel=1, activate=False)
        self.lateral8 = ConvNorm(widths[1], width, kernel=1, activate=False)
        self.smooth16 = ConvNorm(width, width)
        self.smooth8 = ConvNorm(width, width)
        self.heads = nn.ModuleList(LevelHead(width, classes, stride=s, box_width=box_width) for s in STRIDES)

    def pyramid(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`[N, 3, H, W]` to maps `[N, width, H / stride, W / stride]` at strides 8, 16 and 32."""
        _, c8, c16, c32 = self.backbone(x)
        p32 = self.context(c32)
        p16 = self.smooth16(F.relu(self.lateral16(c16) + double_to(p32, c16)))
        p8 = self.smooth8(F.relu(self.lateral8(c8) + double_to(p16, c8)))
        return p8, p16, p32

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Class and side logits at strides 8, 16 and 32, as `LevelHead` gives them."""
        return [head(level) for head, level in zip(self.heads, self.pyramid(x), strict=True)]

    def dense_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """N_feat: at each stride `[N, classes + 4, h, w]`: class logits, then distances to the sides in strides."""
        return tuple(torch.cat((logits, mean_distances(sides)), 1) for logits, sides in self(x))


def mean_distances(side_logits: Tensor) -> Tensor:
    """Distances to the left, upper, right and lower side in strides, `[N, 4, h, w]`, from `[N, 4 * BINS, h, w]`."""
    n, _, h, w = side_logits.shape
    bins = torch.arange(BINS, device=side_logits.device, dtype=torch.float32)
    shares = side_logits.float().view(n, 4, BINS, h, w).softmax(2)
    return (shares * bins.view(1, 1, BINS, 1, 1)).sum(2)  # [N, 4, h, w]


def place_centres(height: int, width: int, stride: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Centres `(x, y)` of a grid's places in input pixels, row by row, `[height * width, 2]`."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return (torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride


def boxes_from_distances(centres: Tensor, distances: Tensor) -> Tensor:
    """`x1, y1, x2, y2` from centres `[..., 2]` and distances to the sides `[..., 4]`, all in input pixels."""
    return torch.cat((centres - distances[..., :2], centres + distances[..., 2:]), -1)
