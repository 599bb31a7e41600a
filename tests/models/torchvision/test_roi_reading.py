"""RoIAlign on channels-last maps is torchvision's."""

from collections import OrderedDict

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from dffcli.models.torchvision.roi_reading import align


@pytest.mark.parametrize("bins", [7, 14])
@pytest.mark.parametrize("levels", [2, 4])
def test_the_same_numbers_as_torchvisions(bins: int, levels: int) -> None:
    random = torch.Generator().manual_seed(bins + levels)
    sizes = [(24 >> level, 40 >> level) for level in range(levels)]
    pyramid = [torch.randn(1, 5, *size, generator=random) for size in sizes]
    corners = torch.rand(200, 2, 2, generator=random) * torch.tensor([160.0, 96.0])
    boxes = torch.cat((corners.amin(1), corners.amax(1)), 1)
    boxes[:10, 2:] = boxes[:10, :2] + 0.01  # almost nothing
    boxes[10] = torch.tensor([0.0, 0.0, 160.0, 96.0])
    boxes[11] = torch.tensor([150.0, 90.0, 160.0, 96.0])
    pool = MultiScaleRoIAlign([str(level) for level in range(levels)], output_size=bins, sampling_ratio=2)
    wanted = pool(OrderedDict((str(i), level) for i, level in enumerate(pyramid)), [boxes], [(96, 160)])
    scales = [1 / (4 << level) for level in range(levels)]
    found = align([level.to(memory_format=torch.channels_last) for level in pyramid], boxes, scales=scales, bins=bins)
    assert torch.allclose(found, wanted, atol=1e-4)  # positions are rounded in another order
    assert torch.allclose(align(pyramid, boxes[:0], scales=scales, bins=bins), wanted[:0])
