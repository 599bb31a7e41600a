"""Sinks that fill a text file or a folder and give it its name at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Protocol, Self

from dffcli.core.types import FrameResult
from dffcli.files.atomic import atomic_folder, atomic_path, writing
from dffcli.formats.record import FrameRecord
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

    def __init__(self, target: Target, writer: Writer, begin: Callable[[ExitStack], None]) -> None:
        """Describe the output; it is begun on entering the context.

        Args:
            target: what is to be written, and where.
            writer: its format.
            begin: opens the unfinished file or folder, and undoes that when the stack is left.
        """
        self._path = target.path
        self._fitter = target.fitter
        self._writer = writer
        self._begin = begin

    def __enter__(self) -> Self:
        with ExitStack() as stack, writing(self._path):
            self._begin(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self._path), self._stack:
            if error is not None:
                self._stack.__exit__(kind, error, trace)
                return
            self._writer.finish()

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing to say."""
        return ()

    def write(self, result: FrameResult) -> None:
        """Write one frame's result."""
        self.write_record(FrameRecord.of(result))

    def write_record(self, record: FrameRecord) -> None:
        """Write one frame.

        Raises:
            OutputError: the disk does not take it, or the format cannot say it.
        """
        with writing(self._path):
            self._writer.write(self._fitter.fit(record))


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

    def begin(stack: ExitStack) -> None:
        folder = stack.enter_context(atomic_folder(target.path))
        stack.callback(writer.close)
        writer.begin(folder)

    return RecordSink(target, writer, begin)
