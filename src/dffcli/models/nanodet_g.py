"""NanoDet-g's backbone: stages of plain 3x3 convolutions whose outputs are joined instead of added, without norms.

After github.com/RangiLyu/nanodet (Apache License 2.0, Copyright 2020-2021 RangiLyu), with its batch norms merged into
the convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.1  # slope of every activation below zero


@dataclass(frozen=True, slots=True)
class JoinedShape:
    """The numbers that make a backbone; the defaults are NanoDet-g's.

    Attributes:
        stem: channels at stride 2.
        widths: channels within the stages at strides 4, 8, 16 and 32; a stage's output has twice as many.
        depths: blocks in each of them.
    """

    stem: int = 32
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    depths: tuple[int, int, int, int] = (1, 2, 2, 3)


def convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution whose output is as large as its input, divided by the stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def activate(x: Tensor) -> Tensor:
    """The rectifier after every 3x3 convolution; `x` is overwritten."""
    return F.leaky_relu(x, LEAK, inplace=True)


class Block(nn.Module):
    """Two 3x3 convolutions of half the width, one after the other; the output holds both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = convolution(width, width // 2)
        self.b = convolution(width // 2, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, width, h, w]` to the same."""
        a = activate(self.a(x))
        return torch.cat([activate(self.b(a)), a], 1)


class Stage(nn.Module):
    """Blocks in a row beside the way round them (a cross-stage partial network, arXiv 1911.11929)."""

    def __init__(self, inputs: int, width: int, *, depth: int, stride: int) -> None:
        super().__init__()
        self.inp = convolution(inputs, width, stride=stride)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.out = convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, inputs, h, w]` to `[N, 2 * width, h / stride, w / stride]`, rounded up."""
        x = activate(self.inp(x))
        return torch.cat([activate(self.out(self.blocks(x))), x], 1)


class NanoDetBackbone(nn.Module):
    """Maps at strides 4, 8, 16 and 32 from a normalised RGB picture."""

    def __init__(self, shape: JoinedShape | None = None) -> None:
        super().__init__()
        self.shape = shape or JoinedShape()
        self.stem = convolution(3, self.shape.stem, stride=2)
        self.stages = nn.ModuleList()
        inputs = self.shape.stem
        for index, (width, depth) in enumerate(zip(self.shape.widths, self.shape.depths, strict=True)):
            self.stages.append(Stage(inputs, width, depth=depth, stride=1 if index == 0 else 2))
            inputs = 2 * width

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of the four maps."""
        return cast(tuple[int, int, int, int], tuple(2 * width for width in self.shape.widths))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`[N, 3, H, W]` to four maps `[N, widths[i], H / stride, W / stride]` (rounded up), strides 4 to 32."""
        x = F.max_pool2d(activate(self.stem(x)), 3, stride=2, padding=1)
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return cast(tuple[Tensor, Tensor, Tensor, Tensor], tuple(maps))
