"""FlowNet-Inception: an encoder of inception blocks with about an eighth of FlowNet's operations.

The paper gives its cost (1/8 of FlowNet's, table 2) and its building blocks; the widths of its layers could not be
checked against the paper's appendix, so the numbers below are our reading, chosen to meet that cost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.1  # of every LeakyReLU


class _Unit(nn.Sequential):
    """A convolution and a LeakyReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=kernel // 2),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


class InceptionBlock(nn.Module):
    """Three branches side by side: 1x1 (or pooling, where it halves), 3x3, and two 3x3.

    Args:
        channels_in: of the input.
        channels_out: of the result, a multiple of 4: a quarter, a half and a quarter for the three branches.
        stride: 1, or 2 for a reduction.
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1) -> None:
        super().__init__()
        quarter = channels_out // 4
        pool: list[nn.Module] = [nn.MaxPool2d(3, stride=2, padding=1)] if stride == 2 else []
        self.direct = nn.Sequential(*pool, _Unit(channels_in, quarter, 1))
        self.once = nn.Sequential(
            _Unit(channels_in, channels_out // 4, 1), _Unit(channels_out // 4, channels_out // 2, 3, stride=stride)
        )
        self.twice = nn.Sequential(
            _Unit(channels_in, channels_out // 8, 1),
            _Unit(channels_out // 8, quarter, 3, stride=stride),
            _Unit(quarter, quarter, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[N, channels_in, h, w]` to `[N, channels_out, h / stride, w / stride]`, rounded up."""
        return torch.cat((self.direct(x), self.once(x), self.twice(x)), dim=1)


class InceptionEncoder(nn.Module):
    """The contracting half, with maps at the same strides as FlowNet's."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 6 * width, 8 * width)
        self.conv1 = _Unit(6, width // 2, 7, stride=2)
        stages: list[nn.Module] = [InceptionBlock(width // 2, width, stride=2)]
        for channels_in, channels_out in zip(self.channels[:-1], self.channels[1:], strict=True):
            stages.append(
                nn.Sequential(
                    InceptionBlock(channels_in, channels_out, stride=2), InceptionBlock(channels_out, channels_out)
                )
            )
        self.stages = nn.ModuleList(stages)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """Two pictures `[N, 6, h, w]` to maps at strides 4, 8, 16, 32 and 64."""
        x = self.conv1(pair)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
