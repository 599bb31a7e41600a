"""Frames brought to the sizes that these networks were trained on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from dffcli.core.types import Frame, PreparedImage


@dataclass(frozen=True, slots=True)
class InputRule:
    """How a network wants its pictures.

    Attributes:
        short_side: pixels that the short side is brought to.
        long_side: pixels that the long side may have at most; it wins.
        mean: of RGB 0..255, subtracted.
        std: of RGB 0..255, divided by.
        pad_to: sides are padded with zeros to multiples of this.
        rounds_half_up: how sizes are rounded: mmtracking's way, else OpenCV's (halves to even).
    """

    short_side: int
    long_side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad_to: int = 1
    rounds_half_up: bool = False

    def factor(self, size: tuple[int, int]) -> float:
        """How many input pixels a frame pixel of a `(height, width)` frame becomes."""
        factor = self.short_side / min(size)
        if round(factor * max(size)) > self.long_side:
            factor = self.long_side / max(size)
        return factor

    def content_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the resized picture."""
        factor = self.factor(size)
        h, w = (int(side * factor + 0.5) if self.rounds_half_up else round(side * factor) for side in size)
        return max(1, h), max(1, w)

    def prepare(self, frame: Frame, *, device: str) -> PreparedImage:
        """Place a frame on the input grid; the work is done when the tensor is asked for."""
        content = self.content_size(frame.size)
        h, w = (-(-side // self.pad_to) * self.pad_to for side in content)

        def make_tensor() -> Tensor:
            picture = frame.image
            if content != frame.size:
                size_wh = (content[1], content[0])  # OpenCV order
                picture = np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
            values = torch.from_numpy(np.ascontiguousarray(picture)).to(device).permute(2, 0, 1).float()
            values = (values - values.new_tensor(self.mean).view(3, 1, 1)) / values.new_tensor(self.std).view(3, 1, 1)
            padded = torch.nn.functional.pad(values, (0, w - content[1], 0, h - content[0]))
            return padded.unsqueeze(0)

        return PreparedImage(frame, content, (h, w), make_tensor)


MSRA_MEAN = (123.15, 115.90, 103.06)
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
FLOW_PICTURE_MEAN = (0.411, 0.432, 0.450)
"""Of RGB 0..1, subtracted by mmtracking's flow network."""

VID = InputRule(600, 1000, MSRA_MEAN)
"""The paper's for ImageNet VID."""
CITYSCAPES = InputRule(1024, 2048, MSRA_MEAN)
"""The paper's for Cityscapes."""
MMTRACKING = InputRule(600, 1000, IMAGENET_MEAN, IMAGENET_STD, pad_to=16, rounds_half_up=True)
"""mmtracking's for ImageNet VID."""
