"""The training loop, the same for every task: `fit(objective, settings, ...)`."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dffcli.errors import DataError
from dffcli.training.ahead import batches_ahead
from dffcli.training.checkpoint import load_checkpoint, save_checkpoint
from dffcli.training.log import RunLog, plot_log, read_log
from dffcli.training.objective import Batch, Objective

CHECKPOINT, LOG, PLOT = "checkpoint.pt", "log.jsonl", "losses.png"
"""What a run's folder holds."""

MOST_THREADS = 8  # that make batches for a GPU; a CPU is busy enough with the network


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit.

    Attributes:
        steps: optimiser steps in all.
        learning_rate: its peak, reached after `warmup_steps`.
        optimizer: `adamw`, or `sgd`.
        weight_decay: of convolution and linear weights; biases and norms have none.
        momentum: of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        rate_shares: by a part of a parameter's name ("backbone"), its rate as a share of the others'.
        warmup_steps: over which the rate rises from zero.
        schedule: `poly` (power 0.9) or `cosine`, both to zero; `drops`; or `constant`.
        drops: shares of the steps after which `drops` divides the rate by 10.
        average_decay: of the exponential moving average of the weights, the one that is validated and exported.
        clip_norm: gradients longer than this, taken together, are shortened to it.
        precision: `float32`, `bfloat16`, or `auto`: float16 with loss scaling on CUDA, float32 elsewhere.
        validate_every: steps between validations; 0 validates at the end only.
        log_every: steps between log records of losses (their mean since the last record).
        checkpoint_seconds: a checkpoint is written when this much time has passed, at validations and at the end.
        seed: of initial values (set by the caller before it builds the network) and of every batch.
    """

    steps: int
    learning_rate: float = 1e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = 0.02
    momentum: float = 0.9
    nesterov: bool = True
    rate_shares: Mapping[str, float] = field(default_factory=dict)
    warmup_steps: int = 300
    schedule: Literal["poly", "cosine", "constant", "drops"] = "poly"
    drops: tuple[float, ...] = (2 / 3,)
    average_decay: float = 0.999
    clip_norm: float = 10.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    validate_every: int = 1000
    log_every: int = 20
    checkpoint_seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0:
            raise DataError(f"expected steps >= 1 and a rate > 0, got {self.steps} and {self.learning_rate}")

    def rate_share(self, name: str) -> float:
        """What the rate of a parameter of that name is multiplied by."""
        return math.prod(self.rate_shares.get(part, 1.0) for part in name.split("."))


@dataclass(frozen=True, slots=True)
class StepReport:
    """What is told after a step.

    Attributes:
        step: steps done, counted from 1.
        steps: steps in all.
        losses: of this step, by name.
        learning_rate: used in this step.
        measures: of the averaged weights, if this step ended with a validation.
    """

    step: int
    steps: int
    losses: dict[str, float]
    learning_rate: float
    measures: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a run leaves: the averaged network, in eval mode, and its last measures."""

    module: nn.Module
    step: int
    measures: dict[str, float]


