"""The bundled networks' body and the street segmenter: plain 3x3 residual convolutions, cheap on a CPU.

Depthwise convolutions save multiplications but not time where these networks run (a processor without a GPU), so every
convolution here is a full one. Everything is trained from random initial values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dffcli.core.types import UInt8Array
from dffcli.models.nanodet_g import JoinedShape, NanoDetBackbone

PIXEL_MEAN = np.array((123.675, 116.28, 103.53), np.float32)
PIXEL_SCALE = np.array((58.395, 57.12, 57.375), np.float32)
"""Mean and standard deviation of RGB 0..255 over everyday pictures, as most published networks use them."""


def normalise(image: UInt8Array) -> NDArray[np.float32]:
    """RGB 0..255 `[H, W, 3]` to what the street networks take, `[3, H, W]`, channels last in memory."""
    height, width = image.shape[:2]
    mean, scale = _of_a_row(width)
    rows = image.reshape(height, width * 3).astype(np.float32)  # long rows: several times faster than triples
    rows -= mean
    rows /= scale
    return rows.reshape(height, width, 3).transpose(2, 0, 1)


@lru_cache(maxsize=8)
def _of_a_row(width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation for every value of a row of RGB pixels, `[3 * width]`."""
    return np.tile(PIXEL_MEAN, width), np.tile(PIXEL_SCALE, width)


