"""A detector learned through the warp it will be used with (section 4 of the paper, its flow not trained).

A labelled frame is answered from the maps of a key frame drawn from those before it, carried along the flow that `dff
detect` would find, chained over the frames between. A picture without frames before it is its own key frame.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.core.protocols import FlowEstimator
from dffcli.core.types import FlowField, Frame, PreparedImage, UInt8Array
from dffcli.core.warp import resize_displacement, sampling_grid
from dffcli.errors import DataError
from dffcli.models.coco_det.model import input_tensor
from dffcli.training.detect import DetectObjective, samples_as_batch
from dffcli.training.detection_augment import Sample
from dffcli.training.objective import Batch


class CarriedDetectObjective:
    """A detector on stills, and on video through the warp.

    Args:
        single: what the detector by itself learns and is measured on.
        flow: leads from the labelled frame to the key; it is not trained.
        max_offset: frames between key and labelled frame at most.
    """

    def __init__(self, single: DetectObjective, *, flow: FlowEstimator, max_offset: int) -> None:
        if max_offset < 1:
            raise DataError(f"largest offset: expected at least 1 frame, got {max_offset}")
        self._single = single
        self._flow = flow
        self.max_offset = max_offset

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._single.module

    def batch(self, step: int, *, seed: int) -> Batch:
        """Labelled pictures, each with its key frame under the same scale, crop, mirror and light."""
        side = self._single.side(step, seed=seed)
        drawn = [self._carried(step, index, side, seed=seed) for index in range(self._single.settings.batch_size)]
        keys, currents, fields = zip(*drawn, strict=True)
        return {"keys": torch.from_numpy(np.stack(keys)), "displacements": fields} | samples_as_batch(currents)

    def _carried(self, step: int, index: int, side: int, *, seed: int) -> tuple[UInt8Array, Sample, Tensor | None]:
        """Key picture, labelled sample and the displacement from it to the key."""
        chance = np.random.default_rng([seed, step, index])
        number = self._single.draw(chance)
        offset = int(chance.integers(0, self.max_offset + 1))
        views = views_alike(self._single, number, offset, side, how=[seed, step, index, 1])
        if len(views) == 1:
            return views[0].image, views[0], None
        images = [_as_prepared(position, view.image) for position, view in enumerate(views)]
        field: FlowField | None = None
        for image in images[1:]:  # each frame's field leads on the next one's
            field = self._flow.estimate(images[0], image, guess=field)
        return views[0].image, views[-1], None if field is None else field.displacement

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The task's losses at the labelled frames."""
        outputs = self._single.module(input_tensor(batch["keys"]))
        return self._single.losses_of(carried_outputs(outputs, batch["displacements"]), batch)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Average precision of the detector on single pictures."""
        return self._single.validate(module)


def views_alike(single: DetectObjective, number: int, offset: int, side: int, *, how: list[int]) -> list[Sample]:
    """A labelled picture of a video and up to `offset` before it, the first first, all augmented alike.

    Args:
        single: knows the pictures.
        number: of the labelled picture.
        offset: pictures before it, fewer where the video begins.
        side: of the square views, pixels.
        how: seed of the augmentation; mosaics have no motion and are left out.
    """
    labelled = single.sample(number)
    shown = [labelled]
    for path in single.earlier_pictures(number, offset):
        image = single.picture(path)
        if image.shape != labelled.image.shape:
            wanted = labelled.image.shape[:2]
            raise DataError(f"{path}: expected the size of the frames after it, {wanted}, got {image.shape[:2]}")
        shown.insert(0, replace(labelled, image=image))
    augmentation = single.settings.augmentation.with_mosaic(0.0)
    return [augmentation(partial(_itself, sample), side, np.random.default_rng(how)) for sample in shown]


def _itself(sample: Sample) -> Sample:
    return sample


def _as_prepared(position: int, image: UInt8Array) -> PreparedImage:
    """A view as flow estimators take pictures."""
    size = image.shape[0], image.shape[1]
    frame = Frame(position, image, Fraction(position))
    return PreparedImage(frame, size, size, lambda: input_tensor(torch.from_numpy(image[None])))


def carried_outputs(
    outputs: list[tuple[Tensor, Tensor]], displacements: tuple[Tensor | None, ...]
) -> list[tuple[Tensor, Tensor]]:
    """Class and distance logits of key frames at the frames that the displacements belong to.

    Classes are read at the nearest cell, as `warp` reads the maps of boxes; distances, whose distributions cannot take
    up what rounding leaves over, between cells.

    Args:
        outputs: class logits `[N, classes, h, w]` and distance logits `[N, 4 * BINS, h, w]` at each stride.
        displacements: for each of the N, current -> key, `[1, 2, h', w']`; None where the picture is its own key.
    """
    carried = []
    for classes, distances in outputs:
        size = classes.shape[2], classes.shape[3]
        grids = [
            sampling_grid(resize_displacement(torch.zeros(1, 2, *size) if field is None else field, size))
            for field in displacements
        ]
        grid = torch.cat(grids).to(classes)  # [N, h, w, 2]
        nearest = F.grid_sample(classes, grid, mode="nearest", padding_mode="border", align_corners=True)
        between = F.grid_sample(distances, grid.to(distances), padding_mode="border", align_corners=True)
        carried.append((nearest, between))
    return carried
