"""Farneback's polynomial flow, OpenCV's older dense estimator, kept for comparison."""

from __future__ import annotations

import cv2
import numpy as np

from dffcli.core.types import FlowField, PreparedImage
from dffcli.flow.grey import field_from_grey, grey_picture

LONG_SIDE = 320  # pixels
WINDOW = 15  # pixels
LEVELS = 4


class FarnebackFlow:
    """Polynomial expansion flow (Farneback, SCIA 2003) on the reduced grey picture."""

    name = "farneback"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on the reduced picture's grid; a guess does not help it and is not used."""
        key_grey = grey_picture(key, long_side=LONG_SIDE)
        current_grey = grey_picture(current, long_side=LONG_SIDE)
        displacement = cv2.calcOpticalFlowFarneback(  # type: ignore[call-overload]  # None is allowed
            current_grey,
            key_grey,
            None,
            pyr_scale=0.5,
            levels=LEVELS,
            winsize=WINDOW,
            iterations=3,
            poly_n=5,
            poly_sigma=1.1,
            flags=0,
        )
        return field_from_grey(key_grey, current_grey, np.asarray(displacement, np.float32))


def build(_name: str, **_options: object) -> FarnebackFlow:
    """The registry's builder."""
    return FarnebackFlow()
