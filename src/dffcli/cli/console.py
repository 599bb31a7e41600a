"""What a run says while it goes and when it ends."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from dffcli.cli.terminal import plain, plain_console
from dffcli.core.types import FrameResult, SourceInfo
from dffcli.models.registry import BuiltModel
from dffcli.run.report import RunReport
from dffcli.run.runner import Progress as RunProgress

MEGABYTE = 1e6  # bytes
PLAIN_EVERY_SECONDS = 10.0  # between lines where there is no terminal to draw in
RANDOM_WARNING = "random weights: good for timing, the annotations mean nothing"


class Console:
    """Progress on stderr: a bar in a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = plain_console(stderr=True, quiet=quiet)
        self._bar: Progress | None = None
        self._download: TaskID | None = None
        self._started = self._last_line = monotonic()
        if self._console.is_terminal and not quiet:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}", markup=False),
                TimeRemainingColumn(),
                console=self._console,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def download(self, file: str, done: int, total: int) -> None:
        """Show how far a download of weights is."""
        complete = 0 < total <= done
        megabytes = f"{done / MEGABYTE:.0f}{f' of {total / MEGABYTE:.0f}' if total else ''} MB"
        if self._bar is not None:
            if self._download is None:
                self._download = self._bar.add_task(f"downloading {file}", total=total or None, facts="")
            self._bar.update(self._download, completed=done, facts=megabytes)
            if complete:
                self._bar.remove_task(self._download)
                self._download = None
        elif complete or monotonic() - self._last_line > PLAIN_EVERY_SECONDS:
            self._last_line = monotonic()
            self._console.print(f"downloading {file}: {megabytes}")

    def start(self, info: SourceInfo, built: BuiltModel) -> None:
        """Say what is about to run."""
        h, w = info.size
        self._console.print(f"{plain(info.name)}: {w} x {h}, {built.model.name} ({built.weights_description})")
        if built.is_random:
            self._console.print(RANDOM_WARNING, style="yellow")
        self._started = self._last_line = monotonic()
        if self._bar is not None:
            self._bar.add_task(built.model.task, total=info.frame_count, facts="")

    def note(self, lines: tuple[str, ...]) -> None:
        """Say what is known beforehand, so that nobody waits for a result without sound."""
        for line in lines:
            self._console.print(f"note: {plain(line)}", style="yellow")

    def advance(self, _result: FrameResult, progress: RunProgress) -> None:
        """Show one more frame."""
        elapsed = monotonic() - self._started
        fps = progress.frames / elapsed if elapsed > 0 else 0.0
        facts = f"{fps:.1f} fps, {progress.key_frames / progress.frames:.0%} key frames"
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0], completed=progress.frames, total=progress.expected_frames, facts=facts
            )
        elif monotonic() - self._last_line > PLAIN_EVERY_SECONDS:
            self._last_line = monotonic()
            expected = progress.expected_frames
            ahead = ""
            if expected and fps and expected >= progress.frames:
                ahead = f" of {expected}, about {(expected - progress.frames) / fps:.0f} s to go"
            self._console.print(f"{progress.frames} frames{ahead}: {facts}")


def print_report(report: RunReport, *, outputs: tuple[str, ...], stderr: bool = False) -> None:
    """The summary at the end, on stdout, or on stderr where stdout holds the results."""
    console = plain_console(stderr=stderr)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    reasons = ", ".join(f"{count} {reason.replace('-', ' ')}" for reason, count in report.key_reasons.items())
    table.add_row("frames", f"{report.frames}")
    table.add_row("key frames", f"{report.key_frames} ({reasons})")
    if report.estimate is not None:
        got = report.estimate
        asked = "" if report.target is None else f", asked for {report.target:.1%}"
        found = f"about {got.agreement:.1%} ({got.low:.1%} to {got.high:.1%}, {got.comparisons} comparisons{asked})"
        table.add_row("agreement", f"{found} with per-frame results")
    if report.objects:
        table.add_row("objects", f"{report.objects} ({report.objects / report.frames:.1f} a frame)")
    table.add_row("end to end", f"{report.fps:.1f} fps, {report.seconds:.1f} s")
    table.add_row("network", f"{report.key_ms:.1f} ms on a key frame")
    if report.propagated_ms is not None:
        table.add_row("", f"{report.propagated_ms:.1f} ms on a propagated frame (flow, warp, head)")
        table.add_row(
            "speed-up",
            f"{report.network_speed_up:.1f}x network only, about {report.end_to_end_speed_up:.1f}x end to end, "
            "against per-frame evaluation",
        )
    for path in outputs:
        table.add_row("written", plain(path))
    console.print(table)
    if report.verdict is not None:
        console.print(report.verdict, markup=False, style="yellow")
    for note in report.notes:
        console.print(f"note: {plain(note)}", style="yellow")
    if report.settings["random_weights"]:
        console.print(RANDOM_WARNING, style="yellow")
