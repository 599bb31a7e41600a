"""Entries of the registry: the paper's own networks, and mmtracking's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dffcli.core.task import Task
from dffcli.models.registry import ModelEntry

Kind = Literal["rfcn", "deeplab", "faster-rcnn"]
FlowName = Literal["flownet-s", "flownet-half", "flownet-quarter", "flownet-inception", "flownet-simple"]
Depth = Literal[26, 50, 101]
MMTRACKING_FILES = "https://download.openmmlab.com/mmtracking/vid/dff/"


@dataclass(frozen=True, slots=True)
class PaperNetwork:
    """What a name stands for.

    Attributes:
        kind: the recognition network.
        depth: of its ResNet.
        flow: the flow network trained with it; None in the per-frame baseline.
        grid: the rule by which flow is read; mmtracking's weights were trained with its own.
        address: where its weights can be had by anybody; None where they cannot.
        width: of its ResNet's first stage.
        channels: of the features, in the paper's own two kinds.
    """

    kind: Kind
    depth: Depth
    flow: FlowName | None
    grid: Literal["exact", "mmtracking"] = "exact"
    address: str | None = None
    width: int = 64
    channels: int = 1024


def _mmtracking(depth: Literal[50, 101], grid: Literal["exact", "mmtracking"]) -> PaperNetwork:
    run = f"dff_faster_rcnn_r{depth}_dc5_1x_imagenetvid"
    stamp = {50: "20201227_213250-548911a4", 101: "20201218_172720-ad732e17"}[depth]
    return PaperNetwork("faster-rcnn", depth, "flownet-simple", grid, f"{MMTRACKING_FILES}{run}/{run}_{stamp}.pth")


NETWORKS: dict[str, PaperNetwork] = {
    "dff-rfcn-resnet101": PaperNetwork("rfcn", 101, "flownet-s"),
    "rfcn-resnet101": PaperNetwork("rfcn", 101, None),
    "dff-rfcn-resnet101-half": PaperNetwork("rfcn", 101, "flownet-half"),
    "dff-rfcn-resnet101-inception": PaperNetwork("rfcn", 101, "flownet-inception"),
    "dff-rfcn-resnet50": PaperNetwork("rfcn", 50, "flownet-s"),
    "dff-faster-rcnn-resnet50-dc5": _mmtracking(50, "mmtracking"),
    "dff-faster-rcnn-resnet101-dc5": _mmtracking(101, "mmtracking"),
    "dff-faster-rcnn-resnet50-dc5-exact": _mmtracking(50, "exact"),
    "dff-faster-rcnn-resnet101-dc5-exact": _mmtracking(101, "exact"),
    "dff-deeplab-resnet101": PaperNetwork("deeplab", 101, "flownet-s"),
    "dff-deeplab-resnet101-half": PaperNetwork("deeplab", 101, "flownet-half"),
    "dff-deeplab-resnet101-inception": PaperNetwork("deeplab", 101, "flownet-inception"),
    "dff-deeplab-resnet50": PaperNetwork("deeplab", 50, "flownet-s"),
    "dff-rfcn-small": PaperNetwork("rfcn", 26, "flownet-quarter", width=16, channels=128),
    "dff-deeplab-small": PaperNetwork("deeplab", 26, "flownet-quarter", width=16, channels=128),
}
"""Every name and what it stands for."""

_SPLIT_POINTS = {
    "rfcn": "after the {} channels of feat_conv_3x3 (stride 16); the task network is 1x1 convolutions and pooling",
    "deeplab": "after the {} channels before the classifier (stride 16); the task network is a 1x1 convolution",
    "faster-rcnn": "after the 512 channels of the neck (stride 16); the task network is the RPN and the box head",
}
_RELEASED = {
    "dff-rfcn-resnet101": "rfcn_dff_flownet_vid-0000.params",
    "rfcn-resnet101": "rfcn_vid-0000.params",
}
"""Files of the authors' release (linked from github.com/msracver/Deep-Feature-Flow), by the model they belong to."""


_ACCURACY = {
    "dff-rfcn-resnet101": "73.0 mAP on ImageNet VID at a key interval of 10",
    "rfcn-resnet101": "74.1 mAP on ImageNet VID, every frame in full",
    "dff-faster-rcnn-resnet50-dc5": "70.3 AP50 on ImageNet VID at a key interval of 10",
    "dff-faster-rcnn-resnet101-dc5": "73.5 AP50 on ImageNet VID at a key interval of 10",
}
"""As published by those who trained the weights."""


def _entry(name: str, network: PaperNetwork) -> ModelEntry:
    source, license_text = "none published: train it (docs/paper-networks.md)", "yours"
    weights_file = f"{name}.safetensors"
    if name in _RELEASED:
        source = f"the authors' {_RELEASED[name]} (github.com/msracver/Deep-Feature-Flow), by `dff weights import`"
        license_text = "as the authors say (code MIT); trained on ImageNet VID and DET (research)"
    elif network.address is not None:
        source = "mmtracking's, downloaded when first used"
        weights_file = network.address.rsplit("/", 1)[-1]
        license_text = "Apache-2.0 (mmtracking); trained on ImageNet VID and DET (research)"
    return ModelEntry(
        name=name,
        task=Task.SEGMENT if network.kind == "deeplab" else Task.DETECT,
        builder="dffcli.models.paper.build:build",
        category_set="cityscapes" if network.kind == "deeplab" else "imagenet-vid",
        split_point=_SPLIT_POINTS[network.kind].format(network.channels),
        weights_source=source,
        weights_file=weights_file,
        weights_bytes=0,
        license=license_text,
        weights_url=network.address,
        accuracy=_ACCURACY.get(name, ""),
        takes_runtimes=False,
    )


ENTRIES: tuple[ModelEntry, ...] = tuple(_entry(name, network) for name, network in NETWORKS.items())
