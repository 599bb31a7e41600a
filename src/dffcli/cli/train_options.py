"""Options that every `dff train` command takes, and how a training run is followed on the screen."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dffcli.cli.terminal import plain_console
from dffcli.run.read import names as split_names

if TYPE_CHECKING:
    from dffcli.categories import Category
    from dffcli.training.fit import FitResult, StepReport
    from dffcli.training.objective import Objective

LEARN, RUN = "How to learn", "The run"


class Optimizer(StrEnum):
    """Values of `--optimizer`."""

    ADAMW = "adamw"
    SGD = "sgd"


class RateSchedule(StrEnum):
    """Values of `--rate-schedule`."""

    POLY = "poly"
    COSINE = "cosine"
    CONSTANT = "constant"


class Precision(StrEnum):
    """Values of `--precision`."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", file_okay=False, help="Folder of this run: checkpoint, log, plot and network.")
]
Steps = Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=LEARN, help="Steps in all.")]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=LEARN, help="Pictures in a step.")]
LearningRate = Annotated[float, typer.Option(metavar="X", rich_help_panel=LEARN, help="Its peak, after the warm-up.")]
OptimizerOption = Annotated[Optimizer, typer.Option(rich_help_panel=LEARN, help="Which optimiser.")]
WeightDecay = Annotated[float, typer.Option(min=0.0, metavar="X", rich_help_panel=LEARN, help="Of the optimiser.")]
RateScheduleOption = Annotated[RateSchedule, typer.Option(rich_help_panel=LEARN, help="How the rate falls to zero.")]
Warmup = Annotated[int, typer.Option(min=0, metavar="N", rich_help_panel=LEARN, help="Steps over which it rises.")]
AverageDecay = Annotated[
    float,
    typer.Option(
        min=0.0, max=1.0, metavar="X", rich_help_panel=LEARN, help="Of the running mean of the weights that is kept."
    ),
]
ClipNorm = Annotated[
    float, typer.Option(min=0.0, metavar="X", rich_help_panel=LEARN, help="Longest gradient that is taken as it is.")
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        rich_help_panel=RUN, help="auto: mixed on CUDA, float32 elsewhere. bfloat16: twice as fast on some CPUs."
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", rich_help_panel=RUN, help="Of initial values and every batch.")]
ValidateEvery = Annotated[
    int, typer.Option(min=0, metavar="N", rich_help_panel=RUN, help="Steps between measurements; 0: only at the end.")
]
DeviceOption = Annotated[str, typer.Option(metavar="NAME", rich_help_panel=RUN, help="auto, cpu, cuda, cuda:N or mps.")]
Resume = Annotated[
    bool, typer.Option("--resume", rich_help_panel=RUN, help="Go on from the run's checkpoint (after a kill, say).")
]
Export = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", rich_help_panel=RUN, help="Where to write the network; RUN/network.safetensors if not given."
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=RUN, help="No progress.")]


def parse_categories(text: str) -> tuple[Category, ...]:
    """Classes from the name of a known set, or from names between commas: the first is id 0 in the masks, and so on."""
    from dffcli.categories import CATEGORY_SETS, Category

    known = {name: items for name, items in CATEGORY_SETS.items() if items[0].id == 0}
    if text in known:
        return known[text]
    names = split_names(text)
    if len(names) < 2:
        raise typer.BadParameter(f"expected names between commas, or one of {', '.join(known)}, got {text!r}")
    return tuple(Category(i, name, distinct_color(i)) for i, name in enumerate(names))


def distinct_color(index: int) -> tuple[int, int, int]:
    """A colour far from those of the indices before it, RGB."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.55 + 0.4 * (index % 2), 0.95 - 0.15 * (index % 3))
    return round(255 * red), round(255 * green), round(255 * blue)


@contextmanager
def follow(*, steps: int, quiet: bool) -> Iterator[Callable[[StepReport], None]]:
    """Show a training run: a progress bar with losses on a terminal, a line now and then elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = plain_console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=steps)

        def on_step(report: StepReport) -> None:
            if quiet:
                return
            losses = " ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
            progress.update(task, completed=report.step, description=losses)
            if report.measures is not None:
                measures = " ".join(f"{name} {value:.2f}" for name, value in report.measures.items())
                console.print(f"step {report.step}: {losses} | {measures}", highlight=False, soft_wrap=True)
            elif not console.is_terminal and report.step % 100 == 0:
                console.print(f"step {report.step} of {report.steps}: {losses}", highlight=False, soft_wrap=True)

        yield on_step


def fit_as_asked(
    objective: Objective, chosen: dict[str, Any], *, rate_shares: Mapping[str, float] | None = None
) -> FitResult:
    """Fit with the options that every training command takes, shown as it goes.

    Args:
        objective: what to minimise.
        chosen: the command's arguments by name.
        rate_shares: as in `FitSettings`.
    """
    from dffcli.run.parts import resolve_device
    from dffcli.training.fit import FitSettings, fit

    settings = FitSettings(
        optimizer=chosen["optimizer"].value,
        schedule=chosen["rate_schedule"].value,
        warmup_steps=chosen["warmup"],
        precision=chosen["precision"].value,
        rate_shares=rate_shares or {},
        **{name: chosen[name] for name in SAME_BY_NAME},
    )
    with follow(steps=settings.steps, quiet=chosen["quiet"]) as on_step:
        return fit(
            objective,
            settings,
            folder=chosen["run"],
            device=resolve_device(chosen["device"]),
            resume=chosen["resume"],
            on_step=on_step,
        )


SAME_BY_NAME = ("steps", "learning_rate", "weight_decay", "average_decay", "clip_norm", "validate_every", "seed")
"""Options that `FitSettings` has under the same name."""
