"""Torchvision's networks by name, with their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from dffcli.core.types import Frame
from dffcli.files.state_dict import fill
from dffcli.models.registry import Weights
from dffcli.models.weights.checkpoints import read_checkpoint
from dffcli.models.weights.downloads import fetch

RANDOM_SEED = 0
EXACT_NORM = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn")
"""Trained with a batch norm that adds nothing to the variance; torchvision sets that when it loads their weights."""


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A torchvision network in evaluation mode.

    Attributes:
        network: torchvision's own module.
        weights_description: which weights it holds, for reports.
        is_random: its weights are random.
    """

    network: nn.Module
    weights_description: str
    is_random: bool


def load_network(
    name: str, *, weights: Weights, ignore: Callable[[str], bool] = lambda name: False, **options: Any
) -> LoadedNetwork:
    """Build a torchvision network and fill it; no backbone weights are ever downloaded.

    Args:
        name: torchvision's name.
        weights: which ones.
        ignore: names in a checkpoint that are of no use at inference.
        options: for torchvision's builder.

    Raises:
        WeightsError: the weights are missing, broken, or another network's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        network: nn.Module = get_model(name, weights=None, weights_backbone=None, **options)
    network.eval().requires_grad_(False)
    if weights == "random":
        return LoadedNetwork(network, f"random weights, seed {RANDOM_SEED}", True)
    if weights == "default":
        enum = get_model_weights(name).DEFAULT
        path = fetch(enum.url, model=name)
        description = f"torchvision {type(enum).__name__}.{enum.name} ({path.name})"
    else:
        path, description = weights, str(weights)
    fill(network, read_checkpoint(path), source=str(path), ignore=ignore)
    if name in EXACT_NORM:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
    return LoadedNetwork(network, description, False)


def picture_tensor(frame: Frame) -> Tensor:
    """A frame's picture as `[3, H, W]` uint8, without a copy where its memory allows."""
    image = frame.image if frame.image.flags.writeable else np.array(frame.image)
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
