"""A field without a judgement of its own is judged by the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from dffcli.core.types import Float32Array, FlowField, Frame, PreparedImage
from dffcli.flow.measured import MeasuredFlow

SHIFT = 8  # pixels


@dataclass(frozen=True)
class Constant:
    """The same displacement in input pixels everywhere, on a grid of stride 16."""

    dx: float
    photometric_error: Float32Array | None = None
    name: str = "constant"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        h, w = (side // 16 for side in current.padded_size)
        displacement = torch.zeros(1, 2, h, w)
        displacement[:, 0] = self.dx / 16
        return FlowField(displacement, photometric_error=self.photometric_error)


def prepared(left: int) -> PreparedImage:
    noise = np.random.default_rng(0).integers(0, 256, (64, 32), dtype=np.uint8)
    picture = np.kron(noise, np.ones((2, 6), np.uint8))[:, left : left + 160]
    frame = Frame(left, np.repeat(picture[:, :, None], 3, 2).copy(), Fraction(left))
    return PreparedImage(frame, (128, 160), (128, 160), lambda: torch.zeros(1, 3, 128, 160))


def test_the_right_field_matches_better_than_a_wrong_one() -> None:
    key, current = prepared(0), prepared(SHIFT)  # what is at x now was at x + 8 then
    right = MeasuredFlow(Constant(SHIFT)).estimate(key, current).photometric_error
    wrong = MeasuredFlow(Constant(0)).estimate(key, current).photometric_error
    assert right is not None
    assert wrong is not None
    assert right.shape == (8, 10)
    assert right[:, 1:-2].mean() < 2  # grey levels
    assert wrong.mean() > 20


def test_a_judgement_that_is_there_is_kept() -> None:
    own = np.full((8, 10), 3.5, np.float32)
    flow = MeasuredFlow(Constant(0, photometric_error=own))
    assert flow.name == "constant"
    assert flow.estimate(prepared(0), prepared(0)).photometric_error is own
