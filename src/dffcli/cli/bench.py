"""`dff bench`: how much faster, and how much worse, than per-frame evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dffcli.bench.plan import BenchPlan
from dffcli.cli.declare import declare
from dffcli.cli.screen import QUIET
from dffcli.cli.terminal import plain_console, say
from dffcli.core.task import Task
from dffcli.models.registry import DEFAULT_MODELS, find_entry, model_entries
from dffcli.option import option
from dffcli.run.config import LOOK

if TYPE_CHECKING:
    from dffcli.bench.result import BenchResult
    from dffcli.bench.suite import SuiteResult

DEFAULT_FOLDER = Path("dff-bench")
CLIP_FOLDER = "clip"
TABLES = ("bench.json", "bench.csv", "bench.md", "bench.html")
FILES = (*TABLES, "speed_accuracy.png", "speed_accuracy.svg", "stages.png", "stages.svg")
"""Everything that is written into DIR, beside the clip."""

WORST_FRAMES = 6  # of each variant, shown in the page
PIPED_WIDTH = 240  # characters


@dataclass(frozen=True, slots=True)
class BenchScreen:
    """Where a comparison is written and shown.

    Attributes:
        output: folder for tables and plots.
        keep_clip: leave the rendered clip there too.
        overwrite: replace tables and plots that exist.
        quiet: nothing but errors.
    """

    output: Path | None = option(
        None,
        help="Write bench.html (curves, and the worst frames side by side), .json, .csv, .md, and plots.",
        flags=("--output", "-o"),
        metavar="DIR",
        panel=LOOK,
        is_written=True,
    )
    keep_clip: bool = option(False, help="Leave the rendered clip and its ground truth in DIR/clip.", panel=LOOK)
    overwrite: bool = option(False, help="Replace tables and plots that exist in DIR.", panel=LOOK)
    quiet: bool = option(False, QUIET)

    @property
    def folder(self) -> Path | None:
        """Where everything goes, if anywhere."""
        return DEFAULT_FOLDER if self.output is None and self.keep_clip else self.output


def register(app: typer.Typer) -> None:
    """Add the command."""
    declare(app, bench, panel="Measure", held=tables_held)


@contextmanager
def tables_held(plan: BenchPlan, screen: BenchScreen) -> Iterator[None]:
    """Refuse tables and plots that would cost something, before anything is measured; then hold their names.

    Raises:
        OutputError: one exists, is read, or somebody else is writing it.
    """
    from dffcli.files.atomic import claimed
    from dffcli.files.check import check_outputs

    folder = screen.folder
    if folder is None:
        yield
        return
    if folder.is_file():
        raise typer.BadParameter(f"expected a folder for -o, got the file {folder}")
    files = [folder / name for name in FILES]
    inputs = [plan.source, plan.ground_truth, plan.weights, *plan.flows]
    check_outputs(
        [*files, *([folder / CLIP_FOLDER] if screen.keep_clip else [])], inputs=inputs, overwrite=screen.overwrite
    )
    with claimed(files=files, overwrite=screen.overwrite):
        yield


def bench(plan: BenchPlan, screen: BenchScreen) -> None:
    """Compare key frames with per-frame evaluation: speed, memory, agreement, accuracy.

    Without INPUT: a standard suite on a rendered clip with exact flow, so that machines can be compared.
    [bold]dff bench street.mp4 --models street-seg --adaptive -o report/[/bold]
    """
    if screen.keep_clip and plan.source:
        raise typer.BadParameter("--keep-clip is for the rendered clip; here there is an INPUT")
    from dffcli.bench.run import bench
    from dffcli.bench.suite import run_suite

    folder = screen.folder
    plan = replace(plan, models=choose_models(plan.models, task=plan.task, is_suite=not plan.source))
    suite: SuiteResult | None = None
    with _ProgressBar(quiet=screen.quiet) as bar:
        if plan.source:
            result = bench(plan, worst=0 if folder is None else WORST_FRAMES, on_progress=bar.advance)
        else:
            keep = folder / CLIP_FOLDER if folder is not None and screen.keep_clip else None
            suite = run_suite(plan, keep=keep, on_progress=bar.advance)
            result = suite.models
    written = [] if folder is None else write(result, suite, folder)
    if not screen.quiet:
        show(result, suite)
        for path in written:
            say(f"written {path}")


def choose_models(named: tuple[str, ...], *, task: Task | None, is_suite: bool) -> tuple[str, ...]:
    """The models to compare: those named, else all bundled ones in the suite, else the task's own.

    Raises:
        ModelError: a model is unknown or for another task.
    """
    from dffcli.bench.suite import suite_models

    if not named:
        named = suite_models(task, model_entries()) if is_suite else (DEFAULT_MODELS[task or Task.SEGMENT],)
    return tuple(find_entry(name, task=task).name for name in named)


def write(result: BenchResult, suite: SuiteResult | None, folder: Path) -> list[Path]:
    """Write every form of the result; gives the files.

    Raises:
        OutputError: one cannot be written.
    """
    from dffcli.bench.page_file import to_page
    from dffcli.bench.plots import save_plots
    from dffcli.bench.suite import suite_markdown
    from dffcli.bench.tables import to_csv, to_markdown
    from dffcli.files.atomic import atomic_path, writing

    content = json.dumps((suite or result).to_json(), indent=2) + "\n"
    page = to_markdown(result, more="" if suite is None else suite_markdown(suite))
    written = []
    with writing(folder):
        for name, text in zip(TABLES, (content, to_csv(result), page, to_page(result)), strict=True):
            with atomic_path(folder / name) as part:
                part.write_text(text, encoding="utf-8")
            written.append(folder / name)
        return [*written, *save_plots(result, folder)]


def show(result: BenchResult, suite: SuiteResult | None) -> None:
    """Print tables and verdicts on stdout."""
    from rich import box
    from rich.table import Table

    from dffcli.bench.suite import FLOW_TITLE, PROPAGATION_TITLE, flow_table, propagation_table
    from dffcli.bench.tables import main_table, preamble, stage_table
    from dffcli.bench.verdict import verdicts

    console = plain_console()
    if not console.is_terminal:  # nobody's window: a file or a pipe takes rows of any length
        console = plain_console(width=PIPED_WIDTH)

    def table(title: str, header: list[str], rows: list[list[str]]) -> None:
        shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for number, name in enumerate(header):
            shown.add_column(name, justify="right" if number else "left", no_wrap=not number, vertical="bottom")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)

    console.print(preamble(result))
    if suite is not None:
        table(FLOW_TITLE, *flow_table(suite))
        table(PROPAGATION_TITLE, *propagation_table(suite))
    for model in result.models:
        table(f"{model} ({result.weights[model]})", *main_table(result, model))
        table(f"{model}: where the time goes", *stage_table(result, model))
    for line in verdicts(result):
        console.print(line)
    for note in result.notes:
        console.print(f"note: {note}", style="yellow")


class _ProgressBar:
    """What is being done on stderr, how far it is, and how long it will take."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        console = plain_console(stderr=True, quiet=quiet)
        self._console = console
        self._last = ""
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
            speed_estimate_period=600,
        )
        self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> _ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, progress: Any) -> None:
        """Show one more step; without a terminal, a line for each new kind of step."""
        self._bar.update(self._task, description=progress.doing, completed=progress.done)
        kind = progress.doing.split(",")[0].split(" frame")[0]
        if self._bar.disable and kind != self._last:
            self._last = kind
            self._console.print(f"{progress.done:4.0%} {progress.doing}")
