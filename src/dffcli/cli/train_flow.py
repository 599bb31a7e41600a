"""`dff train flow`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dffcli.cli import train_options as options
from dffcli.cli.terminal import say
from dffcli.cli.train_outputs import holding_outputs
from dffcli.run.read import size as parse_size

Stills = Annotated[
    list[Path],
    typer.Option(
        "--stills", metavar="FOLDER", exists=True, file_okay=False, help="Pictures to make pairs from; may be repeated."
    ),
]
PairSize = Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Size of the pairs, multiples of 16.")]
Init = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Start from this network.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flow")(train_flow)


@holding_outputs
def train_flow(
    run: options.RunFolder,
    stills: Stills,
    size: PairSize = "256x192",
    init: Init = None,
    steps: options.Steps = 8_000,
    batch_size: options.BatchSize = 8,
    learning_rate: options.LearningRate = 1e-3,
    optimizer: options.OptimizerOption = options.Optimizer.ADAMW,
    weight_decay: options.WeightDecay = 1e-4,
    rate_schedule: options.RateScheduleOption = options.RateSchedule.COSINE,
    warmup: options.Warmup = 200,
    average_decay: options.AverageDecay = 0.995,
    clip_norm: options.ClipNorm = 10.0,
    validate_every: options.ValidateEvery = 500,
    precision: options.PrecisionOption = options.Precision.AUTO,
    seed: options.Seed = 0,
    device: options.DeviceOption = "auto",
    resume: options.Resume = False,
    export: options.Export = None,
    quiet: options.QuietOption = False,
) -> None:
    """Train the light flow network on pairs with known motion, made on the fly from stills.

    A background and pieces before it move apart by random zooms, turns and shifts. The result is where joint training
    (`dff train segment --max-offset N`) starts from.
    """
    chosen = dict(locals())
    import torch

    from dffcli.evaluation.segment_data import images_in
    from dffcli.flow.light import LightFlowNet
    from dffcli.flow.light_file import export_light_flow, load_light_flow
    from dffcli.training.flow_objective import FlowObjective

    torch.manual_seed(seed)
    module = load_light_flow(init) if init else LightFlowNet()
    objective = FlowObjective(
        module,
        stills=[path for folder in stills for path in images_in(folder)],
        size=parse_size(size),
        batch_size=batch_size,
    )
    result = options.fit_as_asked(objective, chosen)
    target = export or run / "network.safetensors"
    export_light_flow(target, result.module)
    if not quiet:
        say(f"{target}: the flow network after {result.step} steps")
