"""Dense inverse search, OpenCV's fast optical flow, on reduced grey pictures of neighbouring frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dffcli.flow.grey import chain, field_from_grey, grey_picture
from dffcli.types import Float32Array, FlowField, PreparedImage, UInt8Array


@dataclass(frozen=True, slots=True)
class DisSettings:
    """How hard DIS works.

    Attributes:
        long_side: pixels of the reduced picture's long side.
        finest_scale: the pyramid level (halvings) at which the search stops.
        patch_stride: pixels between patches.
        descent_steps: gradient descent steps a patch.
        refinement_steps: steps of variational refinement.
    """

    long_side: int
    finest_scale: int
    patch_stride: int = 4
    descent_steps: int = 12
    refinement_steps: int = 0


SETTINGS = {
    "dis-fast": DisSettings(long_side=240, finest_scale=1),
    "dis": DisSettings(long_side=320, finest_scale=1),
    "dis-fine": DisSettings(long_side=320, finest_scale=0),
}
"""Chosen by benchmarks/flow_costs.py: OpenCV's own presets are slower at the same quality."""


class DisFlow:
    """DIS flow (Kroeger et al., ECCV 2016) from the decoder's luma plane, chained from frame to frame.

    Only the small motion to the neighbouring frame is searched for; the neighbour's field leads on to the key. Over 8
    frames of a driving video that is worth more than searching a four times larger picture
    (benchmarks/flow_costs.py).
    """

    def __init__(self, name: str, settings: DisSettings) -> None:
        self.name = name
        self.settings = settings
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(settings.finest_scale)
        self._dis.setPatchStride(settings.patch_stride)
        self._dis.setGradientDescentIterations(settings.descent_steps)
        self._dis.setVariationalRefinementIterations(settings.refinement_steps)

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on the reduced picture's grid."""
        key_grey = grey_picture(key, long_side=self.settings.long_side)
        current_grey = grey_picture(current, long_side=self.settings.long_side)
        beside = None if guess is None else guess.current
        if guess is None or beside is None or guess.displacement.shape[2:] != current_grey.shape:
            displacement = self._search(current_grey, key_grey)
        else:
            beside_grey = grey_picture(beside, long_side=self.settings.long_side)
            displacement = chain(self._search(current_grey, beside_grey), guess)
        return field_from_grey(key_grey, current_grey, displacement, image=current)

    def _search(self, start: UInt8Array, end: UInt8Array) -> Float32Array:
        return np.asarray(self._dis.calc(start, end, None), np.float32)  # type: ignore[call-overload]  # None is allowed
