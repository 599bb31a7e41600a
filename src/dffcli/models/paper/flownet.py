"""FlowNet-S and its smaller relatives: the networks that tell where each place of a frame was in the key frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # of every LeakyReLU
FLOW_UNIT = 2.5  # feature pixels (of 16 input pixels): the network predicts flow / 20, in pixels of a half-size picture
PLAIN_FLOW_UNIT = 5.0  # pixels of 1/8 of the input, for mmtracking's network, which likewise predicts flow / 20


def _conv(channels_in: int, channels_out: int, kernel: int = 3, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=(kernel - 1) // 2)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)


class Encoder(nn.Module):
    """The contracting half of FlowNet-S (Dosovitskiy et al., ICCV 2015, figure 2).

    Args:
        width: channels of the first layer; 64 in FlowNet, 32 in the paper's FlowNet-Half.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.channels = (2 * width, 4 * width, 8 * width, 8 * width, 16 * width)
        self.conv1 = _conv(6, width, 7, stride=2)
        self.conv2 = _conv(width, 2 * width, 5, stride=2)
        self.conv3 = _conv(2 * width, 4 * width, 5, stride=2)
        self.conv3_1 = _conv(4 * width, 4 * width)
        self.conv4 = _conv(4 * width, 8 * width, stride=2)
        self.conv4_1 = _conv(8 * width, 8 * width)
        self.conv5 = _conv(8 * width, 8 * width, stride=2)
        self.conv5_1 = _conv(8 * width, 8 * width)
        self.conv6 = _conv(8 * width, 16 * width, stride=2)
        self.conv6_1 = _conv(16 * width, 16 * width)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """Two pictures `[N, 6, h, w]` to maps at strides 4, 8, 16, 32 and 64."""
        x = _leaky(self.conv2(_leaky(self.conv1(pair))))
        maps = [x]
        for down, flat in (
            (self.conv3, self.conv3_1),
            (self.conv4, self.conv4_1),
            (self.conv5, self.conv5_1),
            (self.conv6, self.conv6_1),
        ):
            x = _leaky(flat(_leaky(down(x))))
            maps.append(x)
        return maps


class Decoder(nn.Module):
    """The expanding half of FlowNet-S: four refinements, each from the flow and the maps one stride coarser.

    Args:
        channels: of the encoder's maps, finest first.
        width: channels of the last refinement.
        bias: the released networks have biases here, mmtracking's have none.
    """

    def __init__(self, channels: tuple[int, ...], *, width: int = 64, bias: bool = True) -> None:
        super().__init__()
        self.deconvs = nn.ModuleList()
        self.flows = nn.ModuleList()
        self.upsamples = nn.ModuleList()
        channels_in = channels[-1]
        for level in range(len(channels) - 1, 0, -1):
            channels_out = width << (level - 1)
            self.flows.append(nn.Conv2d(channels_in, 2, 3, padding=1, bias=bias))
            self.upsamples.append(nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1, bias=bias))
            self.deconvs.append(nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1, bias=bias))
            channels_in = channels[level - 1] + channels_out + 2
        self.channels = channels_in

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The encoder's maps to what flow is read from, `[N, self.channels, h, w]` on the finest map's grid."""
        x = maps[-1]
        for skip, deconv, flow, upsample in zip(
            reversed(maps[:-1]), self.deconvs, self.flows, self.upsamples, strict=True
        ):
            h, w = skip.shape[2:]
            finer = _leaky(deconv(x))[:, :, :h, :w]
            finer_flow = upsample(flow(x))[:, :, :h, :w]
            x = torch.cat((skip, finer, finer_flow), dim=1)
        return x


class FeatureFlow(nn.Module):
    """F of the released networks: flow on the feature grid and the scale field (section 3.2 and figure 3).

    Pictures are halved on the way in and the decoder's result on the way out, both by 2 x 2 means, so that flow comes
    out at 1/16 of the input.

    Args:
        encoder: contracts a half-size pair.
        decoder: expands it to 1/8 of the input.
        feature_channels: of the maps to be scaled.
    """

    def __init__(self, encoder: nn.Module, decoder: Decoder, *, feature_channels: int = 1024) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.flow = nn.Conv2d(decoder.channels, 2, 3, padding=1)
        self.scale = nn.Conv2d(decoder.channels, feature_channels, 1)

    def forward(self, current: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """The field from current to key.

        Args:
            current: pictures less their mean, 0..255, `[N, 3, H, W]`.
            key: likewise.

        Returns:
            `(dx, dy)` in feature pixels `[N, 2, ceil(H/16), ceil(W/16)]`, and the scale field on the same grid.
        """
        pair = torch.cat((current, key), dim=1) / 255
        x = self.decoder(self.encoder(_halve(pair)))
        x = _halve(x)
        return self.flow(x) * FLOW_UNIT, self.scale(x)


def _halve(x: Tensor) -> Tensor:
    """Means of 2 x 2; where a side is odd, of what there is."""
    return F.avg_pool2d(x, 2, ceil_mode=True)


class PlainFlow(nn.Module):
    """F of mmtracking: FlowNet-S without biases in its decoder, and without a scale field."""

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        self.decoder = Decoder(self.encoder.channels, width=width, bias=False)
        self.flow = nn.Conv2d(self.decoder.channels, 2, 3, padding=1, bias=False)

    def forward(self, current: Tensor, key: Tensor) -> Tensor:
        """The field from current to key.

        Args:
            current: pictures in 0..1 less (0.411, 0.432, 0.450), zero where padded, `[N, 3, H, W]`.
            key: likewise.

        Returns:
            `(dx, dy)` in pixels of its own grid, `[N, 2, H / 8, W / 8]`. mmtracking brings it to the input's size and
            from there to the feature map's; both steps together are the 2 x 2 mean that resizing it once gives.
        """
        pair = torch.cat((current, key), dim=1)
        half = F.interpolate(pair, scale_factor=0.5, mode="bilinear", align_corners=False)
        flow: Tensor = self.flow(self.decoder(self.encoder(half)))
        return flow * PLAIN_FLOW_UNIT
