"""The bundled detector's network: the reference outputs, its grids, its distances."""

import numpy as np
import pytest
import torch

from dffcli.files.network_file import bundled_folder, load_network
from dffcli.models.coco_det.build import rebuild
from dffcli.models.coco_det.model import KIND, input_tensor
from dffcli.models.coco_det.network import (
    BINS,
    STRIDES,
    CocoDetector,
    boxes_from_distances,
    cell_centres,
    mean_distances,
)
from tests.shared import WEIGHTS, needs_shared

START = WEIGHTS


def reference_picture(height: int, width: int) -> np.ndarray:
    """The picture the reference outputs are of, RGB."""
    y, x = np.mgrid[:height, :width]
    blue = np.clip(128 + 100 * np.sin(x / 17) * np.cos(y / 23), 0, 255)
    return np.stack([(7 * x + 3 * y) % 256, (x * y // 5) % 256, blue], -1).astype(np.uint8)


def network_as_published() -> CocoDetector:
    file = load_network(bundled_folder() / "coco-det.safetensors", kinds=(KIND,))
    return rebuild(file, source="coco-det.safetensors").eval()


@needs_shared
@pytest.mark.parametrize(("height", "width"), [(416, 416), (288, 512)])
def test_the_reference_outputs_hold_to_half_precision(height: int, width: int) -> None:
    golden = np.load(START / "nanodet-g-golden.npz")
    picture = input_tensor(torch.from_numpy(reference_picture(height, width))[None])
    with torch.no_grad():
        outputs = network_as_published()(picture)
    for stride, answers in zip(STRIDES, outputs, strict=True):
        found = torch.cat(answers, 1)[0, :, ::4, ::4].numpy()
        wanted = golden[f"{height}x{width}/stride{stride}"].astype(np.float32)
        # both sides are rounded to 11 bits; values reach 9
        np.testing.assert_allclose(found, wanted, atol=6e-3)


def test_grids_span_the_input_at_every_stride() -> None:
    maps = CocoDetector(classes=3).eval().dense_maps(torch.zeros(1, 3, 64, 96))
    assert [tuple(values.shape) for values in maps] == [(1, 7, 64 // s, 96 // s) for s in STRIDES]


def test_certain_distances_are_read_as_their_bin() -> None:
    logits = torch.full((1, 4 * BINS, 1, 1), -30.0)
    for side, distance in enumerate((0, 3, 7, BINS - 1)):
        logits[0, side * BINS + distance] = 30.0
    assert mean_distances(logits).flatten().tolist() == pytest.approx([0, 3, 7, BINS - 1], abs=1e-4)


def test_distances_from_a_centre_give_back_the_box() -> None:
    centres = cell_centres(2, 3, 8)
    assert centres[4].tolist() == [12, 12]
    assert boxes_from_distances(centres[4], torch.tensor([1.0, 2.0, 3.0, 4.0])).tolist() == [11, 10, 15, 16]
