"""Farneback's polynomial flow, OpenCV's older dense estimator, kept for comparison."""

from __future__ import annotations

import cv2
import numpy as np

from dffcli.flow.grey import field_from_grey, grey_picture
from dffcli.types import FlowField, PreparedImage

LONG_SIDE = 320  # pixels
WINDOW = 15  # pixels
LEVELS = 4


class FarnebackFlow:
    """Polynomial expansion flow (Farneback, SCIA 2003) on the reduced grey picture."""

    name = "farneback"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on the reduced picture's grid."""
        key_grey = grey_picture(key, long_side=LONG_SIDE)
        current_grey = grey_picture(current, long_side=LONG_SIDE)
        if guess is None:
            start, flags = np.zeros((*current_grey.shape, 2), np.float32), 0
        else:
            start, flags = guess.displacement[0].permute(1, 2, 0).numpy().copy(), cv2.OPTFLOW_USE_INITIAL_FLOW
        displacement = cv2.calcOpticalFlowFarneback(
            current_grey,
            key_grey,
            start,
            pyr_scale=0.5,
            levels=LEVELS,
            winsize=WINDOW,
            iterations=3,
            poly_n=5,
            poly_sigma=1.1,
            flags=flags,
        )
        return field_from_grey(key_grey, current_grey, np.asarray(displacement, np.float32))
