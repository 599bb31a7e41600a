"""How near the paper's networks come to what MXNet and mmtracking computed with the same parameters.

Needs the reference outputs (golden/ beside the data folder). Every parameter is made again from its name, written to a
`.params` file or a checkpoint as the originals write them, and read by dff's own readers.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))
from common import parser, save, table
from dffcli.core.types import FlowField, Frame
from dffcli.core.warp import warp
from dffcli.models.paper import faster_rcnn
from dffcli.models.paper.build import build_network
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.checkpoints import load_parameters
from dffcli.models.paper.faster_rcnn import FasterRcnnNetwork
from dffcli.models.paper.flownet import FLOW_UNIT, FeatureFlow, PlainFlow
from dffcli.models.paper.models import PlainFlowEstimator
from dffcli.models.paper.prepare import MMTRACKING, InputRule
from dffcli.models.paper.proposals import objectness
from dffcli.models.paper.rfcn import Recogniser, RfcnNetwork
from tests.models.paper.golden import FOLDER, outputs, recipe, shapes
from tests.models.paper.mxnet_writer import write_params

Row = list[str]


def difference(name: str, found: Tensor, wanted: NDArray[np.float32]) -> Row:
    """Largest difference of an array, relative to its largest value."""
    if tuple(found.shape) != wanted.shape:
        return [name, f"shape {tuple(found.shape)}, expected {wanted.shape}"]
    return [name, f"{np.abs(found.numpy() - wanted).max() / np.abs(wanted).max():.1e}"]


def agreeing(name: str, found: Tensor, wanted: NDArray[np.float32]) -> Row:
    """How many boxes agree to 0.01 pixel, row by row."""
    agree = np.abs(found.numpy() - wanted[: len(found)]).max(1) <= 0.01
    return [name, f"{agree.sum()} of {len(wanted)} to 0.01 px"]


def released(folder: Path) -> list[Row]:
    """The R-FCN and FlowNet that MXNet ran."""
    listed, parameter = shapes("mxnet-dff-rfcn"), recipe().mxnet_parameter
    path = folder / "released.params"
    write_params(path, ((name, parameter(name[4:], shape, 1)) for name, shape in listed.items()), count=len(listed))
    with torch.device("meta"):
        network = build_network(NETWORKS["dff-rfcn-resnet101"])
    load_parameters(network, path, name="dff-rfcn-resnet101")
    if not isinstance(network, RfcnNetwork) or not isinstance(network.flow, FeatureFlow):
        raise TypeError("expected the released detector")
    wanted = outputs("mxnet-dff-rfcn-seed1-160x224")
    mean = torch.tensor((103.06, 115.90, 123.15)).view(3, 1, 1)
    key, current = (torch.from_numpy(wanted[name]).float().sub(mean)[None] for name in ("key_frame", "cur_frame"))
    features = network.features(key)
    displacement, scale = network.flow(current, key)
    (warped,) = warp((features,), FlowField(displacement, padding="zeros"))
    rows = [
        difference("features", features, wanted["key/conv_feat"]),
        difference("flow", displacement / FLOW_UNIT, wanted["cur/Convolution5"]),
        difference("scale field", scale, wanted["cur/Convolution5_scale"]),
        difference("warped features", warped, wanted["cur/warping_feat"]),
    ]
    for side, maps in (("key", features), ("cur", warped * scale)):
        first, second = maps.chunk(2, dim=1)
        probability = objectness(network.rpn_score(first)).view(*maps.shape[2:], -1).permute(2, 0, 1)[None]
        rois = network.propose(maps, size=(160, 224))
        recognised = Recogniser(network).recognise(maps, rois)
        rows += [
            difference(f"{side} objectness", probability, wanted[f"{side}/rpn_cls_prob_reshape"][:, 9:]),
            difference(f"{side} proposal moves", network.rpn_delta(first), wanted[f"{side}/rpn_bbox_pred"]),
            agreeing(f"{side} proposals", rois, wanted[f"{side}/rois"][:, 1:]),
            difference(f"{side} class maps", network.class_maps(second), wanted[f"{side}/rfcn_cls"]),
            difference(f"{side} box maps", network.box_maps(second), wanted[f"{side}/rfcn_bbox"]),
            difference(f"{side} class probabilities", recognised.probabilities, wanted[f"{side}/cls_prob"][0]),
            difference(f"{side} box moves", recognised.deltas, wanted[f"{side}/bbox_pred"][0, :, 4:]),
        ]
    return rows


def mmtracking(folder: Path) -> list[Row]:
    """The Faster R-CNN and FlowNetSimple that mmtracking ran."""
    name, parameter = "dff-faster-rcnn-resnet50-dc5", recipe().mmtracking_parameter
    state = {
        key: torch.from_numpy(np.asarray(parameter(key, shape, 3)))
        for key, shape in shapes("mmtracking-dff-r50").items()
    }
    torch.save({"state_dict": state}, folder / "mmtracking.pth")
    with torch.device("meta"):
        network = build_network(NETWORKS[name])
    load_parameters(network, folder / "mmtracking.pth", name=name)
    if not isinstance(network, FasterRcnnNetwork) or not isinstance(network.flow, PlainFlow):
        raise TypeError("expected mmtracking's detector")
    wanted = outputs("mmtracking-dff-r50-seed3-170x230")
    rule = InputRule(170, 230, MMTRACKING.mean, MMTRACKING.std, pad_to=16, rounds_half_up=True)
    key, current = (
        rule.prepare(Frame(0, wanted[one], Fraction(0)), device="cpu") for one in ("key_frame", "cur_frame")
    )
    features = network.features(key.tensor)
    field = PlainFlowEstimator(network.flow).estimate(key, current)
    (warped,) = warp((features,), field)
    full = F.interpolate(field.displacement, scale_factor=8.0, mode="bilinear") * 8
    rows = [
        difference("features", features, wanted["key/feats"]),
        difference("flow", full, wanted["cur/flow"]),
        difference("warped features", warped, wanted["cur/feats"]),
    ]
    for side, maps in (("key", features), ("cur", warped)):
        proposals = network.propose(maps, size=(170, 230))
        boxes, scores, classes = faster_rcnn.final_boxes(
            proposals,
            *network.recognise(maps, proposals),
            size=(170, 230),
            threshold=1e-4,
            overlap=0.5,
            limit=100,
        )
        detections = wanted[f"{side}/detections"]
        same = int((classes.numpy() == detections[:, 5]).sum())
        rows += [
            agreeing(f"{side} proposals", proposals, wanted[f"{side}/proposals"][:, :4]),
            agreeing(f"{side} detections, boxes", boxes, detections[:, :4]),
            difference(f"{side} detections, scores", scores, detections[:, 4]),
            [f"{side} detections, classes", f"{same} of {len(detections)} the same"],
        ]
    return rows


def main() -> None:
    arguments = parser(__doc__)
    arguments.parse_args()
    if not FOLDER.is_dir():
        raise SystemExit("the reference outputs are not here: expected them in golden/ beside the data")
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder, torch.inference_mode():
        parts = []
        for title, rows in (
            ("Released R-FCN ResNet-101 + FlowNet-S, against MXNet 1.9.1", released(Path(folder))),
            (
                "mmtracking's Faster R-CNN ResNet-50-DC5 + FlowNetSimple, against mmtracking 0.14",
                mmtracking(Path(folder)),
            ),
        ):
            parts.append(f"{title}:\n\n{table(['array', 'largest difference, of its largest value'], rows)}")
    save(
        "paper_parity",
        title="The paper's networks beside the originals",
        text="\n\n".join(parts),
        command="python benchmarks/paper_parity.py",
    )


if __name__ == "__main__":
    main()
