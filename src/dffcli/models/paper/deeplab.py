"""DeepLab with a large field of view on a dilated ResNet, the paper's segmenter, with its flow network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.models.paper.resnet import ResNet
from dffcli.models.paper.rfcn import FEATURE_DILATION


class DeeplabNetwork(nn.Module):
    """N_feat, N_task and F of the paper's segmenter in one module (section 4: the split lies before the last layer).

    Args:
        backbone: the ResNet.
        flow: F.
        classes: scores a place.
        channels: of the features.
    """

    def __init__(self, backbone: ResNet, flow: nn.Module | None, *, classes: int = 19, channels: int = 1024) -> None:
        super().__init__()
        self.backbone = backbone
        self.flow = flow
        self.classes = classes
        self.reduce = nn.Conv2d(backbone.channels, channels, 3, padding=FEATURE_DILATION, dilation=FEATURE_DILATION)
        self.score = nn.Conv2d(channels, classes, 1)

    def features(self, image: Tensor) -> Tensor:
        """N_feat: pictures less their mean `[N, 3, H, W]` to `[N, channels, ceil(H/16), ceil(W/16)]`."""
        return F.relu(self.reduce(self.backbone(image)), inplace=True)

    def classify(self, features: Tensor) -> Tensor:
        """N_task: scores `[N, classes, h, w]`."""
        scores: Tensor = self.score(features)
        return scores
