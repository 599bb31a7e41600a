"""`dff bench`: how much faster, and how much worse, than every frame in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dffcli.cli import options as o
from dffcli.core.types import Task

if TYPE_CHECKING:
    from dffcli.bench.plan import BenchPlan
    from dffcli.bench.result import BenchResult
    from dffcli.bench.suite import SuiteResult

DEFAULT_FOLDER = Path("dff-bench")
PIPED_WIDTH = 240  # characters

Input = Annotated[
    str | None,
    typer.Argument(metavar="[INPUT]", help="A video or a folder of images; without it, a clip rendered on the spot."),
]
TaskName = Annotated[Task | None, typer.Option(rich_help_panel=o.WHAT, help="Only models for this task.")]
Models = Annotated[
    str | None,
    typer.Option(metavar="A,B", rich_help_panel=o.WHAT, help="Networks to compare. (default: the task's own)"),
]
GroundTruth = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        exists=True,
        rich_help_panel=o.WHAT,
        help="Judge by it too: a folder of PNG masks of class ids, COCO or CocoVID JSON, or MOT's gt.txt.",
    ),
]
Frames = Annotated[
    int, typer.Option(min=1, metavar="N", rich_help_panel=o.WHAT, help="Frames measured for each variant.")
]
Intervals = Annotated[
    str, typer.Option(metavar="N,N", rich_help_panel=o.KEYS, help="Key intervals; 1, every frame, is always measured.")
]
AdaptiveToo = Annotated[bool, typer.Option("--adaptive", rich_help_panel=o.KEYS, help="The adaptive schedule too.")]
CausalToo = Annotated[
    bool, typer.Option("--causal", rich_help_panel=o.KEYS, help="The causal form too, beside the two-sided one.")
]
Flows = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        rich_help_panel=o.KEYS,
        help="Flows to compare: dis, none, ... (default: dis, or the model's own)",
    ),
]
NetworkOnly = Annotated[
    bool, typer.Option("--network-only", rich_help_panel=o.WHAT, help="Leave out the runs from file to file.")
]
NoMemory = Annotated[
    bool, typer.Option("--no-memory", rich_help_panel=o.WHAT, help="Leave out memory (a process for each variant).")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        file_okay=False,
        rich_help_panel=o.LOOK,
        help="Write bench.json, .csv and .md, and the plots as PNG and SVG.",
    ),
]
KeepClip = Annotated[
    bool,
    typer.Option(
        "--keep-clip", rich_help_panel=o.LOOK, help="Leave the rendered clip and its ground truth in DIR/clip."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Measure")
    def bench(
        source: Input = None,
        output: Folder = None,
        task: TaskName = None,
        models: Models = None,
        weights: o.WeightsOption = "default",
        device: o.Device = "auto",
        runtime: o.Runtime = "torch",
        ground_truth: GroundTruth = None,
        frames: Frames = 100,
        network_only: NetworkOnly = False,
        no_memory: NoMemory = False,
        intervals: Intervals = "1,2,5,10,20",
        adaptive: AdaptiveToo = False,
        flows: Flows = None,
        causal: CausalToo = False,
        keep_clip: KeepClip = False,
        quiet: o.Quiet = False,
    ) -> None:
        """Compare key frames with every frame in full: speed, memory, agreement, accuracy.

        Without INPUT: a standard suite on a rendered clip with exact flow, so that machines can be compared.
        [bold]dff bench street.mp4 --models street-seg --adaptive -o report/[/bold]
        """
        if keep_clip and source is not None:
            raise typer.BadParameter("--keep-clip is for the rendered clip; here there is an INPUT")
        run(dict(locals()))


def run(options: dict[str, Any]) -> None:
    """Compare, show progress, print and write the result.

    Raises:
        DFFError: as `dffcli.bench.run.bench`.
    """
    from dffcli.bench.run import bench
    from dffcli.bench.suite import run_suite

    folder: Path | None = options["output"]
    if folder is None and options["keep_clip"]:
        folder = DEFAULT_FOLDER
    plan = make_plan(options)
    suite: SuiteResult | None = None
    with _ProgressBar(quiet=options["quiet"]) as bar:
        if options["source"] is None:
            keep = folder / "clip" if folder is not None and options["keep_clip"] else None
            suite = run_suite(plan, keep=keep, on_progress=bar.advance)
            result = suite.models
        else:
            result = bench(plan, on_progress=bar.advance)
    written = [] if folder is None else write(result, suite, folder)
    if not options["quiet"]:
        show(result, suite)
        for path in written:
            typer.echo(f"written {path}")


def make_plan(options: dict[str, Any]) -> BenchPlan:
    """The comparison that the options describe.

    Raises:
        typer.BadParameter: an interval is not a number of at least 1.
        ModelError: a model is unknown or for another task.
    """
    from dffcli.bench.plan import BenchPlan
    from dffcli.bench.suite import suite_models
    from dffcli.models.registry import find_entry, model_entries
    from dffcli.run.plan import DEFAULT_MODELS

    task: Task | None = options["task"]
    named = o.split_names(options["models"] or "")
    if not named:
        is_suite = options["source"] is None
        named = suite_models(task, model_entries()) if is_suite else (DEFAULT_MODELS[task or Task.SEGMENT],)
    return BenchPlan(
        source=options["source"] or "",
        models=tuple(find_entry(name, task=task).name for name in named),
        task=task,
        intervals=parse_intervals(options["intervals"]),
        adaptive=options["adaptive"],
        flows=o.split_names(options["flows"] or ""),
        causal=options["causal"],
        weights=o.parse_weights(options["weights"]),
        device=options["device"],
        runtime=options["runtime"],
        frames=options["frames"],
        ground_truth=options["ground_truth"],
        end_to_end=not options["network_only"],
        memory=not options["no_memory"],
    )


def parse_intervals(text: str) -> tuple[int, ...]:
    """Numbers of at least 1 between commas.

    Raises:
        typer.BadParameter: they are not.
    """
    try:
        numbers = tuple(int(part) for part in o.split_names(text))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(f"--intervals: expected numbers of at least 1 such as 1,5,10, got {text!r}")
    return numbers


def write(result: BenchResult, suite: SuiteResult | None, folder: Path) -> list[Path]:
    """Write every form of the result; gives the files.

    Raises:
        OutputError: one cannot be written.
    """
    from dffcli.bench.plots import save_plots
    from dffcli.bench.suite import suite_markdown
    from dffcli.bench.tables import to_csv, to_markdown
    from dffcli.files.atomic import atomic_path, writing

    content = json.dumps((suite or result).to_json(), indent=2) + "\n"
    page = to_markdown(result, more="" if suite is None else suite_markdown(suite))
    written = []
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("bench.json", content), ("bench.csv", to_csv(result)), ("bench.md", page)):
            with atomic_path(folder / name) as part:
                part.write_text(text, encoding="utf-8")
            written.append(folder / name)
        return [*written, *save_plots(result, folder)]


def show(result: BenchResult, suite: SuiteResult | None) -> None:
    """Print tables and verdicts on stdout."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from dffcli.bench.suite import FLOW_TITLE, PROPAGATION_TITLE, flow_table, propagation_table
    from dffcli.bench.tables import main_table, preamble, stage_table
    from dffcli.bench.verdict import verdicts

    console = Console(highlight=False)
    if not console.is_terminal:  # nobody's window: a file or a pipe takes rows of any length
        console = Console(highlight=False, width=PIPED_WIDTH)

    def table(title: str, header: list[str], rows: list[list[str]]) -> None:
        shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for number, name in enumerate(header):
            shown.add_column(name, justify="right" if number else "left", no_wrap=not number, vertical="bottom")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)

    console.print(preamble(result), markup=False)
    if suite is not None:
        table(FLOW_TITLE, *flow_table(suite))
        table(PROPAGATION_TITLE, *propagation_table(suite))
    for model in result.models:
        table(f"{model} ({result.weights[model]})", *main_table(result, model))
        table(f"{model}: where the time goes", *stage_table(result, model))
    for line in verdicts(result):
        console.print(line, markup=False)
    for note in result.notes:
        console.print(f"note: {note}", markup=False, style="yellow")


class _ProgressBar:
    """What is being done on stderr, how far it is, and how long it will take."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True, quiet=quiet, highlight=False)
        self._console = console
        self._last = ""
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.description}", markup=False),
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
            self._console.print(f"{progress.done:4.0%} {progress.doing}", markup=False)
