"""The paper's models keep the engine's promises: frame coordinates, fields on the right grid, one result a frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from dffcli.categories import CATEGORY_SETS
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Detections, Frame, SegmentationMap
from dffcli.core.warp import warp
from dffcli.models.paper.build import PaperModule, build_flow_network, build_network, wrap
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.flownet import FeatureFlow
from dffcli.models.paper.prepare import CITYSCAPES, MMTRACKING, VID
from dffcli.models.registry import BuiltModel, build_model, model_entries
from tests.models.paper.tiny import pictures, tiny_deeplab, tiny_faster_rcnn, tiny_flow, tiny_rfcn


def frames(count: int, size: tuple[int, int]) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [Frame(i, rng.integers(0, 256, (*size, 3), dtype=np.uint8), Fraction(i, 25)) for i in range(count)]


def built(name: str, network: PaperModule) -> BuiltModel:
    return wrap(name, network, device="cpu", weights_description="random", is_random=True)


TINY = {
    "dff-rfcn-resnet101": lambda: tiny_rfcn(classes=30),
    "dff-faster-rcnn-resnet50-dc5": lambda: tiny_faster_rcnn(classes=30),
    "dff-deeplab-resnet101": lambda: tiny_deeplab(classes=19),
}


@pytest.mark.parametrize("name", list(TINY))
@pytest.mark.parametrize("size", [(90, 160), (75, 61), (8, 200)])
@pytest.mark.parametrize("two_sided", [False, True])
def test_every_frame_gets_a_result_in_its_own_coordinates(name: str, size: tuple[int, int], two_sided: bool) -> None:
    ready = built(name, TINY[name]())
    assert ready.flow is not None
    engine = Engine(ready.model, ready.flow, FixedInterval(2), two_sided)
    results = list(engine.run(frames(3, size)))
    assert [result.is_key for result in results] == [True, False, True]
    for result in results:
        if isinstance(result.prediction, SegmentationMap):
            assert result.prediction.category_ids.shape == size
        else:
            assert isinstance(result.prediction, Detections)
            boxes = result.prediction.boxes
            assert boxes.min(initial=0) >= 0
            assert (boxes <= [size[1], size[0], size[1], size[0]]).all()
            assert set(result.prediction.category_ids) <= set(range(1, 31))
            assert (np.diff(result.prediction.scores) <= 0).all()


@pytest.mark.parametrize("name", list(TINY))
def test_at_interval_1_nothing_is_carried(name: str) -> None:
    ready = built(name, TINY[name]())
    assert ready.flow is not None
    given = frames(2, (60, 80))
    results = list(Engine(ready.model, ready.flow, FixedInterval(1)).run(given))
    with torch.inference_mode():
        image = ready.model.prepare(given[1])
        alone = ready.model.head(ready.model.features(image), image, is_key=True)
    for field in ("boxes", "scores", "category_ids"):
        if hasattr(alone, field):
            np.testing.assert_array_equal(getattr(results[1].prediction, field), getattr(alone, field))


def test_a_fresh_scale_field_is_one_and_changes_nothing() -> None:
    network = tiny_rfcn()
    assert isinstance(network.flow, FeatureFlow)
    current, key = pictures(2, (70, 90)).split(1)
    displacement, scale = network.flow(current, key)
    features = network.features(current)
    assert displacement.shape == (1, 2, *features.shape[2:])
    assert scale.shape == features.shape
    torch.testing.assert_close(scale, torch.ones_like(scale))


def test_the_scale_field_multiplies_what_was_warped() -> None:
    ready = built("dff-rfcn-resnet101", tiny_rfcn(classes=30))
    assert ready.flow is not None
    first, second = (ready.model.prepare(frame) for frame in frames(2, (60, 80)))
    with torch.inference_mode():
        field = ready.flow.estimate(first, second)
        features = ready.model.features(first)
        assert field.scale_map is not None
        assert field.padding == "zeros"
        object.__setattr__(field, "scale_map", field.scale_map * 2)
        (doubled,) = warp(features, field)
        object.__setattr__(field, "scale_map", None)
        (plain,) = warp(features, field)
    torch.testing.assert_close(doubled, plain * 2)


@pytest.mark.parametrize("size", [(64, 64), (65, 130), (33, 200)])
def test_flow_fits_the_features_of_any_input(size: tuple[int, int]) -> None:
    current, key = pictures(2, size).split(1)
    displacement, scale = tiny_flow()(current, key)
    wanted = tuple(-(-side // 16) for side in size)
    assert displacement.shape[2:] == scale.shape[2:] == wanted


def test_smaller_flow_networks_cost_about_what_the_paper_says() -> None:
    def parameters_of_encoder(name: str) -> int:
        with torch.device("meta"):
            network = build_flow_network(name)  # type: ignore[arg-type]
        return sum(parameter.numel() for parameter in network.encoder.parameters())

    full = parameters_of_encoder("flownet-s")
    assert parameters_of_encoder("flownet-half") == pytest.approx(full / 4, rel=0.02)
    assert parameters_of_encoder("flownet-inception") < full / 8


@pytest.mark.parametrize(
    ("size", "content"),
    [((480, 640), (600, 800)), ((360, 640), (562, 1000)), ((720, 1280), (562, 1000)), ((600, 600), (600, 600))],
)
def test_detectors_see_a_short_side_of_600_unless_the_long_one_passes_1000(
    size: tuple[int, int], content: tuple[int, int]
) -> None:
    assert VID.content_size(size) == content
    prepared = MMTRACKING.prepare(Frame(0, np.zeros((*size, 3), np.uint8), Fraction(0)), device="cpu")
    assert prepared.padded_size[0] % 16 == prepared.padded_size[1] % 16 == 0
    assert prepared.content_size[0] - content[0] in (0, 1)  # 562.5 goes up there, to even here


def test_segmenters_see_cityscapes_as_it_is() -> None:
    assert CITYSCAPES.content_size((1024, 2048)) == (1024, 2048)


def test_padding_is_zero_after_normalising() -> None:
    prepared = MMTRACKING.prepare(Frame(0, np.full((598, 597, 3), 200, np.uint8), Fraction(0)), device="cpu")
    h, w = prepared.content_size
    assert prepared.tensor[..., h:, :].abs().sum() == 0
    assert prepared.tensor[..., w:].abs().sum() == 0
    assert prepared.tensor[..., :h, :w].abs().min() > 0


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_catalogued_network_can_be_built_and_has_its_categories(name: str) -> None:
    entry = model_entries()[name]
    with torch.device("meta"):
        network = build_network(NETWORKS[name])
    classes = len(CATEGORY_SETS[entry.category_set])
    assert network.classes == classes


@pytest.mark.slow
def test_random_weights_run_and_say_so() -> None:
    ready = build_model("dff-deeplab-resnet50", weights="random")
    assert ready.is_random
    assert ready.weights_description == "random"
