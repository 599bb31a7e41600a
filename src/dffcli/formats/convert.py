"""From one annotation format to another, frame by frame, with an account of what became of everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dffcli.errors import DataError, DFFError, OutputError
from dffcli.files.atomic import atomic_path, claimed, writing
from dffcli.files.check import check_outputs
from dffcli.formats.account import Account, Line
from dffcli.formats.corrections import apply, read_corrections
from dffcli.formats.filters import Filters
from dffcli.formats.guess import guess_format
from dffcli.formats.reading import Annotated, Budget, Given, Reading, known_videos, understanding
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.registry import check_fit, check_options, formats, is_folder, open_record_sink, output_format
from dffcli.formats.sink import OutputOptions


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion did.

    Attributes:
        read_format: the format that was read.
        written_format: the format that was written.
        account: what was read, what was written, and what became of the rest.
        video: the name of the video, where the file held several.
    """

    read_format: str
    written_format: str
    account: Account
    video: str | None = None


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How annotations are converted.

    Attributes:
        given: what the user says of the source.
        source_format: of the source, where its name and content do not say.
        corrections: what was put right in the source with `dff review`.
        filters: what is left out on purpose.
        is_strict: any loss is an error.
        budget: how much is read at most.
        min_track: tracks seen on fewer frames are left out.
        report: where the account is written as JSON.
        output: how the target is written.
    """

    given: Given = field(default_factory=Given)
    source_format: str | None = None
    corrections: Path | None = None
    filters: Filters = field(default_factory=Filters)
    is_strict: bool = False
    budget: Budget = field(default_factory=Budget)
    min_track: int = 1
    report: Path | None = None
    output: OutputOptions = field(default_factory=OutputOptions)


def convert(source: str, target: str, options: ConvertOptions | None = None) -> Converted:
    """Write the annotations of one file or folder in another format.

    Args:
        source: what is read.
        target: what is written; its name says the format, unless `options.output.format` does.
        options: how.

    Raises:
        DataError: the source is not what it should be, or holds several videos and none was chosen.
        OutputError: the target exists, cannot be written, or cannot hold what is read; or something is lost and
            `is_strict` is set. What is lost is in the error's `account`.
    """
    options = options or ConvertOptions()
    name = output_format(target, format=options.output.format)
    if name == "video":
        raise OutputError(f"{target}: a video needs pictures: `dff detect` and `dff segment` draw them")
    inputs: list[Path | str] = [source, *([] if options.corrections is None else [options.corrections])]
    reports = [] if options.report is None else [options.report]
    overwrite = options.output.overwrite
    check_outputs([target, *reports], inputs=inputs, overwrite=overwrite)
    if options.output.save_frames != "no":
        raise OutputError("--save-frames: there are no pictures in annotations: `dff detect` saves them")
    check_options([(target, name)], options.output)
    account = Account()
    reading = Reading(Path(source), options.given, account=account, budget=options.budget)
    found, videos = read_annotations(reading, format=options.source_format)
    chosen = reading.choose(videos)
    if len(chosen) > 1:
        raise DataError(f"{source}: holds {len(chosen)} videos: choose one with --video: {known_videos(chosen)}")
    sequence = chosen[0].sequence
    check_fit(target, name, task=sequence.task, has_masks=True, model=Path(source).name)
    wanted = chosen[0]
    if options.corrections is not None:
        operations = read_corrections(options.corrections, of=Path(source)).operations
        wanted = Annotated(sequence, apply(operations, wanted.records))
    sequence, records = options.filters.applied(wanted, account)
    files, folders = ([], [target]) if is_folder(target, name) else ([target], [])
    failure: DFFError | None = None
    with claimed(files=reports, overwrite=overwrite):  # told of a failure as well
        try:
            with (
                claimed(files=files, folders=folders, overwrite=overwrite),
                open_record_sink(
                    target, name, sequence, options=options.output, account=account, min_track=options.min_track
                ) as sink,
            ):
                for record in records:
                    sink.write_record(record)
                _refuse_losses(source, target, name, account, is_strict=options.is_strict)
        except DFFError as error:
            failure = error
        for report in reports if account.read.frames else ():
            write_report(report, account)
    if failure is not None:
        raise failure
    return Converted(found, name, account, sequence.info.name if len(videos) > 1 else None)


class LossError(OutputError):
    """Something would have been lost, and must not be."""

    def __init__(self, message: str, account: Account) -> None:
        """Keep the account.

        Args:
            message: one line.
            account: what is lost.
        """
        super().__init__(message)
        self.account = account


def _refuse_losses(source: str, target: str, name: str, account: Account, *, is_strict: bool) -> None:
    """Raise over a conversion that leaves nothing, or over any loss if none is allowed."""
    if account.lost_objects and not account.written.objects and not account.asked:
        line = next(line for line in account.losses.values() if line.is_object)
        raise LossError(f"{source}: nothing on it can be written as {name}: {_said(line)}", account)
    if is_strict and account.losses:
        line = next(iter(account.losses.values()))
        kinds = len(account.losses)
        more = f", and {kinds - 1} more kinds of loss" if kinds > 1 else ""
        raise LossError(f"{target}: not written, for --strict forbids losses: {_said(line)}{more}", account)


def _said(line: Line) -> str:
    return f"{line.count} x {line.what}; first: {line.example}"


def read_annotations(reading: Reading, *, format: str | None = None) -> tuple[str, list[Annotated]]:
    """The annotations of a file or folder, in any format dff knows.

    Args:
        reading: the file or folder, and what the user says of it.
        format: its format, where its name and content do not say.

    Returns:
        The format's name, and every video in it.

    Raises:
        DataError: it is missing, or not what it should be.
    """
    path = reading.path
    with understanding(path):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        name = format or guess_format(reading)
    known = formats()
    if name not in known or not known[name].is_read:
        readable = ", ".join(name for name, form in known.items() if form.is_read)
        raise DataError(f"{path}: {name} cannot be read; these can: {readable}")
    with understanding(path):
        return name, [_guarded(path, item) for item in known[name].reader()(reading)]


def _guarded(path: Path, item: Annotated) -> Annotated:
    """The same, with whatever a broken file causes later on as one line too."""

    def records(found: Iterator[FrameRecord]) -> Iterator[FrameRecord]:
        with understanding(path):
            yield from found

    return Annotated(item.sequence, records(iter(item.records)))


def one_sequence(reading: Reading, *, format: str | None = None) -> tuple[str, Sequence, Iterator[FrameRecord]]:
    """The annotations of a file that holds one video.

    Raises:
        DataError: it holds several, or is not what it should be.
    """
    name, videos = read_annotations(reading, format=format)
    chosen = reading.choose(videos)
    if len(chosen) != 1:
        raise DataError(f"{reading.path}: expected one video, found {known_videos(chosen)}")
    return name, chosen[0].sequence, chosen[0].records


def write_report(report: Path, account: Account) -> None:
    """Write the account as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(account.as_json(), indent=2, ensure_ascii=False) + "\n"
    with atomic_path(report) as part, writing(report):
        part.write_text(text, encoding="utf-8", errors="replace")
