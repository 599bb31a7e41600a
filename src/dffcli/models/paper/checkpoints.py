"""Weights of these networks from files of four origins: dff's own, MXNet's, mmtracking's and a ResNet's alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from dffcli.categories import Category
from dffcli.errors import WeightsError
from dffcli.files.network_file import read_metadata
from dffcli.files.state_dict import check_finite
from dffcli.models.paper.names import Naming, backbone_name, mmtracking_name, mxnet_name, mxnet_resnet50_name
from dffcli.models.paper.prepare import IMAGENET_STD
from dffcli.models.paper.psroi import BINS
from dffcli.models.paper.rfcn import BOX_DELTA_STD
from dffcli.models.weights.checkpoints import read_checkpoint
from dffcli.models.weights.mxnet_params import is_mxnet_params, read_mxnet_params

SHOWN = 3  # mismatches of each kind that an error lists
COUNTERS = "num_batches_tracked"  # torch's batch norms count; nothing here uses it
BOX_TEST_WEIGHT, BOX_TEST_BIAS = "arg:rfcn_bbox_weight_test", "arg:rfcn_bbox_bias_test"
CLASSIFIERS = ("fc.", "arg:fc1000_")  # of ImageNet, which nothing here needs

State = dict[str, Tensor]
Pixels = Literal["torchvision", "caffe"]
"""What a lone ResNet was trained on: normalised RGB, or BGR less its mean."""


class Origin(StrEnum):
    """Whose names a file uses."""

    DFF = "dff"
    MXNET = "MXNet"
    MMTRACKING = "mmtracking"
    RESNET = "a ResNet alone"


@dataclass(frozen=True, slots=True)
class Match:
    """A file's parameters under the network's own names, and what did not fit.

    Attributes:
        state: what fits.
        origin: whose names the file uses.
        missing: parameters of the network that the file does not have.
        extra: entries of the file that the network has no use for.
        misshaped: entries of another shape, with both shapes.
    """

    state: State
    origin: Origin
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    misshaped: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every parameter of the network was found, and nothing was left over."""
        return not (self.missing or self.extra or self.misshaped)

    def complaint(self) -> str:
        """What did not fit, in a line; the first of each kind."""
        parts = []
        for kind, names in (("missing", self.missing), ("extra", self.extra), ("of another shape", self.misshaped)):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                parts.append(f"{len(names)} {kind}: {', '.join(names[:SHOWN])}{more}")
        return "; ".join(parts)


def read_parameters(path: Path) -> State:
    """The tensors of an MXNet `.params`, a PyTorch or a safetensors file, by the names they have there.

    Raises:
        WeightsError: the file is absent, damaged, or none of these.
    """
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(8)
        if is_mxnet_params(start):
            arrays = read_mxnet_params(path)
            return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}  # the file may change
    return read_checkpoint(path)


def origin_of(found: Mapping[str, Tensor]) -> Origin:
    """Whose names these are."""
    if any(name.startswith(("arg:", "aux:")) for name in found):
        return Origin.MXNET
    if any(name.startswith(("detector.", "motion.")) for name in found):
        return Origin.MMTRACKING
    if "conv1.weight" in found and "layer1.0.conv1.weight" in found:
        return Origin.RESNET
    return Origin.DFF


@dataclass(frozen=True, slots=True)
class TrainedFacts:
    """What the file of a network that `dff train` made says beside its weights.

    Attributes:
        categories: what it tells apart, in order.
        short_side: of the pictures it was trained on, in pixels.
        long_side: that they had at most.
    """

    categories: tuple[Category, ...]
    short_side: int
    long_side: int

    def to_metadata(self) -> dict[str, str]:
        """As a safetensors file keeps them."""
        listed = [{"id": item.id, "name": item.name, "color": list(item.color)} for item in self.categories]
        return {"categories": json.dumps(listed), "input": json.dumps([self.short_side, self.long_side])}


def trained_facts(path: Path) -> TrainedFacts | None:
    """The facts in a safetensors file; None where it has none, or is another kind of file.

    Raises:
        WeightsError: they are broken.
    """
    try:
        metadata = read_metadata(path)
    except (OSError, ValueError, RecursionError):
        return None  # not such a file, which whoever reads the weights will say in full
    if "categories" not in metadata or "input" not in metadata:
        return None
    try:
        listed = json.loads(metadata["categories"])
        categories = tuple(Category(int(one["id"]), str(one["name"]), tuple(one["color"])) for one in listed)
        short_side, long_side = (int(side) for side in json.loads(metadata["input"]))
        if not categories or min(short_side, long_side) < 1:
            raise ValueError(metadata["input"])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: its categories or its input size cannot be read") from error
    return TrainedFacts(categories, short_side, long_side)


