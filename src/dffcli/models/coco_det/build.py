"""Building the bundled detector from its file, and writing one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dffcli.categories import COCO, Category
from dffcli.files.network_file import NetworkFile, bundled_file, load_network, save_network
from dffcli.files.state_dict import fill
from dffcli.models.coco_det.model import CALIBRATION, INPUT_SIZE, KIND, CocoDetModel
from dffcli.models.coco_det.network import CocoDetector
from dffcli.models.registry import BuiltModel, Weights


def build(name: str, *, weights: Weights = "default", device: str = "cpu") -> BuiltModel:
    """Build the detector (the registry's builder).

    Raises:
        WeightsError: the weights are missing, broken or another network's.
    """
    if weights == "random":
        network = CocoDetector(classes=len(COCO))
        model = CocoDetModel(network, categories=COCO, name=name, device=device)
        return BuiltModel(model, f"{name} with random weights", is_random=True)
    if weights == "default":
        path, digest = bundled_file(name)
        description = f"bundled {name}, sha256 {digest[:12]}"
    else:
        path, description = weights, f"{name} from {weights.name}"
    file = load_network(path, kinds=(KIND,))
    model = CocoDetModel(
        rebuild(file, source=str(path)),
        categories=file.categories,
        calibration=tuple(file.description["calibration"]),
        input_size=file.description["input_size"],
        name=name,
        device=device,
    )
    return BuiltModel(model, description)


def rebuild(file: NetworkFile, *, source: str) -> CocoDetector:
    """The detector a file describes, with its weights."""
    network = CocoDetector(classes=len(file.categories))
    fill(network, file.tensors, source=source)
    return network


def start_from(path: Path, *, categories: tuple[Category, ...]) -> CocoDetector:
    """A detector to train further for these categories, with the file's weights.

    Categories that the file's network knows by the same name begin with what it knows of them; the others anew.

    Raises:
        WeightsError: the file is not such a detector's.
    """
    file = load_network(path, kinds=(KIND,))
    network = CocoDetector(classes=len(categories))
    known = {category.name.lower(): row for row, category in enumerate(file.categories)}
    pairs = [(row, known.get(category.name.lower())) for row, category in enumerate(categories)]
    tensors = dict(file.tensors)
    for name, mine in network.state_dict().items():
        if name.startswith("pred.") and name in tensors:
            classes = [mine[row] if old is None else tensors[name][old] for row, old in pairs]
            tensors[name] = torch.cat((torch.stack(classes), tensors[name][len(file.categories) :]))
    fill(network, tensors, source=str(path))
    return network


def known_categories(path: Path, *, categories: tuple[Category, ...]) -> set[str]:
    """Names of those of these categories that a detector's file knows.

    Raises:
        WeightsError: the file is not such a detector's.
    """
    known = {category.name.lower() for category in load_network(path, kinds=(KIND,)).categories}
    return {category.name for category in categories if category.name.lower() in known}


def export(
    path: Path,
    network: CocoDetector,
    *,
    categories: tuple[Category, ...],
    calibration: tuple[float, ...] | None = None,
    input_size: int = INPUT_SIZE,
    **facts: Any,
) -> None:
    """Write a detector to a file that `build` takes.

    Args:
        path: a `.safetensors` file.
        network: the network.
        categories: what its classes mean, in their order.
        calibration: for every class the network's own score that is told as 0.5.
        input_size: long side of the pictures it will run on.
        facts: more to keep with it, of JSON's types.
    """
    calibration = calibration or (CALIBRATION,) * len(categories)
    description = {"input_size": input_size, "calibration": list(calibration), **facts}
    save_network(path, network, kind=KIND, categories=categories, description=description)
