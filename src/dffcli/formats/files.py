"""Sinks that fill a text file or a folder and give it its name at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Protocol, Self

from dffcli.core.types import FrameResult
from dffcli.files.atomic import atomic_folder, atomic_path, writing
from dffcli.formats.record import FrameRecord
from dffcli.formats.saved import SavedPictures
from dffcli.formats.short_tracks import LongTracks
from dffcli.formats.target import Target


class Writer(Protocol):
    """A format in the making."""

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""

    def finish(self) -> None:
        """Write what comes after the last frame."""


class TextWriter(Writer, Protocol):
    """A format that is one text file."""

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write what comes before the first frame.

        Args:
            file: the file itself.
            spool: an empty temporary file, for what has to stand behind everything else.
        """


class FolderWriter(Writer, Protocol):
    """A format that is a folder of files."""

    def begin(self, folder: Path) -> None:
        """Write what comes before the first frame.

        Args:
            folder: exists and is empty.
        """

    def close(self) -> None:
        """Let go of open files; called in any case."""


class RecordSink:
    """An output that needs no pictures: every frame is fitted to the format, then written."""

    def __init__(self, target: Target, writer: Writer, begin: Callable[[ExitStack], Path | None]) -> None:
        """Describe the output; it is begun on entering the context.

        Args:
            target: what is to be written, and where.
            writer: its format.
            begin: opens the unfinished file or folder, and undoes that when the stack is left; gives the folder.
        """
        self._target = target
        self._path = target.path
        self._writer = writer
        self._begin = begin
        self._waiting: LongTracks | None = None
        self._pictures: SavedPictures | None = None
        self._first: int | None = None  # what is added to the numbers of frames

    def __enter__(self) -> Self:
        target = self._target
        with ExitStack() as stack, writing(self._path):
            folder = self._begin(stack)
            if target.min_track > 1:
                file = stack.enter_context(TemporaryFile())
                names, account = target.fitter.names, target.fitter.account
                self._waiting = LongTracks(file, least=target.min_track, names=names, account=account)
            if folder is not None and target.options.save_frames != "no" and target.pictures:
                self._pictures = SavedPictures(folder / target.pictures, suffix=f".{target.options.save_frames}")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self._path), self._stack:
            if error is not None:
                self._stack.__exit__(kind, error, trace)
                return
            for record in self._waiting or ():
                self._writer.write(self._target.fitter.fit(record))
            self._writer.finish()

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of the files beside it."""
        return tuple(self._target.notes)

    def write(self, result: FrameResult) -> None:
        """Write one frame's result."""
        record = self._in_source(FrameRecord.of(result))
        if self._pictures is not None and self._is_wanted(record):
            with writing(self._path):
                record = self._pictures.save(result.frame.image, record)
        self.write_record(record)

    def write_record(self, record: FrameRecord) -> None:
        """Write one frame, if it is among those that are wanted.

        Raises:
            OutputError: the disk does not take it, or the format cannot say it.
        """
        if not self._is_wanted(record):
            return
        with writing(self._path):
            if self._waiting is not None:
                self._waiting.add(record)
            else:
                self._writer.write(self._target.fitter.fit(record))

    def _in_source(self, record: FrameRecord) -> FrameRecord:
        """The frame under its number in the whole source, where only a part of it was taken."""
        info = self._target.sequence.info
        if self._first is None:
            is_part = info.start_seconds is not None and info.average_rate is not None
            since = record.pts_seconds - info.clock_zero_seconds
            self._first = max(0, round(since * (info.average_rate or 0))) - record.index if is_part else 0
        if not self._first:
            return record
        keys = tuple(key + self._first for key in record.key_indices)
        return replace(record, index=record.index + self._first, key_indices=keys)

    def _is_wanted(self, record: FrameRecord) -> bool:
        options = self._target.options
        is_turn = record.index % options.every == 0
        return is_turn and (record.key_reason is not None or not options.only_key_frames)


def file_sink(target: Target, writer: TextWriter) -> RecordSink:
    """A text file in the making."""

    def begin(stack: ExitStack) -> None:
        part = stack.enter_context(atomic_path(target.path))
        file = stack.enter_context(open(part, "wb"))  # noqa: SIM115
        spool = stack.enter_context(TemporaryFile(dir=part.parent))  # noqa: SIM115
        writer.begin(file, spool)

    return RecordSink(target, writer, begin)


def folder_sink(target: Target, writer: FolderWriter) -> RecordSink:
    """A folder in the making."""

    def begin(stack: ExitStack) -> Path | None:
        folder = stack.enter_context(atomic_folder(target.path))
        stack.callback(writer.close)
        writer.begin(folder)
        return folder

    return RecordSink(target, writer, begin)


class InFolder:
    """A format that is one text file, as a folder with that file in it; a `FolderWriter`."""

    def __init__(self, writer: TextWriter, *, name: str) -> None:
        """Describe the folder.

        Args:
            writer: of the file.
            name: of the file.
        """
        self._writer = writer
        self._name = name
        self._stack = ExitStack()

    def begin(self, folder: Path) -> None:
        """Begin the file."""
        file = self._stack.enter_context((folder / self._name).open("wb"))
        spool = self._stack.enter_context(TemporaryFile())  # noqa: SIM115
        self._writer.begin(file, spool)

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        self._writer.write(record)

    def finish(self) -> None:
        """Complete the file."""
        self._writer.finish()
        self._stack.close()

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()
