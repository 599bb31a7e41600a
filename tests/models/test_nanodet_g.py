"""NanoDet-g's backbone, and the segmenter on it."""

import pytest
import torch

from dffcli.models.nanodet_g import JoinedShape, NanoDetBackbone
from dffcli.models.street.network import StreetSegmenter, with_classes

SMALL = JoinedShape(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 2, 1))


def test_the_maps_hold_both_halves_of_a_stage_and_halve_the_grid_rounding_up() -> None:
    backbone = NanoDetBackbone(SMALL)
    maps = backbone(torch.zeros(1, 3, 72, 100))
    assert [tuple(item.shape[1:]) for item in maps] == [(16, 18, 25), (16, 9, 13), (32, 5, 7), (32, 3, 4)]
    assert backbone.widths == (16, 16, 32, 32)


def test_the_published_network_has_so_many_weights() -> None:
    parameters = sum(parameter.numel() for parameter in NanoDetBackbone().parameters())
    assert parameters == 3_180_256


@pytest.mark.parametrize("size", [(64, 64), (72, 100), (60, 44)])
def test_the_segmenter_answers_at_stride_4_for_any_size(size: tuple[int, int]) -> None:
    module = StreetSegmenter(classes=5, shape=SMALL, width=8, out_width=8).eval()
    with torch.inference_mode():
        features = module.features(torch.randn(1, 3, *size))
        assert features.shape == (1, 8, size[0] // 4, size[1] // 4)


def test_other_classes_keep_the_backbone() -> None:
    module = StreetSegmenter(classes=5, shape=SMALL, width=8, out_width=8).eval()
    other = with_classes(module, 7).eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert other(picture)[0].shape[1] == 7
        assert torch.equal(other.features(picture), module.features(picture))
