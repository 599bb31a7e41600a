"""What is minimised for flow: the distance to the known displacement at every level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.errors import DataError
from dffcli.flow.light import STRIDE, LightFlowNet, grey_tensor
from dffcli.training.flow_pairs import MotionRange, make_pair
from dffcli.training.objective import Batch

LEVEL_SHARES = (0.25, 0.5, 1.0)  # of strides 16, 8 and 4 in the loss
VALIDATION_PAIRS = 32
VALIDATION_SEED = 20_171_116  # pairs that training, which counts steps from 0 under its own seed, does not draw


class FlowObjective:
    """The light flow network on pairs made from stills.

    Args:
        module: the network.
        stills: pictures to make pairs from.
        size: `(height, width)` of a pair, multiples of 16.
        batch_size: pairs in a batch.
        motion: how far things move.
    """

    def __init__(
        self,
        module: LightFlowNet,
        *,
        stills: Sequence[Path],
        size: tuple[int, int] = (192, 256),
        batch_size: int = 8,
        motion: MotionRange | None = None,
    ) -> None:
        if not stills:
            raise DataError("no pictures to make pairs from")
        if size[0] % STRIDE or size[1] % STRIDE:
            raise DataError(f"pairs: expected sides that are multiples of {STRIDE}, got {size}")
        self._module = module
        self.stills, self.size, self.batch_size = stills, size, batch_size
        self.motion = motion or MotionRange()

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        """Fresh pairs."""
        return self._pairs([np.random.default_rng([seed, step, i]) for i in range(self.batch_size)])

    def _pairs(self, chances: Sequence[np.random.Generator]) -> Batch:
        pairs = [make_pair(self.stills, size=self.size, motion=self.motion, rng=rng) for rng in chances]
        return {
            "key": torch.cat([grey_tensor(pair.key) for pair in pairs]),
            "current": torch.cat([grey_tensor(pair.current) for pair in pairs]),
            "displacement": torch.from_numpy(np.stack([pair.displacement for pair in pairs])).permute(0, 3, 1, 2),
        }

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Mean distance at each level, in pixels of the picture, the finest counting most."""
        fields, _ = self._module(self._module.encode(batch["key"]), self._module.encode(batch["current"]))
        losses = {}
        for share, field in zip(LEVEL_SHARES, fields, strict=True):
            stride = batch["displacement"].shape[2] // field.shape[2]
            losses[f"stride_{stride}"] = share * _distance(field.float() * stride, batch["displacement"]).mean()
        return losses

    @torch.inference_mode()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """End-point error on pairs that are not trained on, at full size, in pixels, and that of no motion at all."""
        if not isinstance(module, LightFlowNet):
            raise DataError(f"expected a light flow network, got {type(module).__name__}")
        batch = self._pairs([np.random.default_rng([VALIDATION_SEED, i]) for i in range(VALIDATION_PAIRS)])
        device = next(module.parameters()).device
        fields, _ = module(module.encode(batch["key"].to(device)), module.encode(batch["current"].to(device)))
        full = F.interpolate(fields[-1].cpu() * 4, scale_factor=4, mode="bilinear")
        truth = batch["displacement"]
        return {
            "end_point_error": (full - truth).norm(dim=1).mean().item(),
            "of_no_motion": truth.norm(dim=1).mean().item(),
        }


def _distance(field: Tensor, truth: Tensor) -> Tensor:
    """Between a field in picture pixels and the truth, on the field's grid, `[N, h, w]`."""
    reduced = F.avg_pool2d(truth, truth.shape[2] // field.shape[2])
    return ((field - reduced).square().sum(1) + 1e-4).sqrt()