def learning_rate_at(step: int, settings: FitSettings) -> float:
    """The rate of a step counted from 0."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    match settings.schedule:
        case "poly":
            return settings.learning_rate * math.pow(1 - progress, 0.9)
        case "cosine":
            return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
        case "constant":
            return settings.learning_rate
        case "drops":
            passed = sum(step >= share * settings.steps for share in settings.drops)
            return float(settings.learning_rate * 0.1**passed)


def _optimizer(module: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    if not trained:
        raise DataError("nothing to train: every part of the network is frozen")
    groups = []
    for share in sorted({settings.rate_share(name) for name, _ in trained}, reverse=True):
        alike = [parameter for name, parameter in trained if settings.rate_share(name) == share]
        for decay, members in (
            (settings.weight_decay, [parameter for parameter in alike if parameter.ndim > 1]),
            (0.0, [parameter for parameter in alike if parameter.ndim <= 1]),
        ):
            groups.append({"params": members, "weight_decay": decay, "rate_share": share})
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov
        )
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


@torch.no_grad()
def _update_average(average: nn.Module, module: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), module.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _to_device(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: _to_device(item, device) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_to_device(item, device) for item in value)
    return value


class _Run:
    """A network with all that changes while it is fitted."""

    def __init__(self, objective: Objective, settings: FitSettings, device: torch.device) -> None:
        self.objective = objective
        self.settings = settings
        self.device = device
        self.module = objective.module.to(device)
        self.average = deepcopy(self.module).eval()
        self.optimizer = _optimizer(self.module, settings)
        self.scaler = torch.amp.GradScaler(enabled=settings.precision == "auto" and device.type == "cuda")
        self.step = 0

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "settings": asdict(self.settings),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["torch_rng"])
        self.step = state["step"]

    def advance(self, batch: Batch) -> tuple[dict[str, float], float]:
        """One step: its losses and its learning rate."""
        rate = learning_rate_at(self.step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_share"]
        with self._autocast():
            losses = self.objective.losses(_to_device(batch, self.device))
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
        if self.scaler.is_enabled() or bool(torch.isfinite(norm)):  # a broken step must not break the network
            self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        _update_average(self.average, self.module, decay)
        return {name: loss.item() for name, loss in losses.items()}, rate

    def _autocast(self) -> torch.autocast:
        if self.settings.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return torch.autocast(self.device.type, torch.float16, enabled=self.scaler.is_enabled())


def fit(
    objective: Objective,
    settings: FitSettings,
    *,
    folder: Path,
    device: str = "cpu",
    resume: bool = False,
    on_step: Callable[[StepReport], None] | None = None,
) -> FitResult:
    """Fit a network; the run can be killed at any moment and resumed, and then goes on as if it had not been.

    Args:
        objective: what is learned.
        settings: how. A resumed run may be given other settings, such as more steps.
        folder: receives the checkpoint, the log and the plot of the losses.
        device: where it runs.
        resume: go on from the folder's checkpoint.
        on_step: told after every step.

    Raises:
        DataError: the folder holds a run already and `resume` is off, or there is nothing to resume.
    """
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise DataError(f"{folder}: holds a training run already: resume it, or choose another folder")
    run = _Run(objective, settings, torch.device(device))
    if resume:
        run.restore(load_checkpoint(checkpoint))
    log = RunLog(folder / LOG, from_step=run.step + 1)
    sums: dict[str, list[float]] = {}
    measures: dict[str, float] = {}
    saved_at = time.monotonic()
    batches = batches_ahead(
        lambda step: objective.batch(step, seed=settings.seed),
        first=run.step,
        last=settings.steps,
        threads=0 if run.device.type == "cpu" else min(MOST_THREADS, os.cpu_count() or 1),
    )
    for batch in batches:
        run.module.train()
        losses, rate = run.advance(batch)
        for name, value in losses.items():
            sums.setdefault(name, []).append(value)
        is_last = run.step == settings.steps
        validates = is_last or (settings.validate_every > 0 and run.step % settings.validate_every == 0)
        record: dict[str, Any] = {"step": run.step, "learning_rate": rate}
        if run.step % settings.log_every == 0 or is_last:
            record["losses"] = {name: sum(values) / len(values) for name, values in sums.items()}
            sums.clear()
        if validates:
            measures = objective.validate(run.average)
            record["measures"] = measures
        if len(record) > 2:
            log.write(record)
        # A checkpoint between two log records would resume with half a mean: they are written together.
        if validates or ("losses" in record and time.monotonic() - saved_at > settings.checkpoint_seconds):
            save_checkpoint(checkpoint, run.state())
            saved_at = time.monotonic()
        if validates:
            plot_log(read_log(folder / LOG), folder / PLOT)
        if on_step is not None:
            on_step(StepReport(run.step, settings.steps, losses, rate, measures if validates else None))
    return FitResult(run.average, run.step, measures)
