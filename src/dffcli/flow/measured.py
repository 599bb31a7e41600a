"""Judge a flow network's field by the pictures, so that schedules and blends know how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dffcli.core.protocols import FlowEstimator
from dffcli.core.types import FlowField, PreparedImage
from dffcli.core.warp import resize_displacement
from dffcli.flow.dis import SETTINGS
from dffcli.flow.grey import grey_picture, photometric_error

LONG_SIDE = SETTINGS["dis"].long_side  # so that a photometric error means the same, whatever flow it is of


@dataclass(frozen=True, slots=True)
class MeasuredFlow:
    """An estimator whose fields always say how badly the warped key picture matches the current one."""

    inner: FlowEstimator

    @property
    def name(self) -> str:
        """The inner estimator's."""
        return self.inner.name

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The inner estimator's field, with a photometric error if it has none."""
        field = self.inner.estimate(key, current, guess=guess)
        if field.photometric_error is not None:
            return field
        key_grey, current_grey = (grey_picture(image, long_side=LONG_SIDE) for image in (key, current))
        h, w = key_grey.shape
        displacement = resize_displacement(field.displacement.float().cpu(), (h, w))
        vectors = np.ascontiguousarray(displacement[0].permute(1, 2, 0).numpy())  # [h, w, 2]
        fine = photometric_error(key_grey, current_grey, vectors)
        size_wh = (field.displacement.shape[3], field.displacement.shape[2])  # OpenCV order
        coarse = cv2.resize(fine, size_wh, interpolation=cv2.INTER_AREA)
        return replace(field, photometric_error=np.asarray(coarse, np.float32))
