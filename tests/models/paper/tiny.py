"""The paper's networks with so few channels that a test can run them."""

from __future__ import annotations

import torch

from dffcli.models.paper.build import initialise
from dffcli.models.paper.deeplab import DeeplabNetwork
from dffcli.models.paper.faster_rcnn import FasterRcnnNetwork
from dffcli.models.paper.flownet import Decoder, Encoder, FeatureFlow, PlainFlow
from dffcli.models.paper.resnet import ResNet
from dffcli.models.paper.rfcn import RfcnNetwork

BLOCKS = (1, 1, 1, 1)
CHANNELS = 16


def tiny_flow(channels: int = CHANNELS) -> FeatureFlow:
    encoder = Encoder(4)
    return FeatureFlow(encoder, Decoder(encoder.channels, width=4), feature_channels=channels)


def tiny_rfcn(classes: int = 3) -> RfcnNetwork:
    network = RfcnNetwork(ResNet(BLOCKS, width=4), tiny_flow(), classes=classes, channels=CHANNELS)
    initialise(network, seed=0)
    return network.eval().requires_grad_(False)


def tiny_deeplab(classes: int = 3) -> DeeplabNetwork:
    network = DeeplabNetwork(ResNet(BLOCKS, width=4), tiny_flow(), classes=classes, channels=CHANNELS)
    initialise(network, seed=0)
    return network.eval().requires_grad_(False)


def tiny_faster_rcnn(classes: int = 3) -> FasterRcnnNetwork:
    backbone = ResNet(BLOCKS, width=4, stride_on="3x3")
    network = FasterRcnnNetwork(backbone, PlainFlow(width=4), classes=classes, channels=CHANNELS, hidden=8)
    initialise(network, seed=0)
    return network.eval().requires_grad_(False)


def pictures(count: int, size: tuple[int, int]) -> torch.Tensor:
    """Random pictures less their mean, `[count, 3, *size]`."""
    return (torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1)) - 0.5) * 255
