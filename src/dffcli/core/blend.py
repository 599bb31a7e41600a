"""How far to trust each of two key frames at each place between them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dffcli.core.types import Float32Array, FlowField

TRUST_LOSS = 6.0  # grey levels of photometric error that cost a side a factor e
CUT_ERROR = 20.0  # mean grey levels: the other side of a scene cut, if the near side is far better
CUT_RATIO = 2.0


def side_weights(before: FlowField, after: FlowField, *, progress: float) -> tuple[Tensor | None, Tensor | None]:
    """Weights of the key before and of the key after, which sum to 1 everywhere.

    A side counts by how near its key is and by how well its warped picture matches the frame there (a place that the
    other side sees and this one does not, say behind a moving object, matches badly). Where one side lies beyond a
    scene cut, it does not count at all.

    Args:
        before: current -> key before.
        after: current -> key after, on the same grid.
        progress: where the frame lies between the two, 0..1.

    Returns:
        Two maps `[1, 1, h, w]` on the fields' grid; None stands for nothing at all.
    """
    if not all(counts := sides_that_count(before, after)):
        whole = torch.ones(1, 1, 1, 1)
        return (whole, None) if counts[0] else (None, whole)
    if before.photometric_error is None or after.photometric_error is None:
        share = torch.full((1, 1, 1, 1), 1 - progress)
        return share, 1 - share
    odds: Float32Array = np.exp((after.photometric_error - before.photometric_error) / TRUST_LOSS)
    odds *= (1 - progress) / progress
    share = torch.from_numpy(odds / (1 + odds))[None, None]  # [1, 1, h, w]
    return share, 1 - share


def sides_that_count(before: FlowField, after: FlowField) -> tuple[bool, bool]:
    """Whether the key before and the key after show the same scene as the frame: not both lie beyond a scene cut.

    Args:
        before: current -> key before.
        after: current -> key after.
    """
    if before.photometric_error is None or after.photometric_error is None:
        return True, True
    mean_before, mean_after = float(before.photometric_error.mean()), float(after.photometric_error.mean())
    beyond_before = mean_before > CUT_ERROR and mean_before > CUT_RATIO * mean_after
    beyond_after = mean_after > CUT_ERROR and mean_after > CUT_RATIO * mean_before
    return not beyond_before, not beyond_after
