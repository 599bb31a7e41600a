"""mmtracking's Faster R-CNN and FlowNetSimple, against arrays that mmtracking itself computed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dffcli.core.types import Detections, Float32Array, FlowField, Frame, PreparedImage
from dffcli.core.warp import warp
from dffcli.models.paper.build import build_network, wrap
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.checkpoints import load_parameters
from dffcli.models.paper.faster_rcnn import FasterRcnnNetwork
from dffcli.models.paper.models import FasterRcnnModel, PlainFlowEstimator
from dffcli.models.paper.prepare import MMTRACKING, InputRule
from dffcli.models.registry import BuiltModel
from tests.models.paper.golden import NEEDS_GOLDEN, outputs, recipe, shapes

pytestmark = [NEEDS_GOLDEN, pytest.mark.slow]
NAME = "dff-faster-rcnn-resnet50-dc5"
RELATIVE = 1e-3  # of the largest value; what is measured is about 5e-6
SEED = 3


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuiltModel, FasterRcnnNetwork]:
    """The model, filled from a checkpoint as mmtracking writes them."""
    path: Path = tmp_path_factory.mktemp("mmtracking") / "checkpoint.pth"
    parameter = recipe().mmtracking_parameter
    state = {
        name: torch.from_numpy(np.asarray(parameter(name, shape, SEED)))
        for name, shape in shapes("mmtracking-dff-r50").items()
    }
    torch.save({"meta": {"mmtrack_version": "0.14.0", "CLASSES": ("airplane",)}, "state_dict": state}, path)
    with torch.device("meta"):
        network = build_network(NETWORKS[NAME])
    match = load_parameters(network, path, name=NAME)
    path.unlink()
    assert match.is_complete
    assert isinstance(network, FasterRcnnNetwork)
    network.requires_grad_(False)
    return wrap(NAME, network, device="cpu", weights_description="recipe", is_random=False), network


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return outputs("mmtracking-dff-r50-seed3-170x230")


@pytest.fixture(scope="module")
def images(reference: dict[str, Any]) -> tuple[PreparedImage, PreparedImage]:
    """Key and current frame at their own size: the reference did not resize."""
    rule = InputRule(170, 230, MMTRACKING.mean, MMTRACKING.std, pad_to=16, rounds_half_up=True)
    frames = (Frame(index, reference[name], Fraction(index)) for index, name in enumerate(("key_frame", "cur_frame")))
    key, current = (rule.prepare(frame, device="cpu") for frame in frames)
    assert key.padded_size == (176, 240)
    return key, current


def close(found: Float32Array, wanted: Float32Array) -> bool:
    return bool(found.shape == wanted.shape and np.abs(found - wanted).max() <= RELATIVE * np.abs(wanted).max())


def field_of(built: BuiltModel, images: tuple[PreparedImage, PreparedImage]) -> FlowField:
    assert built.flow is not None
    with torch.inference_mode():
        return built.flow.estimate(*images)


def test_features_are_those_of_mmtracking(
    loaded: tuple[BuiltModel, Any], images: tuple[PreparedImage, PreparedImage], reference: dict[str, Any]
) -> None:
    with torch.inference_mode():
        (features,) = loaded[0].model.features(images[0])
    assert close(features.numpy(), reference["key/feats"])


def test_flow_is_that_of_mmtracking(
    loaded: tuple[BuiltModel, Any], images: tuple[PreparedImage, PreparedImage], reference: dict[str, Any]
) -> None:
    field = field_of(loaded[0], images)
    full = F.interpolate(field.displacement, scale_factor=8.0, mode="bilinear") * 8
    assert close(full.numpy(), reference["cur/flow"])


def test_warped_features_are_those_of_mmtracking(
    loaded: tuple[BuiltModel, Any], images: tuple[PreparedImage, PreparedImage], reference: dict[str, Any]
) -> None:
    with torch.inference_mode():
        (warped,) = warp(loaded[0].model.features(images[0]), field_of(loaded[0], images))
    assert close(warped.numpy(), reference["cur/feats"])


@pytest.mark.parametrize("side", ["key", "cur"])
def test_all_300_proposals_are_those_of_mmtracking(
    side: str,
    loaded: tuple[BuiltModel, FasterRcnnNetwork],
    reference: dict[str, Any],
) -> None:
    with torch.inference_mode():
        proposals = loaded[1].propose(torch.from_numpy(reference[f"{side}/feats"]), size=(170, 230))
    agree = np.abs(proposals.numpy() - reference[f"{side}/proposals"][:, :4]).max(1) <= 0.01  # pixels
    assert agree.sum() == 300


@pytest.mark.parametrize("side", ["key", "cur"])
def test_all_100_detections_are_those_of_mmtracking(
    side: str,
    loaded: tuple[BuiltModel, Any],
    images: tuple[PreparedImage, PreparedImage],
    reference: dict[str, Any],
) -> None:
    model = loaded[0].model
    with torch.inference_mode():
        features = model.features(images[0])
        if side == "cur":
            features = warp(features, field_of(loaded[0], images))
        prediction = model.head(features, images[side == "cur"], is_key=side == "key")
    assert isinstance(prediction, Detections)
    wanted = reference[f"{side}/detections"]
    assert len(prediction) == len(wanted) == 100
    np.testing.assert_allclose(prediction.boxes, wanted[:, :4], atol=0.01)  # pixels
    np.testing.assert_allclose(prediction.scores, wanted[:, 4], rtol=RELATIVE)
    np.testing.assert_array_equal(prediction.category_ids, wanted[:, 5] + 1)  # classes count from 0 there


def test_the_corrected_rule_reads_elsewhere_but_only_where_the_flow_says(
    loaded: tuple[BuiltModel, FasterRcnnNetwork], images: tuple[PreparedImage, PreparedImage]
) -> None:
    built, network = loaded
    assert isinstance(built.model, FasterRcnnModel)
    assert network.flow is not None
    exact = PlainFlowEstimator(network.flow, grid="exact")  # type: ignore[arg-type]
    field = exact.estimate(*images)
    still = FlowField(torch.zeros_like(field.displacement), grid="exact")
    with torch.inference_mode():
        features = built.model.features(images[0])
        (held,) = warp(features, still)
        (shrunk,) = warp(features, FlowField(still.displacement, grid="mmtracking"))
    torch.testing.assert_close(held, features[0])
    assert (shrunk - features[0]).abs().max() > 1
