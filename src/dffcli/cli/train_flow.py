"""`dff train flow`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from dffcli.cli.declare import declare
from dffcli.cli.terminal import say
from dffcli.cli.train_options import AVERAGE_DECAY, LEARNING_RATE, WEIGHT_DECAY, FitOptions, fit_as_asked
from dffcli.cli.train_outputs import holding_outputs
from dffcli.option import option
from dffcli.run.read import size, size_text


@dataclass(frozen=True, slots=True)
class FlowData:
    """What the flow network learns from.

    Attributes:
        stills: folders of pictures.
        size: `(height, width)` of the pairs.
        init: network to start from.
    """

    stills: tuple[Path, ...] = option(
        help="Pictures to make pairs from; may be repeated.",
        metavar="FOLDER",
        exists=True,
        is_folder=True,
        is_required=True,
    )
    size: tuple[int, int] = option(
        (192, 256), help="Size of the pairs, multiples of 16.", metavar="WIDTHxHEIGHT", read=size, write=size_text
    )
    init: Path | None = option(None, help="Start from this network.", metavar="FILE", exists=True)


@dataclass(frozen=True, slots=True)
class FlowFit(FitOptions):
    """How it learns."""

    learning_rate: float = option(1e-3, LEARNING_RATE)
    weight_decay: float = option(1e-4, WEIGHT_DECAY)
    average_decay: float = option(0.995, AVERAGE_DECAY)


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, train_flow, name="flow", held=holding_outputs)


def train_flow(data: FlowData, fit: FlowFit) -> None:
    """Train the light flow network on pairs with known motion, made on the fly from stills.

    A background and pieces before it move apart by random zooms, turns and shifts. The result is where joint training
    (`dff train segment --max-offset N`) starts from.
    """
    import torch

    from dffcli.evaluation.segment_data import images_in
    from dffcli.flow.light import LightFlowNet
    from dffcli.flow.light_file import export_light_flow, load_light_flow
    from dffcli.training.flow_objective import FlowObjective

    torch.manual_seed(fit.seed)
    module = load_light_flow(data.init) if data.init else LightFlowNet()
    objective = FlowObjective(
        module,
        stills=[path for folder in data.stills for path in images_in(folder)],
        size=data.size,
        batch_size=fit.batch_size,
    )
    result = fit_as_asked(objective, fit)
    export_light_flow(fit.target, result.module)
    if not fit.quiet:
        say(f"{fit.target}: the flow network after {result.step} steps")
