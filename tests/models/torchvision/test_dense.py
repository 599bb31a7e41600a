"""Torchvision's one-stage detectors in two halves are torchvision's detectors."""

from copy import deepcopy
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from dffcli.categories import COCO
from dffcli.core.types import Detections, Frame
from dffcli.errors import ShapeError
from dffcli.models.folding import fold_batch_norms
from dffcli.models.torchvision.dense import DenseDetector, build
from dffcli.models.torchvision.input import input_sizes

SMALL: dict[str, Any] = {"min_size": 64, "max_size": 150}
OPTIONS: dict[str, dict[str, Any]] = {
    "retinanet_resnet50_fpn": SMALL,
    "retinanet_resnet50_fpn_v2": SMALL,
    "fcos_resnet50_fpn": SMALL,
    "ssd300_vgg16": {},
    "ssdlite320_mobilenet_v3_large": {},
}
LOGIT_SPREAD = 1.5
KNOWN = {category.id for category in COCO}


def a_frame(size: tuple[int, int] = (48, 70), *, seed: int = 1) -> Frame:
    return Frame(0, np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8), Fraction(0))


@cache
def plain(name: str) -> DenseDetector:
    """A detector whose random classes differ enough for some to pass the threshold and some not."""
    model = build(name, weights="random", fold=False, **OPTIONS[name]).model
    assert isinstance(model, DenseDetector)
    head = model._network.head.classification_head
    levels = [head.cls_logits] if hasattr(head, "cls_logits") else head.module_list
    for level, logits in zip(levels, model.features(model.prepare(a_frame()))[:: model._maps_per_level], strict=False):
        last = [module for module in level.modules() if isinstance(module, torch.nn.Conv2d)][-1]
        last.weight.mul_(LOGIT_SPREAD / logits.std())
    return model


def expected(model: DenseDetector, frame: Frame) -> dict[str, np.ndarray]:
    with torch.inference_mode():
        found = model._network([torch.from_numpy(frame.image).permute(2, 0, 1).contiguous().float() / 255])[0]
    known = np.array([int(label) in KNOWN for label in found["labels"]], bool)
    return {name: values.numpy()[known] for name, values in found.items()}


@pytest.mark.parametrize("name", OPTIONS)
def test_both_halves_together_are_torchvisions_own_forward(name: str) -> None:
    model, frame = plain(name), a_frame()
    image = model.prepare(frame)
    assert tuple(image.tensor.shape) == (1, 3, *image.padded_size)
    wanted = expected(model, frame)
    found = model.head(model.features(image), image, is_key=True)
    assert len(found) > 5
    assert np.array_equal(found.boxes, wanted["boxes"])
    assert np.array_equal(found.scores, wanted["scores"])
    assert np.array_equal(found.category_ids, wanted["labels"])
    assert (found.boxes[:, 2] <= frame.size[1]).all()
    assert (found.boxes[:, 3] <= frame.size[0]).all()


@pytest.mark.parametrize("name", OPTIONS)
def test_folding_changes_features_by_rounding_only(name: str) -> None:
    model = plain(name)
    image = model.prepare(a_frame())
    network = deepcopy(model._network)
    count = fold_batch_norms(network)
    assert count == sum(isinstance(module, torch.nn.BatchNorm2d) for module in model._network.modules())
    folded = type(model.feature_network)(network)
    with torch.inference_mode():
        for one, other in zip(model.features(image), folded(image.tensor), strict=True):
            assert (one - other).abs().max() <= 1e-4 * max(1.0, float(one.abs().max()))


@pytest.mark.parametrize("size", [(360, 640), (48, 70), (71, 33), (1080, 1920), (200, 1000)])
def test_the_input_is_as_large_as_torchvisions(size: tuple[int, int]) -> None:
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    transform = GeneralizedRCNNTransform(800, 1333, [0.5] * 3, [0.5] * 3).eval()
    images, _ = transform([torch.zeros(3, *size)])
    content, padded = input_sizes(size, transform)
    assert images.image_sizes == [content]
    assert tuple(images.tensors.shape[2:]) == padded


def test_nothing_found_is_an_empty_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    model = plain("ssdlite320_mobilenet_v3_large")
    image = model.prepare(a_frame())
    features = tuple(level.mul(0) for level in model.features(image))  # every class is as likely as any other
    monkeypatch.setattr(model._network, "score_thresh", 0.99)
    found = model.head(features, image, is_key=True)
    assert len(found) == 0
    assert isinstance(found, Detections)
    assert found.boxes.shape == (0, 4)


def test_a_propagated_frame_never_makes_its_tensor() -> None:
    model = plain("ssdlite320_mobilenet_v3_large")
    features = model.features(model.prepare(a_frame()))
    image = model.prepare(a_frame(seed=2))
    model.head(features, image, is_key=False)
    assert "tensor" not in image.__dict__


def test_another_input_size_gets_its_own_anchors() -> None:
    model = plain("fcos_resnet50_fpn")
    for size in ((48, 70), (70, 48), (60, 60), (48, 72), (40, 90), (48, 70)):
        frame = a_frame(size)
        image = model.prepare(frame)
        found = model.head(model.features(image), image, is_key=True)
        assert np.array_equal(found.boxes, expected(model, frame)["boxes"])


def test_detections_check_their_shape() -> None:
    with pytest.raises(ShapeError):
        Detections(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros(1, np.int64))


@pytest.mark.parametrize("name", ["fcos_resnet50_fpn", "ssdlite320_mobilenet_v3_large"])
def test_what_scores_enough_does_not_depend_on_the_lowest_score(name: str) -> None:
    model = plain(name)
    image = model.prepare(a_frame())
    features = model.features(image)
    every = model.head(features, image, is_key=True)
    lowest = float(np.median(every.scores))
    few = model.with_lowest_score(lowest).head(features, image, is_key=True)
    assert np.array_equal(few.boxes, every.boxes[every.scores >= lowest])
