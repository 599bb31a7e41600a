"""What a task tells the training loop: a network, its batches, its losses and how good it is."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

Batch = dict[str, Any]
"""Tensors by name (nested lists and tuples of tensors are moved to the device as well)."""


class Objective(Protocol):
    """One thing to be learned; the loop knows nothing else of the task."""

    @property
    def module(self) -> nn.Module:
        """The network whose parameters are fitted; those with `requires_grad` off stay as they are."""

    def batch(self, step: int, *, seed: int) -> Batch:
        """The batch of one step: the same for the same step and seed, so that a resumed run goes on identically."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar losses of a batch through `module`; their sum is minimised."""

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Named measures of a network of the same kind as `module` (the averaged weights), in eval mode."""
