"""No flow at all: the key frame's features are held, the lower baseline."""

from __future__ import annotations

import numpy as np

from dffcli.core.types import FlowField, PreparedImage
from dffcli.flow.grey import field_from_grey, grey_picture

LONG_SIDE = 160  # pixels; only to see how far the picture has changed


class HoldFlow:
    """Zero displacement everywhere."""

    name = "none"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """A field of zeros, with how badly the two pictures match as they lie."""
        key_grey, current_grey = grey_picture(key, long_side=LONG_SIDE), grey_picture(current, long_side=LONG_SIDE)
        return field_from_grey(key_grey, current_grey, np.zeros((*current_grey.shape, 2), np.float32))


def build(_name: str, **_options: object) -> HoldFlow:
    """The registry's builder."""
    return HoldFlow()
