"""The bundled networks' body and the street segmenter."""

import pytest
import torch

from dffcli.models.street.network import StreetBackbone, StreetSegmenter, StreetShape, fold_norms, with_classes

SMALL = StreetShape(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 2, 1))


def small_segmenter() -> StreetSegmenter:
    torch.manual_seed(0)
    module = StreetSegmenter(classes=5, shape=SMALL, width=8, out_width=8)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.uniform_(part.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
    return module.eval()


def test_backbone_halves_the_grid_four_times_rounding_up() -> None:
    maps = StreetBackbone(SMALL)(torch.zeros(1, 3, 72, 100))
    assert [tuple(item.shape[1:]) for item in maps] == [(8, 18, 25), (8, 9, 13), (16, 5, 7), (16, 3, 4)]


@pytest.mark.parametrize("size", [(64, 64), (72, 100), (60, 44)])
def test_features_then_classifier_is_the_whole_network(size: tuple[int, int]) -> None:
    module = small_segmenter()
    picture = torch.randn(1, 3, *size)
    with torch.inference_mode():
        features = module.features(picture)
        assert features.shape == (1, 8, size[0] // 4, size[1] // 4)
        torch.testing.assert_close(module.classify(features), module(picture)[0], rtol=0, atol=0)


def test_folding_the_norms_changes_nothing_but_rounding() -> None:
    module = small_segmenter()
    picture = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        before = module(picture)
        folded = fold_norms(module)
        assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
        for old, new in zip(before, folded(picture), strict=True):
            torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-4)


def test_other_classes_keep_everything_but_the_classifiers() -> None:
    module = small_segmenter()
    other = with_classes(module, 7).eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert other(picture)[0].shape[1] == 7
        assert torch.equal(other.features(picture), module.features(picture))
    assert with_classes(module, 5) is module


def test_backbone_is_small_enough_to_bundle_twice() -> None:
    parameters = sum(parameter.numel() for parameter in StreetBackbone().parameters())
    assert 2 * parameters < 8e6  # bytes in half precision
