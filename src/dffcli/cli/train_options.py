"""Options that every `dff train` command takes, and how a training run is followed on the screen."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from dffcli.cli.screen import QUIET
from dffcli.cli.terminal import plain_console
from dffcli.option import Option, option
from dffcli.run.config import DEVICE
from dffcli.run.read import names as split_names

if TYPE_CHECKING:
    from dffcli.categories import Category
    from dffcli.training.fit import FitResult, FitSettings, StepReport
    from dffcli.training.objective import Objective

LEARN, RUN, DATA = "How to learn", "The run", "What to learn from"
JOINT = "Jointly with the flow (the paper's training)"
NETWORK = "network.safetensors"


RATE_FALLS = ("poly", "cosine", "constant")
CLASSES = Option(
    "Names of the ids 0, 1, ... in the masks (greater ids are ignored), or camvid, cityscapes, voc.",
    metavar="A,B,...",
    panel=DATA,
)
VALIDATE = Option("What to measure on; written like --data.", metavar="SOURCE", panel=DATA)
STEPS = Option("Steps in all.", metavar="N", panel=LEARN, low=1)
BATCH_SIZE = Option("Pictures in a step.", metavar="N", panel=LEARN, low=1)
LEARNING_RATE = Option("Its peak, after the warm-up.", metavar="X", panel=LEARN)
WEIGHT_DECAY = Option("Of the optimiser.", metavar="X", panel=LEARN, low=0)
RATE_SCHEDULE = Option("How the rate falls to zero.", panel=LEARN, choices=RATE_FALLS)
WARMUP = Option("Steps over which it rises.", metavar="N", panel=LEARN, low=0)
AVERAGE_DECAY = Option(
    "Of the exponential moving average of the weights that is kept.", metavar="X", panel=LEARN, low=0, high=1
)
VALIDATE_EVERY = Option("Steps between measurements; 0: only at the end.", metavar="N", panel=RUN, low=0)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where a training run lies and how it is followed.

    Attributes:
        run: its folder.
        validate_every: steps between measurements.
        seed: of initial values and every batch.
        device: where it runs.
        resume: go on from the checkpoint.
        export: where to write the network; None for the run's folder.
        overwrite: replace a network, log or plot that exists.
        quiet: no progress.
    """

    run: Path = option(
        help="Folder of this run: checkpoint, log, plot and network.", metavar="RUN", is_argument=True, is_folder=True
    )
    validate_every: int = option(500, VALIDATE_EVERY)
    seed: int = option(0, help="Of initial values and every batch.", metavar="N", panel=RUN)
    device: str = option("auto", DEVICE, panel=RUN)
    resume: bool = option(False, help="Go on from the run's checkpoint (after a kill, say).", panel=RUN)
    export: Path | None = option(
        None, help="Where to write the network; RUN/network.safetensors if not given.", metavar="FILE", panel=RUN
    )
    overwrite: bool = option(
        False,
        help="Replace a network, log or plot that exists; never a checkpoint: that is resumed, or removed by hand.",
        panel=RUN,
    )
    quiet: bool = option(False, QUIET, panel=RUN)

    @property
    def target(self) -> Path:
        """Where the network goes."""
        return self.export or self.run / NETWORK


@dataclass(frozen=True, slots=True)
class FitOptions(RunOptions):
    """How to fit, for those who choose; each command has defaults of its own.

    Attributes:
        steps: in all.
        batch_size: pictures in a step.
        learning_rate: its peak.
        optimizer: which.
        weight_decay: of the optimiser.
        rate_schedule: how the rate falls.
        warmup: steps over which it rises.
        average_decay: of the average of the weights.
        clip_norm: the greatest norm of a gradient that is taken as it is.
        precision: of numbers.
    """

    steps: int = option(8000, STEPS)
    batch_size: int = option(8, BATCH_SIZE)
    learning_rate: float = option(1e-3, LEARNING_RATE)
    optimizer: str = option("adamw", help="Which optimiser.", panel=LEARN, choices=("adamw", "sgd"))
    weight_decay: float = option(0.02, WEIGHT_DECAY)
    rate_schedule: str = option("cosine", RATE_SCHEDULE)
    warmup: int = option(200, WARMUP)
    average_decay: float = option(0.999, AVERAGE_DECAY)
    clip_norm: float = option(
        10.0, help="The greatest norm of a gradient that is taken as it is.", metavar="X", panel=LEARN, low=0
    )
    precision: str = option(
        "auto",
        help="auto: mixed on CUDA, float32 elsewhere. bfloat16: twice as fast on some CPUs.",
        panel=RUN,
        choices=("auto", "float32", "bfloat16"),
    )


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
    objective: Objective, options: FitOptions, *, rate_shares: Mapping[str, float] | None = None
) -> FitResult:
    """Fit with the options that training commands share, shown as it goes.

    Args:
        objective: what to minimise.
        options: how.
        rate_shares: as in `FitSettings`.
    """
    from dffcli.training.fit import FitSettings

    settings = FitSettings(
        steps=options.steps,
        learning_rate=options.learning_rate,
        optimizer=cast(Any, options.optimizer),  # checked where it was born
        weight_decay=options.weight_decay,
        rate_shares=rate_shares or {},
        warmup_steps=options.warmup,
        schedule=cast(Any, options.rate_schedule),
        average_decay=options.average_decay,
        clip_norm=options.clip_norm,
        precision=cast(Any, options.precision),
        validate_every=options.validate_every,
        seed=options.seed,
    )
    return fit_shown(objective, settings, options)


def fit_shown(objective: Objective, settings: FitSettings, options: RunOptions) -> FitResult:
    """Fit, shown as it goes."""
    from dffcli.run.parts import resolve_device
    from dffcli.training.fit import fit

    with follow(steps=settings.steps, quiet=options.quiet) as on_step:
        return fit(
            objective,
            settings,
            folder=options.run,
            device=resolve_device(options.device),
            resume=options.resume,
            on_step=on_step,
        )
