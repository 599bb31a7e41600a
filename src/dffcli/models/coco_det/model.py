"""The bundled detector behind the `VideoModel` role: from a frame to maps, from maps to boxes in frame pixels."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from dffcli.categories import Category
from dffcli.core.reduce import reduced
from dffcli.core.types import BoxMaps, Detections, Features, Frame, PreparedImage, Task, UInt8Array
from dffcli.models.coco_det.head import DenseHead, HeadSettings
from dffcli.models.coco_det.network import CocoDetector

KIND = "coco-det"
INPUT_SIZE = 576  # long side of the resized picture, pixels
CALIBRATION = 0.35  # the score of its own that is told as 0.5, where a file says nothing
ONE_OR_THE_OTHER = frozenset({"car", "bus", "train", "truck"})
"""Names of classes that are often found on one and the same object."""
MULTIPLE = 32  # the padded input's sides are multiples of it
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_SCALE = (58.395, 57.12, 57.375)  # mean and standard deviation of RGB 0..255 that the network was trained with
PADDING = (124, 116, 104)  # RGB; about 0 to the network


class DetectorFeatures(nn.Module):
    """N_feat of the bundled detector: all of the network."""

    def __init__(self, network: CocoDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Features:
        """`[1, 3, H, W]` to class logits and distances, `[1, classes + 4, h, w]`, at strides 8, 16 and 32."""
        maps = self.network.dense_maps(x)
        return tuple(values.contiguous(memory_format=torch.channels_last) for values in maps)


class CocoDetModel:
    """The bundled detector, its split point after its last convolutions.

    N_feat ends where every cell has its class logits and its distances to the object's left, top, right and bottom:
    `classes + 4` channels at strides 8, 16 and 32. Distances are relative to the cell they are told at, so maps that
    move with their object stay right, and what is left for every frame is to find the best cells and apply NMS.

    Args:
        network: the network.
        categories: what its classes mean, in their order.
        calibration: for every class the network's own score that is told as 0.5, see `DenseHead`.
        input_size: long side of the resized picture, in pixels.
        name: the name `--model` takes.
        device: where it runs.
        settings: how boxes are read from the maps.

    Attributes:
        lowest_score: detections that score less are not asked for, and no work is spent on them.
    """

    def __init__(
        self,
        network: CocoDetector,
        *,
        categories: tuple[Category, ...],
        calibration: tuple[float, ...] | None = None,
        input_size: int = INPUT_SIZE,
        name: str = KIND,
        device: str = "cpu",
        settings: HeadSettings | None = None,
    ) -> None:
        network.requires_grad_(False).eval()
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.feature_network: Callable[[Tensor], Features] = DetectorFeatures(network)
        self._name = name
        self._device = torch.device(device)
        self._categories = categories
        self._category_ids = np.array([category.id for category in categories], np.int64)
        self.input_size = input_size
        self.lowest_score = 0.0
        calibration = calibration or (CALIBRATION,) * len(categories)
        excluding = np.array([category.name in ONE_OR_THE_OTHER for category in categories], np.bool_)
        self._read = DenseHead(calibration, settings=settings or HeadSettings(), excluding=excluding, device=device)

    @property
    def name(self) -> str:
        """The name `--model` takes."""
        return self._name

    @property
    def task(self) -> Task:
        """Boxes."""
        return Task.DETECT

    @property
    def categories(self) -> tuple[Category, ...]:
        """What its classes mean."""
        return self._categories

    @property
    def carries_objects(self) -> bool:
        """Boxes grow with what they show, which maps read cell by cell cannot do."""
        return True

    def with_lowest_score(self, score: float) -> Self:
        """The same model, asked for scores from there on."""
        changed = copy(self)
        changed.lowest_score = score
        return changed

    def prepare(self, frame: Frame) -> PreparedImage:
        """Scale to `input_size` on the long side; pad below and on the right to multiples of 32."""
        scale = self.input_size / max(frame.size)
        content = max(1, round(frame.size[0] * scale)), max(1, round(frame.size[1] * scale))
        padded = content[0] + -content[0] % MULTIPLE, content[1] + -content[1] % MULTIPLE
        return PreparedImage(frame, content, padded, lambda: self._input(frame.image, content, padded))

    def _input(self, image: UInt8Array, content: tuple[int, int], padded: tuple[int, int]) -> Tensor:
        canvas = np.empty((*padded, 3), np.uint8)
        canvas[:] = PADDING
        canvas[: content[0], : content[1]] = reduced(image, content)
        return input_tensor(torch.from_numpy(canvas[None])).to(self._device)

    @torch.inference_mode()
    def features(self, image: PreparedImage) -> Features:
        """N_feat: class logits and ltrb distances in strides, `[1, classes + 4, h, w]`, at strides 8, 16 and 32."""
        return BoxMaps(self.feature_network(image.tensor))

    @torch.inference_mode()
    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Detections:
        """N_task: the best cells' boxes after NMS, in frame pixels."""
        found = self._read(features, lowest_score=self.lowest_score)
        (height, width), (content_height, content_width) = image.frame.size, image.content_size
        boxes = found.boxes * np.tile((width / content_width, height / content_height), 2)
        boxes = np.clip(boxes, 0, (width, height, width, height)).astype(np.float32)
        return Detections(boxes, found.scores, self._category_ids[found.classes])


def input_tensor(images: Tensor) -> Tensor:
    """The network's input `[N, 3, H, W]` float32 from RGB pictures `[N, H, W, 3]` uint8."""
    mean = torch.tensor(PIXEL_MEAN, device=images.device).view(1, 3, 1, 1)
    scale = torch.tensor(PIXEL_SCALE, device=images.device).view(1, 3, 1, 1)
    return images.permute(0, 3, 1, 2).float().sub_(mean).div_(scale)  # channels stay last in memory
