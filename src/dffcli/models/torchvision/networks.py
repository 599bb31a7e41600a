"""Torchvision's networks by name, with their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from dffcli.categories import Category
from dffcli.core.types import Frame
from dffcli.files.state_dict import fill
from dffcli.models.registry import Weights
from dffcli.models.torchvision.own_classes import class_count, own_categories
from dffcli.models.weights.checkpoints import open_checkpoint
from dffcli.models.weights.class_names import Names, names_beside
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
        categories: what it names, where its weights are somebody's own; None for torchvision's.
    """

    network: nn.Module
    weights_description: str
    is_random: bool
    categories: tuple[Category, ...] | None = None


def load_network(
    name: str,
    *,
    weights: Weights,
    class_names: Names = (),
    ignore: Callable[[str], bool] = lambda name: False,
    **options: Any,
) -> LoadedNetwork:
    """Build a torchvision network and fill it; no backbone weights are ever downloaded.

    Args:
        name: torchvision's name.
        weights: which ones.
        class_names: of the classes of own weights; if empty, as the checkpoint or a file beside it says.
        ignore: names in a checkpoint that are of no use at inference.
        options: for torchvision's builder.

    Raises:
        WeightsError: the weights are missing, broken, or another network's, or the names are more or fewer than its
            classes.
    """
    own = open_checkpoint(weights) if isinstance(weights, Path) else None
    count = None if own is None else class_count(own.state)
    if count is not None:
        options["num_classes"] = count
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        network: nn.Module = get_model(name, weights=None, weights_backbone=None, **options)
    network.eval().requires_grad_(False)
    if weights == "random":
        return LoadedNetwork(network, f"random weights, seed {RANDOM_SEED}", True)
    categories = None
    if isinstance(weights, Path) and own is not None:
        path, description = weights, str(weights)
        if count is not None:
            names = class_names or own.class_names or names_beside(path)[0]
            categories = own_categories(name, count, names, source=str(path))
    else:
        enum = get_model_weights(name).DEFAULT
        path = fetch(enum.url, model=name)
        own, description = open_checkpoint(path), f"torchvision {type(enum).__name__}.{enum.name} ({path.name})"
    fill(network, own.state, source=str(path), ignore=ignore)
    if name in EXACT_NORM:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
    return LoadedNetwork(network, description, False, categories)


def picture_tensor(frame: Frame) -> Tensor:
    """A frame's picture as `[3, H, W]` uint8, without a copy where its memory allows."""
    image = frame.image if frame.image.flags.writeable else np.array(frame.image)
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
