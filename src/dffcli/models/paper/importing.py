"""Bring the weights of others into one safetensors file under this network's names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from dffcli.errors import ModelError, WeightsError
from dffcli.files.network_file import write_tensors
from dffcli.files.state_dict import check_finite
from dffcli.models.paper.build import build_network
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.checkpoints import (
    COUNTERS,
    Match,
    Pixels,
    State,
    TrainedFacts,
    match_parameters,
    read_parameters,
)
from dffcli.models.registry import find_entry
from dffcli.models.weights.downloads import file_digest


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found in one or more files for a network.

    Attributes:
        model: whose weights these are.
        state: by the network's own names.
        matches: what each file gave, in order.
        missing: parameters that no file had.
    """

    model: str
    state: State
    matches: tuple[tuple[Path, Match], ...]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the network can run on it; else it is a start for training."""
        return not self.missing


def import_weights(paths: Sequence[Path], *, model: str, pixels: Pixels = "torchvision") -> Imported:
    """Read files of any origin; where two have the same parameter, the later one counts.

    Args:
        paths: MXNet `.params`, PyTorch or safetensors files: a whole network, or its parts (a ResNet, a flow network).
        model: as `dff models` lists it.
        pixels: what a lone ResNet was trained on.

    Raises:
        ModelError: the model takes its checkpoints as they are.
        WeightsError: a file is unusable, or has nothing that this network could use.
    """
    if model not in NETWORKS:
        find_entry(model)
        raise ModelError(f"{model}: takes its checkpoints as they are (--weights); {', '.join(NETWORKS)} import them")
    with torch.device("meta"):
        network = build_network(NETWORKS[model])
    state: State = {}
    matches = []
    for path in paths:
        match = match_parameters(network, read_parameters(path), pixels=pixels)
        usable = {name: tensor for name, tensor in match.state.items() if not name.endswith(COUNTERS)}
        if not usable:
            raise WeightsError(f"{path}: nothing in it is part of {model} ({match.origin} names): {match.complaint()}")
        check_finite(usable, source=str(path))
        state |= usable
        matches.append((path, match))
    missing = tuple(name for name in network.state_dict() if name not in state and not name.endswith(COUNTERS))
    return Imported(model, state, tuple(matches), missing)


def save_imported(imported: Imported, path: Path) -> None:
    """Write what was imported, complete or not at all, with where it came from.

    Raises:
        OutputError: it cannot be written.
    """
    sources = [{"file": source.name, "sha256": file_digest(source)} for source, _ in imported.matches]
    metadata = {"model": imported.model, "complete": str(imported.is_complete).lower(), "sources": json.dumps(sources)}
    write_tensors(path, {name: tensor.contiguous() for name, tensor in imported.state.items()}, metadata=metadata)


def save_trained(network: nn.Module, path: Path, *, model: str, steps: int, facts: TrainedFacts) -> None:
    """Write a trained network under its own names, with what it tells apart, complete or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    metadata = {"model": model, "complete": "true", "sources": json.dumps([{"trained": f"{steps} steps"}])}
    metadata |= facts.to_metadata()
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(COUNTERS)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_tensors(path, tensors, metadata=metadata)
