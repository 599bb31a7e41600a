"""Build these networks by name, random or with weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from dffcli.categories import CATEGORY_SETS
from dffcli.errors import ModelError, WeightsError
from dffcli.files.state_dict import check_finite
from dffcli.models.folding import fold_batch_norms
from dffcli.models.paper.catalog import NETWORKS, FlowName, PaperNetwork
from dffcli.models.paper.checkpoints import (
    COUNTERS,
    TrainedFacts,
    load_parameters,
    match_parameters,
    read_parameters,
    trained_facts,
)
from dffcli.models.paper.deeplab import DeeplabNetwork
from dffcli.models.paper.faster_rcnn import FasterRcnnNetwork
from dffcli.models.paper.flow_inception import InceptionEncoder
from dffcli.models.paper.flownet import Decoder, Encoder, FeatureFlow, PlainFlow
from dffcli.models.paper.models import (
    DeeplabModel,
    FasterRcnnModel,
    FeatureFlowEstimator,
    PlainFlowEstimator,
    RfcnModel,
)
from dffcli.models.paper.prepare import CITYSCAPES, VID
from dffcli.models.paper.resnet import BLOCKS, ResNet, StrideOn
from dffcli.models.paper.rfcn import RfcnNetwork
from dffcli.models.registry import BuiltModel, Weights, find_entry
from dffcli.models.weights.downloads import cached_file, fetch, file_digest

RANDOM_SEED = 0
HEAD_DEVIATION = 0.01
BRANCH_GAIN = 0.2  # of what a bottleneck adds to its shortcut, so that many of them do not add up to much
PIXEL_DEVIATION = 60.0  # of pictures less their mean, in grey levels
HEADS = (
    "rpn_score",
    "rpn_delta",
    "class_maps",
    "box_maps",
    "score",
    "class_scores",
    "box_deltas",
    "reduce",
    "rpn_conv",
)

CLASS_LAYERS = ("class_maps.", "score.")
"""What depends on the number of classes, in the two networks that `dff train` trains."""

PaperModule = RfcnNetwork | FasterRcnnNetwork | DeeplabNetwork


def build_flow_network(name: FlowName, *, channels: int = 1024) -> FeatureFlow | PlainFlow:
    """A flow network with torch's initial values, its scale field for features of so many channels."""
    match name:
        case "flownet-simple":
            return PlainFlow()
        case "flownet-s":
            return _feature_flow(Encoder(64), 64, channels)
        case "flownet-half":
            return _feature_flow(Encoder(32), 32, channels)
        case "flownet-quarter":
            return _feature_flow(Encoder(16), 16, channels)
        case "flownet-inception":
            return _feature_flow(InceptionEncoder(64), 16, channels)


def _feature_flow(encoder: Encoder | InceptionEncoder, width: int, channels: int) -> FeatureFlow:
    return FeatureFlow(encoder, Decoder(encoder.channels, width=width), feature_channels=channels)


def build_network(network: PaperNetwork, *, classes: int | None = None) -> PaperModule:
    """A network with torch's initial values, in evaluation mode; for its data set's classes unless told otherwise."""
    stride_on: StrideOn = "3x3" if network.kind == "faster-rcnn" else "1x1"
    backbone = ResNet(BLOCKS[network.depth], width=network.width, stride_on=stride_on)
    flow = None if network.flow is None else build_flow_network(network.flow, channels=network.channels)
    module: PaperModule
    match network.kind:
        case "rfcn":
            module = RfcnNetwork(backbone, flow, classes=classes or 30, channels=network.channels)
        case "faster-rcnn":
            module = FasterRcnnNetwork(backbone, flow)
        case "deeplab":
            module = DeeplabNetwork(backbone, flow, classes=classes or 19, channels=network.channels)
    return module.eval()


