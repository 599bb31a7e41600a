"""Dense inverse search, OpenCV's fast optical flow, on reduced grey pictures of neighbouring frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dffcli.core.types import Float32Array, FlowField, PreparedImage, UInt8Array
from dffcli.flow.grey import field_from_grey, follow, grey_picture, inverted


@dataclass(frozen=True, slots=True)
class DisSettings:
    """How hard DIS works.

    Attributes:
        long_side: pixels of the reduced picture's long side; the search goes down to its last pixel.
        patch_stride: pixels between patches.
        descent_steps: gradient descent steps a patch.
    """

    long_side: int
    patch_stride: int = 4
    descent_steps: int = 12


SETTINGS = {
    "dis-fast": DisSettings(long_side=160, patch_stride=5),
    "dis": DisSettings(long_side=208, patch_stride=6, descent_steps=16),
    "dis-fine": DisSettings(long_side=320),
}
"""Chosen by benchmarks/flow_costs.py: OpenCV's own presets are slower at the same quality."""


class DisFlow:
    """DIS flow (Kroeger et al., ECCV 2016) from the decoder's luma plane, chained from frame to frame.

    Only the small motion to the neighbouring frame is searched for; the neighbour's field leads on to the key. Over 8
    frames of a driving video that is worth more than searching a larger picture. It is searched for once: the motion
    from a frame to the one after it, which the key frame on the other side asks for, is the motion found from that one
    to this, inverted (benchmarks/flow_costs.py).
    """

    def __init__(self, name: str, settings: DisSettings) -> None:
        self.name = name
        self.settings = settings
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(0)
        self._dis.setPatchStride(settings.patch_stride)
        self._dis.setGradientDescentIterations(settings.descent_steps)
        self._dis.setVariationalRefinementIterations(0)

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on the reduced picture's grid."""
        key_grey, current_grey = self.reduce(key), self.reduce(current)
        beside = None if guess is None else guess.current
        if guess is None or beside is None or guess.displacement.shape[2:] != current_grey.shape:
            displacement = self._step(current, key)
        else:
            displacement = follow(self._step(current, beside), guess)
        return field_from_grey(key_grey, current_grey, displacement, image=current)

    def reduce(self, image: PreparedImage) -> UInt8Array:
        """The grey picture it searches in, made once."""
        return grey_picture(image, long_side=self.settings.long_side)

    def _step(self, start: PreparedImage, end: PreparedImage) -> Float32Array:
        """The motion between two pictures, `[h, w, 2]`, start -> end; the first one found from a picture is kept."""
        slot = ("step", self.settings)
        start_grey, end_grey = self.reduce(start), self.reduce(end)
        leads_to, back = end.cache.get(slot, (None, None))
        if leads_to is start_grey:
            return inverted(back)
        step = np.asarray(self._dis.calc(start_grey, end_grey, None), np.float32)  # type: ignore[call-overload]  # None is allowed
        start.cache.setdefault(slot, (end_grey, step))  # not the picture: a chain of pictures would never be let go
        return step


def build(name: str, **_options: object) -> DisFlow:
    """The registry's builder."""
    return DisFlow(name, SETTINGS[name])
