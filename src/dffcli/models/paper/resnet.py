"""ResNet with a dilated last stage, in the two layouts that published weights have."""

from __future__ import annotations

from typing import Literal, Self

from torch import Tensor, nn

BLOCKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottlenecks a stage, by depth."""
STRIDE = 16  # input pixels a feature pixel
EXPANSION = 4

StrideOn = Literal["1x1", "3x3"]
"""Which convolution of a stage's first bottleneck has the stride: the original's 1x1, or torchvision's 3x3."""


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut."""

    def __init__(
        self, channels_in: int, width: int, *, stride: int = 1, dilation: int = 1, stride_on: StrideOn = "1x1"
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        channels_out = width * EXPANSION
        self.conv1 = nn.Conv2d(channels_in, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """`[N, channels_in, h, w]` to `[N, 4 * width, h / stride, w / stride]`."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        result: Tensor = self.relu(self.bn3(self.conv3(x)).add_(shortcut))
        return result


class ResNet(nn.Module):
    """ResNet-v1 at stride 16: the last stage keeps its resolution and is dilated instead (section 4 of the paper).

    Names of parameters are torchvision's. Batch norms keep the statistics of their pre-training in every mode.

    Args:
        blocks: bottlenecks a stage.
        width: channels of the first stage's inner convolutions.
        stride_on: where the stride lies in a stage's first bottleneck.
    """

    def __init__(
        self, blocks: tuple[int, int, int, int] = BLOCKS[101], *, width: int = 64, stride_on: StrideOn = "1x1"
    ) -> None:
        super().__init__()
        self.stride_on = stride_on
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(width, width, blocks[0], stride=1)
        self.layer2 = self._stage(width * 4, width * 2, blocks[1], stride=2)
        self.layer3 = self._stage(width * 8, width * 4, blocks[2], stride=2)
        self.layer4 = self._stage(width * 16, width * 8, blocks[3], stride=1, dilated=True)
        self.channels = width * 32

    def _stage(self, channels_in: int, width: int, blocks: int, *, stride: int, dilated: bool = False) -> nn.Sequential:
        """Bottlenecks of one width."""
        dilation = 2 if dilated else 1
        layers = [Bottleneck(channels_in, width, stride=stride, dilation=dilation, stride_on=self.stride_on)]
        layers += [
            Bottleneck(width * EXPANSION, width, dilation=dilation, stride_on=self.stride_on) for _ in range(blocks - 1)
        ]
        return nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images `[N, 3, H, W]` to the last stage's maps `[N, 32 * width, ceil(H/16), ceil(W/16)]`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return maps

    def train(self, mode: bool = True) -> Self:
        """Switch to training, but for the batch norms, whose statistics stay as they are."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self