def match_parameters(
    network: nn.Module, found: State, *, pixels: Pixels = "torchvision", resized: tuple[str, ...] = ()
) -> Match:
    """Bring a file's parameters under the network's names.

    Args:
        network: as built, on any device, "meta" included.
        found: as `read_parameters` gives them.
        pixels: of a lone ResNet.
        resized: beginnings of names that may have another shape; those are left as they are.
    """
    origin = origin_of(found)
    naming = _naming(origin, found)
    found = dict(found)
    if origin is Origin.MXNET:
        _normalise_box_weights(found)
    state: State = {}
    missing, misshaped, used = [], [], set()
    for name, wanted in network.state_dict().items():
        if name.endswith(COUNTERS):
            state[name] = torch.zeros((), dtype=torch.long)
            continue
        other = naming(name)
        if other is None or other not in found:
            missing.append(name)
            continue
        used.add(other)
        tensor = found[other]
        if tensor.shape != wanted.shape and name.startswith(resized):
            missing.append(name)
            continue
        if tensor.shape != wanted.shape:
            misshaped.append(f"{other} ({list(tensor.shape)}, expected {list(wanted.shape)})")
            continue
        state[name] = tensor.float()
    extra = [name for name in found if name not in used and not name.endswith(COUNTERS)]
    extra = [name for name in extra if not name.startswith(CLASSIFIERS)]
    if origin is Origin.RESNET and "backbone.conv1.weight" in state:
        state["backbone.conv1.weight"] = _first_weights(state["backbone.conv1.weight"], network, pixels)
    return Match(state, origin, tuple(missing), tuple(extra), tuple(misshaped))


def _naming(origin: Origin, found: Mapping[str, Tensor]) -> Naming:
    match origin:
        case Origin.MXNET:
            return mxnet_resnet50_name if "arg:res3b_branch2a_weight" in found else mxnet_name
        case Origin.MMTRACKING:
            return mmtracking_name
        case Origin.RESNET:
            return backbone_name
        case Origin.DFF:
            return lambda name: name


def _normalise_box_weights(found: State) -> None:
    """Use the box weights that the released file keeps for testing, in units of the targets' deviation.

    They were multiplied by the deviation, 49 channels a coordinate and coordinates twice over (background, object).
    """
    weight, bias = found.pop(BOX_TEST_WEIGHT, None), found.pop(BOX_TEST_BIAS, None)
    if weight is None or bias is None:
        return
    deviation = torch.tensor(BOX_DELTA_STD * 2).repeat_interleave(BINS * BINS)  # [392]
    if weight.shape[0] == len(deviation) == bias.shape[0]:
        found["arg:rfcn_bbox_weight"] = weight.float() / deviation.view(-1, 1, 1, 1)
        found["arg:rfcn_bbox_bias"] = bias.float() / deviation


def _first_weights(weight: Tensor, network: nn.Module, pixels: Pixels) -> Tensor:
    """The first convolution brought to the network's input: RGB less its mean (and, in mmtracking, over its std)."""
    takes_normalised = getattr(getattr(network, "backbone", None), "stride_on", "1x1") == "3x3"
    if pixels == "caffe":
        weight = weight.flip(1)  # BGR to RGB
    deviation = weight.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    if pixels == "torchvision" and not takes_normalised:
        return weight / deviation
    if pixels == "caffe" and takes_normalised:
        return weight * deviation
    return weight


def load_parameters(network: nn.Module, path: Path, *, name: str) -> Match:
    """Fill a network from a file that must have all of it.

    Args:
        network: what to fill; may be on the "meta" device.
        path: a file of any origin.
        name: of the model, for the message.

    Raises:
        WeightsError: the file is unusable, of another network, or holds values that are not finite.
    """
    found = match_parameters(network, read_parameters(path))
    if not found.is_complete:
        raise WeightsError(f"{path}: not the weights of {name} ({found.origin} names): {found.complaint()}")
    check_finite(found.state, source=str(path))
    network.load_state_dict(found.state, assign=True)
    return found
