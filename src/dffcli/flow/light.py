"""A light flow network of our own: a shared encoder, three coarse-to-fine corrections, and the paper's scale field.

It answers on a grey picture of at most `LONG_SIDE` pixels. At strides 16, 8 and 4 of it, the key's features are read
where the field so far points, compared with the current ones over a small window, and a few convolutions correct the
field. The key frame is encoded once; a guess from the neighbouring frame takes the place of the zero field it would
start from.
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.core.types import FlowField, PreparedImage
from dffcli.core.warp import resize_displacement, sampling_grid
from dffcli.flow.grey import grey_picture

LONG_SIDE = 256  # pixels
STRIDE = 16  # of the coarsest level, pixels
RADIUS = (3, 3, 2)  # of the window of comparison at strides 16, 8 and 4, in pixels there
SLOPE = 0.1  # of the rectifier below zero


def _conv(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE, inplace=True))


class LightFlowNet(nn.Module):
    """F with its scale head.

    Args:
        scale_channels: channels of the scale field, those of the features it is to multiply; 0 for none.
    """

    def __init__(self, *, scale_channels: int = 0) -> None:
        super().__init__()
        self.scale_channels = scale_channels
        self.encoder = nn.ModuleList(
            (
                nn.Sequential(_conv(1, 16, stride=2), _conv(16, 32, stride=2)),  # stride 4
                nn.Sequential(_conv(32, 48, stride=2), _conv(48, 48)),  # stride 8
                nn.Sequential(_conv(48, 64, stride=2), _conv(64, 64)),  # stride 16
            )
        )
        self.correct = nn.ModuleList()
        for channels, radius, (wide, narrow) in zip((64, 48, 32), RADIUS, ((64, 48), (48, 32), (32, 24)), strict=True):
            inputs = channels + (2 * radius + 1) ** 2 + 2
            self.correct.append(nn.Sequential(_conv(inputs, wide), _conv(wide, narrow)))
        self.vectors = nn.ModuleList(nn.Conv2d(narrow, 2, 3, padding=1) for narrow in (48, 32, 24))
        for head in self.vectors:
            nn.init.normal_(cast(nn.Conv2d, head).weight, std=1e-3)
            nn.init.zeros_(cast(Tensor, cast(nn.Conv2d, head).bias))
        self.scale = nn.Conv2d(24, scale_channels, 1) if scale_channels else None
        if self.scale is not None:
            nn.init.zeros_(self.scale.weight)
            nn.init.ones_(cast(Tensor, self.scale.bias))

    def encode(self, picture: Tensor) -> list[Tensor]:
        """A grey picture `[N, 1, h, w]` in -1..1 to its maps at strides 16, 8 and 4."""
        maps: list[Tensor] = []
        for stage in self.encoder:
            picture = stage(picture)
            maps.insert(0, F.normalize(picture, dim=1) * picture.shape[1] ** 0.5)
        return maps

    def forward(
        self, key: list[Tensor], current: list[Tensor], guess: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor | None]:
        """Fields and scale from what `encode` gave.

        Args:
            key: maps of the key frame.
            current: maps of the current frame.
            guess: a field to start from, `[N, 2, h', w']` in pixels of its grid.

        Returns:
            Displacements current -> key at strides 16, 8 and 4, each in pixels of its own grid `[N, 2, h, w]`, and the
            scale field at stride 4 `[N, scale_channels, h, w]`.
        """
        n, _, h, w = current[0].shape
        field = current[0].new_zeros(n, 2, h, w) if guess is None else resize_displacement(guess, (h, w))
        fields: list[Tensor] = []
        for level, (past, now) in enumerate(zip(key, current, strict=True)):
            field = resize_displacement(field, (now.shape[2], now.shape[3]))
            grid = sampling_grid(field.float()).to(past.dtype)
            carried = F.grid_sample(past, grid, padding_mode="border", align_corners=True)
            likeness = compare(now, carried, radius=RADIUS[level])
            hidden = self.correct[level](torch.cat((F.leaky_relu(likeness, SLOPE), now, field.to(now.dtype)), 1))
            field = field + self.vectors[level](hidden)
            fields.append(field)
        return fields, None if self.scale is None else self.scale(hidden)


def compare(now: Tensor, carried: Tensor, *, radius: int) -> Tensor:
    """Mean product over the channels for every shift of up to `radius`: `[N, C, h, w]` twice to `[N, k * k, h, w]`."""
    h, w = now.shape[2:]
    padded = F.pad(carried, (radius,) * 4)
    shifts = range(2 * radius + 1)
    products = [(now * padded[:, :, dy : dy + h, dx : dx + w]).mean(1) for dy in shifts for dx in shifts]
    return torch.stack(products, 1)


class LightFlow:
    """The light network as an estimator.

    Args:
        network: trained; put into eval mode here.
        device: where it runs.
        name: what it is called in reports.
    """

    def __init__(self, network: LightFlowNet, *, device: str = "cpu", name: str = "light") -> None:
        self.name = name
        self._device = torch.device(device)
        self._network = network.eval().requires_grad_(False).to(self._device)

    @torch.inference_mode()
    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key at stride 4 of the reduced picture."""
        start = None if guess is None else guess.displacement.to(self._device)
        fields, scale = self._network(self._maps(key), self._maps(current), start)
        return FlowField(fields[-1].float().cpu(), scale_map=scale)

    def _maps(self, image: PreparedImage) -> list[Tensor]:
        """What the encoder makes of a picture, made once."""
        slot: tuple[str, int] = ("light", id(self._network))
        if slot not in image.cache:
            image.cache[slot] = self._network.encode(grey_input(image).to(self._device))
        return cast(list[Tensor], image.cache[slot])


def grey_input(image: PreparedImage) -> Tensor:
    """The network's input for a prepared picture: a grid that spans the padded input, `[1, 1, h, w]` in -1..1."""
    grey = grey_picture(image, long_side=LONG_SIDE)
    sides = [max(STRIDE, round(side / STRIDE) * STRIDE) for side in grey.shape]
    return grey_tensor(np.asarray(cv2.resize(grey, (sides[1], sides[0]), interpolation=cv2.INTER_AREA), np.uint8))


def grey_tensor(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """A grey picture `[h, w]` as `[1, 1, h, w]` in -1..1."""
    return torch.from_numpy(grey.astype(np.float32) / 127.5 - 1)[None, None]
