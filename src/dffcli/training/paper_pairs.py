"""What the paper's networks learn from: a labelled frame and a frame some way before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dffcli.core.types import FlowField
from dffcli.core.warp import warp
from dffcli.models.paper.flownet import FeatureFlow, PlainFlow
from dffcli.models.paper.prepare import FLOW_PICTURE_MEAN, IMAGENET_MEAN, IMAGENET_STD

MAX_OFFSET = 9  # frames that the key lies before the labelled frame at most, for an interval of 10


@dataclass(frozen=True, slots=True)
class FramePair:
    """Files of a labelled frame and of its key.

    Attributes:
        current: the labelled frame.
        key: the frame whose features are carried; the same file where there is no video.
        is_still: there is no video: features are learned from as they are, and nothing is carried.
    """

    current: Path
    key: Path
    is_still: bool


def draw_pair(
    current: Path, earlier: tuple[Path, ...], *, is_video: bool, max_offset: int, rng: np.random.Generator
) -> FramePair:
    """A key drawn evenly from the labelled frame itself and the `max_offset` frames before it.

    Args:
        current: the labelled frame.
        earlier: the frames before it, nearest first; an offset beyond them becomes the first frame of the video.
        is_video: False for stills.
        max_offset: frames.
        rng: the source of chance.
    """
    offset = int(rng.integers(0, max_offset + 1))
    if not is_video:
        return FramePair(current, current, True)
    offset = min(offset, len(earlier))
    return FramePair(current, current if offset == 0 else earlier[offset - 1], False)


def carried_features(network: nn.Module, current: Tensor, key: Tensor, *, is_still: bool) -> Tensor:
    """The labelled frame's features as they are at inference on a propagated frame, differentiable throughout.

    Args:
        network: one of the paper's networks, with its flow network.
        current: the labelled frame's input, `[1, 3, H, W]`.
        key: the key's input, of the same shape.
        is_still: take the features as they are: the flow network learns nothing from a still.
    """
    features: Tensor = network.features(key)  # type: ignore[operator]
    flow = network.flow
    if is_still or flow is None:
        return features
    if isinstance(flow, PlainFlow):
        field = FlowField(flow(flow_picture(current), flow_picture(key)), grid="mmtracking")
    elif isinstance(flow, FeatureFlow):
        displacement, scale = flow(current, key)
        field = FlowField(displacement, scale_map=scale, padding="zeros")
    else:
        raise TypeError(f"expected a flow network of the paper, got {type(flow).__name__}")
    return warp((features,), field)[0]


def flow_picture(values: Tensor) -> Tensor:
    """What mmtracking's flow network takes, from a normalised picture."""
    mean, std, less = (values.new_tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD, FLOW_PICTURE_MEAN))
    return (values * std + mean) / 255 - less


def freeze_as_released(network: nn.Module, *, fixes_start: bool = True) -> None:
    """Fix what the released training fixes: the first two stages of the ResNet, and the scale field's bias at 1.

    Args:
        network: one of the paper's.
        fixes_start: False where the ResNet was not trained before: random stages are not worth keeping.
    """
    backbone = network.backbone
    for part in (backbone.conv1, backbone.bn1, backbone.layer1):  # type: ignore[union-attr]
        for parameter in part.parameters():  # type: ignore[union-attr]
            parameter.requires_grad_(not fixes_start)
    flow = network.flow
    if isinstance(flow, FeatureFlow) and flow.scale.bias is not None:
        flow.scale.bias.requires_grad_(False)


def flipped(values: Tensor) -> Tensor:
    """Mirrored left to right."""
    return torch.flip(values, dims=(-1,))
