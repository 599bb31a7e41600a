"""Label maps from coarse logits equal torch's interpolation and argmax."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dffcli.errors import ShapeError
from dffcli.models.label_map import upsample_argmax


def smooth_logits(classes: int, h: int, w: int, *, seed: int) -> torch.Tensor:
    coarse = torch.randn(1, classes, max(2, h // 6), max(2, w // 6), generator=torch.Generator().manual_seed(seed))
    noise = 0.02 * torch.randn(1, classes, h, w, generator=torch.Generator().manual_seed(seed + 1))
    return F.interpolate(coarse, (h, w), mode="bicubic") + noise


def clear_winner(full: torch.Tensor) -> np.ndarray:
    """Pixels whose two best classes differ by more than rounding."""
    best = full.double().topk(2, 1).values
    return (best[:, 0] - best[:, 1] > 1e-4)[0].numpy()


@pytest.mark.parametrize("size", [(96, 128), (97, 131), (60, 44), (20, 13), (12, 16), (5, 300)])
@pytest.mark.parametrize("classes", [2, 11, 21])
def test_equals_torch_at_any_size(size: tuple[int, int], classes: int) -> None:
    for seed in range(3):
        logits = smooth_logits(classes, 12, 16, seed=seed)
        full = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        found = upsample_argmax(logits[0].numpy(), size)
        clear = clear_winner(full)
        assert clear.mean() > 0.98
        assert np.array_equal(found[clear], full.argmax(1)[0].numpy()[clear])


def test_equals_torch_where_every_neighbour_disagrees() -> None:
    logits = torch.randn(1, 19, 30, 25, generator=torch.Generator().manual_seed(0))
    full = F.interpolate(logits, (211, 157), mode="bilinear", align_corners=False)
    clear = clear_winner(full)
    assert clear.mean() > 0.99
    assert np.array_equal(upsample_argmax(logits[0].numpy(), (211, 157))[clear], full.argmax(1)[0].numpy()[clear])


def test_padding_is_left_out() -> None:
    logits = smooth_logits(7, 12, 16, seed=4)  # spans 96 x 128, of which 90 x 120 is picture
    full = F.interpolate(logits, scale_factor=16, mode="bilinear", align_corners=False)[:, :, :180, :240]
    found = upsample_argmax(logits[0].numpy(), (180, 240), content_size=(90, 120), padded_size=(96, 128))
    clear = clear_winner(full)
    assert np.array_equal(found[clear], full.argmax(1)[0].numpy()[clear])


def test_one_place_or_one_class_fills_everything() -> None:
    logits = np.zeros((3, 1, 1), np.float32)
    logits[2] = 1
    assert (upsample_argmax(logits, (5, 6)) == 2).all()
    assert (upsample_argmax(np.zeros((1, 4, 4), np.float32), (9, 9)) == 0).all()


def test_a_tie_goes_to_the_first_class() -> None:
    assert (upsample_argmax(np.ones((4, 3, 3), np.float32), (8, 8)) == 0).all()


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected float32 logits"):
        upsample_argmax(np.zeros((3, 4, 4)), (8, 8))
    with pytest.raises(ShapeError, match="or neither"):
        upsample_argmax(np.zeros((3, 4, 4), np.float32), (8, 8), content_size=(4, 4))
