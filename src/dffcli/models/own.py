"""A model of one's own: two functions and a list of classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from dffcli.categories import Category, bright_color
from dffcli.core.task import Task
from dffcli.core.types import Detections, Features, Frame, Prediction, PreparedImage, SegmentationMap, check_features
from dffcli.errors import ModelError, ShapeError
from dffcli.models.label_map import upsample_argmax


class Model:
    """A network of one's own, split where its features can be warped.

    `features` is the expensive part and runs on key frames; `head` is the cheap part and runs on every frame. The
    picture that `features` is given is RGB, `[1, 3, h, w]` float32, 0..1 before `mean` and `std`, its sides padded with
    zeros to a multiple of `stride`. What `head` gives:

        segment    scores of every class, `[1, K, h, w]` on any grid that spans the picture; or a `SegmentationMap`
        detect     boxes `[N, 4]` as x1, y1, x2, y2 in pixels of the picture, scores `[N]` and places in the list of
                   classes `[N]`; or `Detections`

    Attributes:
        name: in outputs and reports.
        task: what it answers.
        categories: what it can name; a class's id is its place in the list, unless it is a `Category` with an id.
        carries_objects: the detections of key frames are carried themselves, and not the maps they are read from.
    """

    def __init__(
        self,
        *,
        features: Callable[[Tensor], Tensor | Sequence[Tensor]],
        head: Callable[[Features], Any],
        classes: Sequence[str | Category],
        task: str = "segment",
        name: str = "own",
        long_side: int | None = None,
        stride: int = 32,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        device: str = "cpu",
        carries_objects: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            features: N_feat, from a picture to one or more maps `[1, C, h, w]`.
            head: N_task, from the maps to an answer.
            classes: names, or categories.
            task: `segment` or `detect`.
            name: in outputs and reports.
            long_side: longer side of the picture the network sees; that of the frame if None.
            stride: the sides of that picture are multiples of it.
            mean: of its channels.
            std: of its channels.
            device: where the picture is put.
            carries_objects: as the attribute.

        Raises:
            ModelError: there is no class, or no such task.
        """
        if task not in tuple(Task):
            raise ModelError(f"{name}: expected the task to be one of {', '.join(Task)}, got {task!r}")
        if not classes:
            raise ModelError(f"{name}: expected at least one class, got none")
        self.name = name
        self.task = Task(task)
        self.categories = tuple(
            one if isinstance(one, Category) else Category(place, one, bright_color(place))
            for place, one in enumerate(classes)
        )
        self.carries_objects = carries_objects
        self._features, self._head = features, head
        self._long_side, self._stride, self._device = long_side, stride, device
        self._mean, self._std = (np.array(values, np.float32) for values in (mean, std))
        self._ids = np.array([category.id for category in self.categories], np.int64)

    def prepare(self, frame: Frame) -> PreparedImage:
        """The frame at the network's size."""
        scale = 1.0 if self._long_side is None else self._long_side / max(frame.size)
        content = tuple(max(1, round(side * scale)) for side in frame.size)
        padded = tuple(-(-side // self._stride) * self._stride for side in content)
        h, w = content

        def make_tensor() -> Tensor:
            picture = cv2.resize(frame.image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            values = np.zeros((*padded, 3), np.float32)
            values[:h, :w] = (picture.astype(np.float32) / 255 - self._mean) / self._std
            return torch.from_numpy(values).permute(2, 0, 1)[None].to(self._device)  # [1, 3, *padded]

        return PreparedImage(frame, (h, w), (padded[0], padded[1]), make_tensor)

    @torch.inference_mode()
    def features(self, image: PreparedImage) -> Features:
        """N_feat."""
        found = self._features(image.tensor)
        maps = (found,) if isinstance(found, Tensor) else tuple(found)
        check_features(maps)
        return maps

    @torch.inference_mode()
    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Prediction:
        """N_task, its answer brought to frame pixels.

        Raises:
            ShapeError: the function gave something else.
        """
        found = self._head(features)
        if isinstance(found, Detections | SegmentationMap):
            return found
        return self._map(found, image) if self.task is Task.SEGMENT else self._boxes(found, image)

    def _map(self, found: Any, image: PreparedImage) -> SegmentationMap:
        wanted = len(self.categories)
        if not isinstance(found, Tensor) or found.ndim != 4 or found.shape[:2] != (1, wanted):
            kind = f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise ShapeError(f"{self.name}: head: expected scores [1, {wanted}, h, w] or a SegmentationMap, got {kind}")
        places = upsample_argmax(
            found[0].float().contiguous().cpu().numpy(),
            image.frame.size,
            content_size=image.content_size,
            padded_size=image.padded_size,
        )
        return SegmentationMap(self._ids.astype(np.uint8)[places])

    def _boxes(self, found: Any, image: PreparedImage) -> Detections:
        try:
            boxes, scores, places = (np.asarray(torch.as_tensor(part).detach().cpu()) for part in found)
        except (TypeError, ValueError) as error:
            raise ShapeError(
                f"{self.name}: head: expected boxes [N, 4], scores [N] and classes [N], or Detections, "
                f"got a {type(found).__name__}"
            ) from error
        boxes = boxes.reshape(-1, 4).astype(np.float32)
        (h, w), (content_h, content_w) = image.frame.size, image.content_size
        boxes *= np.array([w / content_w, h / content_h] * 2, np.float32)
        boxes = boxes.clip(0, np.array([w, h] * 2, np.float32))
        if places.size and not 0 <= places.min() <= places.max() < len(self.categories):
            raise ShapeError(
                f"{self.name}: head: expected classes from 0 to {len(self.categories) - 1}, "
                f"got {places.min():g} to {places.max():g}"
            )
        order = np.argsort(-scores, kind="stable")
        return Detections(boxes[order], scores[order].astype(np.float32), self._ids[places.astype(np.int64)[order]])
