"""Torchvision's weights for the optical flow networks it publishes."""

from __future__ import annotations

from torch import nn
from torchvision.models import get_model_weights

from dffcli.files.state_dict import fill
from dffcli.models.weights.checkpoints import read_checkpoint
from dffcli.models.weights.downloads import fetch


def load_raft(name: str, network: nn.Module) -> None:
    """Fill `raft_small` or `raft_large` with torchvision's weights, from the cache or the network.

    Raises:
        WeightsError: they are not here and cannot be fetched, or are broken.
    """
    path = fetch(get_model_weights(name).DEFAULT.url, model=name)
    fill(network, read_checkpoint(path), source=str(path))
