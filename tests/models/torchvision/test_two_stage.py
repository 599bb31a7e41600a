"""Torchvision's two-stage detectors in two halves are torchvision's detectors."""

from copy import deepcopy
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from dffcli.categories import COCO
from dffcli.core.types import Frame
from dffcli.models.folding import fold_batch_norms
from dffcli.models.torchvision.two_stage import TwoStageDetector, TwoStageFeatures, build

NAMES = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
)
SMALL: dict[str, Any] = {
    "min_size": 64,
    "max_size": 150,
    "rpn_pre_nms_top_n_test": 60,
    "rpn_post_nms_top_n_test": 40,
    "box_detections_per_img": 12,
}
KNOWN = {category.id for category in COCO}


def a_frame(size: tuple[int, int] = (48, 70), *, seed: int = 1) -> Frame:
    return Frame(0, np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8), Fraction(0))


@cache
def plain(name: str) -> TwoStageDetector:
    """A detector whose random classes and proposals differ enough for some to score and some not."""
    model = build(name, weights="random", fold=False, **SMALL).model
    assert isinstance(model, TwoStageDetector)
    network, image = model._network, model.prepare(a_frame())
    network.rpn.head.cls_logits.weight.div_(model.features(image)[0].std())
    caught: list[torch.Tensor] = []
    hook = network.roi_heads.box_predictor.register_forward_hook(lambda _m, _i, out: caught.append(out[0]))
    model.head(model.features(image), image, is_key=True)
    hook.remove()
    network.roi_heads.box_predictor.cls_score.weight.mul_(2 / caught[0].std())
    return model


def reference(model: TwoStageDetector, frame: Frame) -> dict[str, np.ndarray]:
    with torch.inference_mode():
        found = model._network([torch.from_numpy(frame.image).permute(2, 0, 1).contiguous().float() / 255])[0]
    known = np.array([int(label) in KNOWN for label in found["labels"]], bool)
    return {name: values.numpy()[known] for name, values in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_both_halves_together_are_torchvisions_own_forward(name: str) -> None:
    model, frame = plain(name), a_frame()
    image = model.prepare(frame)
    wanted = reference(model, frame)
    found = model.head(model.features(image), image, is_key=True)
    assert len(found) > 3
    assert np.array_equal(found.boxes, wanted["boxes"])
    assert np.array_equal(found.scores, wanted["scores"])
    assert np.array_equal(found.category_ids, wanted["labels"])
    assert (found.masks is not None) == name.startswith("maskrcnn")
    if found.masks is not None:
        assert np.array_equal(found.masks, wanted["masks"][:, 0] >= 0.5)
        assert found.masks.any()


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn"])
def test_folding_changes_features_by_rounding_only(name: str) -> None:
    model = plain(name)
    image = model.prepare(a_frame())
    network = deepcopy(model._network)
    assert fold_batch_norms(network) == sum(
        isinstance(module, torch.nn.BatchNorm2d) for module in model._network.modules()
    )
    folded = TwoStageFeatures(network)
    with torch.inference_mode():
        for one, other in zip(model.features(image), folded(image.tensor), strict=True):
            assert (one - other).abs().max() <= 1e-4 * max(1.0, float(one.abs().max()))


def test_a_propagated_frame_sees_fewer_proposals_and_makes_no_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    model = plain("fasterrcnn_mobilenet_v3_large_320_fpn")
    features = model.features(model.prepare(a_frame()))
    seen: list[int] = []
    box_head = model._network.roi_heads.box_head
    hook = box_head.register_forward_hook(lambda _module, inputs, _out: seen.append(len(inputs[0])))
    monkeypatch.setattr(model, "propagated_proposals", 7)
    image = model.prepare(a_frame(seed=2))
    model.head(features, image, is_key=False)
    model.head(features, image, is_key=True)
    hook.remove()
    assert seen == [7, 40]
    assert "tensor" not in image.__dict__


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "maskrcnn_resnet50_fpn"])
def test_as_many_proposals_give_the_same_answer_on_a_propagated_frame(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = plain(name)
    image = model.prepare(a_frame())
    features = model.features(image)
    monkeypatch.setattr(model, "propagated_proposals", 40)
    one, other = model.head(features, image, is_key=True), model.head(features, image, is_key=False)
    assert np.allclose(one.boxes, other.boxes, atol=1e-3)
    assert np.allclose(one.scores, other.scores, atol=1e-4)


def test_nothing_found_is_an_empty_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    model = plain("maskrcnn_resnet50_fpn")
    monkeypatch.setattr(model._network.roi_heads, "score_thresh", 1.0)
    image = model.prepare(a_frame())
    found = model.head(model.features(image), image, is_key=True)
    assert len(found) == 0
    assert found.masks is not None
    assert found.masks.shape == (0, 48, 70)


def test_what_scores_enough_does_not_depend_on_the_lowest_score() -> None:
    model = plain("maskrcnn_resnet50_fpn")
    image = model.prepare(a_frame())
    features = model.features(image)
    every = model.head(features, image, is_key=True)
    lowest = float(np.median(every.scores))
    few = model.with_lowest_score(lowest).head(features, image, is_key=True)
    assert 0 < len(few) < len(every)
    assert np.array_equal(few.boxes, every.boxes[every.scores >= lowest])
    assert few.masks is not None
    assert len(few.masks) == len(few)
