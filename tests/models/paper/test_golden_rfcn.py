"""The released R-FCN and FlowNet, against arrays that MXNet itself computed with the same parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dffcli.core.types import FlowField
from dffcli.core.warp import warp
from dffcli.models.folding import fold_batch_norms
from dffcli.models.paper.build import build_network
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.checkpoints import Match, Origin, load_parameters
from dffcli.models.paper.flownet import FLOW_UNIT
from dffcli.models.paper.proposals import objectness
from dffcli.models.paper.rfcn import Recogniser, RfcnNetwork
from tests.models.paper.golden import NEEDS_GOLDEN, outputs, recipe, shapes
from tests.models.paper.mxnet_writer import write_params

pytestmark = [NEEDS_GOLDEN, pytest.mark.slow]
RELATIVE = 1e-3  # of the largest value; what is measured is about 2e-6
SEED = 1
SIZE = (160, 224)
MEAN = (103.06, 115.90, 123.15)  # as the reference run had them, in the order of the channels


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[RfcnNetwork, Match]:
    """The network, filled from a real `.params` file of 580 arrays."""
    path = tmp_path_factory.mktemp("mxnet") / "rfcn_dff_flownet_vid-0000.params"
    listed, parameter = shapes("mxnet-dff-rfcn"), recipe().mxnet_parameter
    write_params(path, ((name, parameter(name[4:], shape, SEED)) for name, shape in listed.items()), count=len(listed))
    with torch.device("meta"):
        network = build_network(NETWORKS["dff-rfcn-resnet101"])
    match = load_parameters(network, path, name="dff-rfcn-resnet101")
    path.unlink()  # 400 MB that nobody needs on disk
    assert isinstance(network, RfcnNetwork)
    fold_batch_norms(network)
    network.requires_grad_(False)
    return network, match


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return outputs("mxnet-dff-rfcn-seed1-160x224")


@pytest.fixture(scope="module")
def found(loaded: tuple[RfcnNetwork, Match], reference: dict[str, Any]) -> dict[str, Tensor]:
    """Everything the reference has, computed here."""
    network, _ = loaded
    key, current = (
        (torch.from_numpy(reference[name]).float() - torch.tensor(MEAN).view(3, 1, 1))[None]
        for name in ("key_frame", "cur_frame")
    )
    arrays: dict[str, Tensor] = {}
    with torch.inference_mode():
        features = network.features(key)
        displacement, scale = network.flow(current, key)
        field = FlowField(displacement, padding="zeros")
        (warped,) = warp((features,), field)
        (carried,) = warp((features,), FlowField(displacement, scale_map=scale, padding="zeros"))
        arrays |= {"key/conv_feat": features, "cur/warping_feat": warped}
        arrays |= {"cur/Convolution5": displacement / FLOW_UNIT, "cur/Convolution5_scale": scale}
        for side, maps in (("key", features), ("cur", carried)):
            half = maps.shape[1] // 2
            first, second = maps[:, :half], maps[:, half:]
            h, w = maps.shape[2:]
            probability = objectness(network.rpn_score(first)).view(h, w, 9).permute(2, 0, 1)
            arrays[f"{side}/rpn_cls_prob_reshape"] = torch.cat((1 - probability, probability))[None]
            arrays[f"{side}/rpn_bbox_pred"] = network.rpn_delta(first)
            arrays[f"{side}/rfcn_cls"] = network.class_maps(second)
            arrays[f"{side}/rfcn_bbox"] = network.box_maps(second)
            arrays[f"{side}/rois"] = network.propose(maps, size=SIZE)
            recognised = Recogniser(network).recognise(maps, arrays[f"{side}/rois"])
            arrays[f"{side}/cls_prob"] = recognised.probabilities[None]
            arrays[f"{side}/bbox_pred"] = recognised.deltas[None]
    return arrays


def test_every_array_of_the_file_is_used(loaded: tuple[RfcnNetwork, Match]) -> None:
    _, match = loaded
    assert match.origin is Origin.MXNET
    assert match.is_complete
    filled = [name for name in match.state if not name.endswith("num_batches_tracked")]
    assert len(filled) == len(shapes("mxnet-dff-rfcn"))


@pytest.mark.parametrize(
    "name",
    [
        "key/conv_feat",
        "cur/Convolution5",
        "cur/Convolution5_scale",
        "cur/warping_feat",
        *(f"{side}/{head}" for side in ("key", "cur") for head in ("rpn_cls_prob_reshape", "rpn_bbox_pred")),
        *(f"{side}/{head}" for side in ("key", "cur") for head in ("rfcn_cls", "rfcn_bbox", "cls_prob")),
    ],
)
def test_arrays_are_those_of_mxnet(name: str, found: dict[str, Tensor], reference: dict[str, Any]) -> None:
    wanted = reference[name]
    assert tuple(found[name].shape) == wanted.shape
    difference = np.abs(found[name].numpy() - wanted).max()
    assert difference <= RELATIVE * np.abs(wanted).max()


@pytest.mark.parametrize("side", ["key", "cur"])
def test_moves_of_boxes_are_those_of_mxnet(side: str, found: dict[str, Tensor], reference: dict[str, Any]) -> None:
    wanted = reference[f"{side}/bbox_pred"][..., 4:]  # the first four are the background's, which nothing uses
    assert np.abs(found[f"{side}/bbox_pred"].numpy() - wanted).max() <= RELATIVE * np.abs(wanted).max()


@pytest.mark.parametrize("side", ["key", "cur"])
def test_all_300_proposals_are_those_of_mxnet(side: str, found: dict[str, Tensor], reference: dict[str, Any]) -> None:
    wanted = reference[f"{side}/rois"][:, 1:]
    agree = np.abs(found[f"{side}/rois"].numpy() - wanted).max(1) <= 0.01  # pixels
    assert agree.sum() == 300
