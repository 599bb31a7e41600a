"""Torchvision's segmenters in two halves are torchvision's segmenters."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.models import get_model, get_model_weights

from dffcli.core.types import Frame, SegmentationMap
from dffcli.models.torchvision.segmenters import TorchvisionSegmenter, build, resized

NAMES = (
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "deeplabv3_mobilenet_v3_large",
    "fcn_resnet50",
    "fcn_resnet101",
    "lraspp_mobilenet_v3_large",
)
SHORT_SIDE = 65  # pixels: small, and no multiple of any stride


def a_frame(size: tuple[int, int] = (48, 70)) -> Frame:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    image.flags.writeable = False
    return Frame(0, image, Fraction(0))


def built(name: str, *, fold: bool = True) -> TorchvisionSegmenter:
    model = build(name, weights="random", fold=fold, short_side=SHORT_SIDE).model
    assert isinstance(model, TorchvisionSegmenter)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_both_halves_together_are_torchvisions_own_forward(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = get_model(name, weights=None, weights_backbone=None).eval()
    reference = reference.to(memory_format=torch.channels_last)
    model, folded = built(name, fold=False), built(name)
    image = model.prepare(a_frame())
    size = image.padded_size
    with torch.inference_mode():
        expected = reference(image.tensor)["out"]
        logits = model.features(image)[0]
        assert torch.equal(F.interpolate(logits, size, mode="bilinear", align_corners=False), expected)
        scale = expected.abs().max()
        close = folded.features(image)[0]
        assert (F.interpolate(close, size, mode="bilinear", align_corners=False) - expected).abs().max() < 1e-4 * scale
        answer = model.head(model.features(image), image, is_key=True)
    assert isinstance(answer, SegmentationMap)
    at_frame = F.interpolate(logits, image.frame.size, mode="bilinear", align_corners=False)
    best = at_frame.topk(2, 1).values[0]
    is_clear = (best[0] - best[1] > 1e-4 * scale).numpy()
    assert is_clear.mean() > 0.95
    assert np.array_equal(answer.category_ids[is_clear], at_frame.argmax(1)[0].numpy()[is_clear])


@pytest.mark.parametrize("size", [(360, 640), (48, 70), (71, 33), (50, 50), (1, 9)])
def test_the_size_is_torchvisions(size: tuple[int, int]) -> None:
    transforms = get_model_weights("fcn_resnet50").DEFAULT.transforms()
    assert tuple(transforms(torch.zeros(3, *size, dtype=torch.uint8)).shape[1:]) == resized(size, short_side=520)


def test_a_propagated_frame_never_makes_its_tensor() -> None:
    model = built("lraspp_mobilenet_v3_large")
    features = model.features(model.prepare(a_frame()))
    image = model.prepare(a_frame())
    model.head(features, image, is_key=False)
    assert "tensor" not in image.__dict__


def test_random_weights_are_the_same_every_time() -> None:
    one, other = built("lraspp_mobilenet_v3_large"), built("lraspp_mobilenet_v3_large")
    image = one.prepare(a_frame())
    assert torch.equal(one.features(image)[0], other.features(image)[0])