@dataclass(frozen=True, slots=True)
class StreetShape:
    """The numbers that make a backbone.

    Attributes:
        stem: channels at stride 2.
        widths: channels at strides 4, 8, 16 and 32.
        depths: residual blocks at each of these strides.
    """

    stem: int = 32
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    depths: tuple[int, int, int, int] = (1, 2, 3, 2)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation and (unless told otherwise) a rectifier; `fold()` merges the first two."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, activate: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        self.activate = activate
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """`[N, C, h, w]` to `[N, outputs, h / stride, w / stride]`, rounded up."""
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.activate else x

    def fold(self) -> None:
        """Merge the normalisation into the convolution; only a network in eval mode may be folded."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the shortcut averages where the block halves the grid."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, stride=stride)
        self.second = ConvNorm(outputs, outputs, activate=False)
        self.pool = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False) if stride == 2 else nn.Identity()
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else ConvNorm(inputs, outputs, kernel=1, activate=False)
        nn.init.zeros_(cast(nn.BatchNorm2d, self.second.norm).weight)  # starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        """`[N, C, h, w]` to `[N, outputs, h / stride, w / stride]`, rounded up."""
        return F.relu(self.second(self.first(x)) + self.shortcut(self.pool(x)), inplace=True)


class StreetBackbone(nn.Module):
    """Maps at strides 4, 8, 16 and 32 from a normalised picture."""

    def __init__(self, shape: StreetShape | None = None) -> None:
        super().__init__()
        self.shape = shape or StreetShape()
        widths = self.shape.widths
        self.stem = nn.Sequential(
            ConvNorm(3, self.shape.stem, stride=2), ConvNorm(self.shape.stem, widths[0], stride=2)
        )
        self.stages = nn.ModuleList()
        inputs = widths[0]
        for index, (width, depth) in enumerate(zip(widths, self.shape.depths, strict=True)):
            first = ResidualBlock(inputs, width, stride=1 if index == 0 else 2)
            self.stages.append(nn.Sequential(first, *(ResidualBlock(width, width) for _ in range(depth - 1))))
            inputs = width

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of the four maps."""
        return self.shape.widths

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`[N, 3, H, W]` to four maps `[N, widths[i], H / stride, W / stride]` (rounded up), strides 4 to 32."""
        x = self.stem(x)
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return cast(tuple[Tensor, Tensor, Tensor, Tensor], tuple(maps))


class PooledContext(nn.Module):
    """What lies around a place: averages over two neighbourhoods and over the whole map, added to the place itself."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.here = ConvNorm(inputs, outputs, kernel=1)
        self.around = nn.ModuleList(ConvNorm(inputs, outputs // 2, kernel=1) for _ in range(2))
        self.everywhere = nn.Sequential(nn.Conv2d(inputs, outputs // 2, 1), nn.ReLU())
        self.fuse = ConvNorm(outputs + 3 * (outputs // 2), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, inputs, h, w]` to `[N, outputs, h, w]`."""
        parts = [self.here(x)]
        for window, branch in zip((5, 9), self.around, strict=True):
            parts.append(branch(F.avg_pool2d(x, window, stride=1, padding=window // 2, count_include_pad=False)))
        parts.append(self.everywhere(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3]))
        return cast(Tensor, self.fuse(torch.cat(parts, 1)))


def double_to(x: Tensor, like: Tensor) -> Tensor:
    """Twice as large, bilinearly, cut to the size of `like` (whose odd size was rounded up on the way down)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear")[:, :, : like.shape[2], : like.shape[3]]


class StreetSegmenter(nn.Module):
    """N_feat: backbone, context and a top-down path to one map at stride 4. N_task: a 1x1 classifier on it.

    Args:
        classes: number of classes.
        shape: the backbone's numbers, of one kind or the other.
        width: channels of the top-down path at strides 32 to 8.
        out_width: channels of the map at stride 4, the one that is carried along the flow.
    """

    def __init__(
        self,
        *,
        classes: int = 11,
        shape: StreetShape | JoinedShape | None = None,
        width: int = 96,
        out_width: int = 48,
    ) -> None:
        super().__init__()
        self.classes, self.width, self.out_width = classes, width, out_width
        self.backbone = NanoDetBackbone(shape) if isinstance(shape, JoinedShape) else StreetBackbone(shape)
        widths = self.backbone.widths
        self.context = PooledContext(widths[3], width)
        self.lateral16 = ConvNorm(widths[2], width, kernel=1, activate=False)
        self.lateral8 = ConvNorm(widths[1], width, kernel=1, activate=False)
        self.lateral4 = ConvNorm(widths[0], out_width, kernel=1, activate=False)
        self.smooth16 = ConvNorm(width, width)
        self.smooth8 = ConvNorm(width, width)
        self.narrow8 = ConvNorm(width, out_width, kernel=1, activate=False)
        self.smooth4 = ConvNorm(out_width, out_width)
        self.classifier = nn.Conv2d(out_width, classes, 1)
        self.aid16 = nn.Conv2d(width, classes, 1)
        self.aid8 = nn.Conv2d(width, classes, 1)

    def pyramid(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`[N, 3, H, W]` to the top-down maps at strides 16, 8 and 4; the last one is the output of N_feat."""
        c4, c8, c16, c32 = self.backbone(x)
        p16 = self.smooth16(F.relu(self.lateral16(c16) + double_to(self.context(c32), c16)))
        p8 = self.smooth8(F.relu(self.lateral8(c8) + double_to(p16, c8)))
        p4 = self.smooth4(F.relu(self.lateral4(c4) + double_to(self.narrow8(p8), c4)))
        return p16, p8, p4

    def features(self, x: Tensor) -> Tensor:
        """N_feat: `[N, 3, H, W]` to `[N, out_width, H / 4, W / 4]`."""
        return self.pyramid(x)[2]

    def classify(self, features: Tensor) -> Tensor:
        """N_task: `[N, out_width, h, w]` to logits `[N, classes, h, w]`."""
        return cast(Tensor, self.classifier(features))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits at strides 4, 8 and 16; the last two only help training."""
        p16, p8, p4 = self.pyramid(x)
        return self.classify(p4), self.aid8(p8), self.aid16(p16)


def with_classes(module: StreetSegmenter, classes: int) -> StreetSegmenter:
    """The same network for another number of classes: its classifiers start anew, the rest is kept."""
    if module.classes == classes:
        return module
    fresh = StreetSegmenter(
        classes=classes, shape=module.backbone.shape, width=module.width, out_width=module.out_width
    )
    anew = ("classifier.", "aid8.", "aid16.")
    kept = {name: value for name, value in module.state_dict().items() if not name.startswith(anew)}
    fresh.load_state_dict({**fresh.state_dict(), **kept})
    return fresh


def fold_norms(module: nn.Module) -> nn.Module:
    """The same module in eval mode with every normalisation merged into its convolution."""
    module.eval()
    for part in module.modules():
        if isinstance(part, ConvNorm):
            part.fold()
    return module