@torch.no_grad()
def initialise(module: nn.Module, *, seed: int) -> None:
    """Fill a network with initial values for training, or for timing, where it stands.

    Convolutions keep the size of what passes through them, heads start near zero, the scale field starts at 1.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, part in module.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.reset_parameters()
            if name.endswith("bn3"):
                part.weight.fill_(BRANCH_GAIN)
        elif isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            deviation = (2 / part.weight[0].numel()) ** 0.5
            if isinstance(part, nn.ConvTranspose2d):
                deviation = (2 / (part.weight.shape[0] * 4)) ** 0.5
            elif name in HEADS:
                deviation = HEAD_DEVIATION
            if name == "backbone.conv1":
                deviation /= PIXEL_DEVIATION
            part.weight.normal_(0, deviation, generator=generator)
            if part.bias is not None:
                part.bias.zero_()
    flow = getattr(module, "flow", None)
    if isinstance(flow, FeatureFlow):
        nn.init.zeros_(flow.scale.weight)
        if flow.scale.bias is not None:
            nn.init.ones_(flow.scale.bias)


def new_network(name: str, *, classes: int | None = None, starts: Sequence[Path] = (), seed: int = 0) -> PaperModule:
    """A network to be trained, from random values and, where files are given, from what they hold.

    A start for another number of classes gives everything but the layer that tells them apart.

    Args:
        name: one of `NETWORKS`.
        classes: how many it is to tell apart; its data set's if not given.
        starts: files of any origin, whole or in part; where two have the same parameter, the later one counts.
        seed: of the random values.

    Raises:
        ModelError: there is no such network.
        WeightsError: a file is unusable, or has nothing of this network.
    """
    if name not in NETWORKS:
        find_entry(name)
        raise ModelError(f"{name}: expected one of {', '.join(NETWORKS)}")
    module = build_network(NETWORKS[name], classes=classes)
    initialise(module, seed=seed)
    for path in starts:
        found = match_parameters(module, read_parameters(path), resized=CLASS_LAYERS)
        if found.misshaped or not any(not key.endswith(COUNTERS) for key in found.state):
            raise WeightsError(f"{path}: cannot start {name}: {found.complaint()}")
        check_finite(found.state, source=str(path))
        module.load_state_dict(found.state, strict=False)
    return module


def build(name: str, *, weights: Weights, device: str) -> BuiltModel:
    """Build one of `NETWORKS`, ready to run.

    Raises:
        WeightsError: its weights are not here, broken, or another network's.
    """
    network = NETWORKS[name]
    path = None if weights == "random" else default_file(name) if weights == "default" else weights
    facts = None if path is None else trained_facts(path)
    with torch.device("meta"):
        module = build_network(network, classes=None if facts is None else len(facts.categories))
    if path is None:
        module.to_empty(device="cpu")
        initialise(module, seed=RANDOM_SEED)
        description = "random"
    else:
        load_parameters(module, path, name=name)
        description = f"{path.name}, sha256 {file_digest(path)[:12]}..."
    module.requires_grad_(False)
    module.eval()
    return wrap(
        name, module, device=device, weights_description=description, is_random=weights == "random", facts=facts
    )


def wrap(
    name: str,
    module: PaperModule,
    *,
    device: str,
    weights_description: str,
    is_random: bool,
    facts: TrainedFacts | None = None,
) -> BuiltModel:
    """A filled network as the engine sees it; its batch norms are folded.

    Args:
        name: one of `NETWORKS`.
        module: filled.
        device: where it runs.
        weights_description: for reports.
        is_random: whether the weights are.
        facts: what the file of a network that dff trained says of it; its data set's classes and sizes if not given.
    """
    network = NETWORKS[name]
    categories = CATEGORY_SETS[find_entry(name).category_set] if facts is None else facts.categories
    rule = CITYSCAPES if network.kind == "deeplab" else VID
    if facts is not None:
        rule = replace(rule, short_side=facts.short_side, long_side=facts.long_side)
    fold_batch_norms(module)
    module.to(device)
    for part in (module.backbone, module.reduce):  # a seventh faster on a CPU; the flow network gains nothing
        part.to(memory_format=torch.channels_last)
    estimator: FeatureFlowEstimator | PlainFlowEstimator | None = None
    if isinstance(module.flow, PlainFlow):
        estimator = PlainFlowEstimator(module.flow, grid=network.grid)
    elif isinstance(module.flow, FeatureFlow):
        estimator = FeatureFlowEstimator(network.flow or "", module.flow)
    model: RfcnModel | FasterRcnnModel | DeeplabModel
    match module:
        case RfcnNetwork():
            model = RfcnModel(name, module, categories=categories, device=device, rule=rule)
        case FasterRcnnNetwork():
            model = FasterRcnnModel(name, module, categories=categories, device=device)
        case DeeplabNetwork():
            model = DeeplabModel(name, module, categories=categories, device=device, rule=rule)
    return BuiltModel(model, weights_description, is_random, estimator)


def default_file(name: str) -> Path:
    """The file of a network's own weights, fetched where it has a public address.

    Raises:
        WeightsError: it is not here and cannot be fetched.
    """
    network, entry = NETWORKS[name], find_entry(name)
    if network.address is not None:
        return fetch(network.address, model=name)
    path = cached_file(entry.weights_file or f"{name}.safetensors")
    if not path.is_file():
        raise WeightsError(
            f"{name}: no weights here ({path}); where they come from: {entry.weights_source}; "
            "--weights takes a file, or 'random' to measure time"
        )
    return path
