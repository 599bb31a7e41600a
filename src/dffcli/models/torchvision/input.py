"""Torchvision detectors' input: resized, then padded to a multiple of the coarsest stride."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dffcli.core.types import Frame, PreparedImage
from dffcli.models.torchvision.networks import picture_tensor


def input_sizes(size: tuple[int, int], transform: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """What torchvision's `GeneralizedRCNNTransform` makes of a picture.

    Args:
        size: `(height, width)` of the frame.
        transform: torchvision's transform.

    Returns:
        `(height, width)` of the resized picture and of the padded input.
    """
    if transform.fixed_size is not None:
        width, height = transform.fixed_size
    else:
        scale = min(transform.min_size[-1] / min(size), transform.max_size / max(size))
        height, width = (math.floor(float(side) * scale) for side in size)
    multiple = transform.size_divisible
    padded_height, padded_width = (math.ceil(side / multiple) * multiple for side in (height, width))
    return (height, width), (padded_height, padded_width)


def prepare(frame: Frame, transform: Any, *, device: str) -> PreparedImage:
    """Place a frame on the network's grid; torchvision's transform runs when the tensor is asked for."""
    content_size, padded_size = input_sizes(frame.size, transform)

    def make_tensor() -> Tensor:
        picture = picture_tensor(frame).to(device).contiguous().float().div_(255)  # [3, H, W] in 0..1
        batch: Tensor = transform([picture])[0].tensors  # [1, 3, *padded_size]
        return batch.contiguous(memory_format=torch.channels_last)

    return PreparedImage(frame, content_size, padded_size, make_tensor)
