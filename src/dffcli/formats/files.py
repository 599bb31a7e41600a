"""Sinks that fill a text file or a folder and give it its name at the end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Protocol, Self

from dffcli.core.types import FrameResult
from dffcli.files.atomic import atomic_folder, atomic_path, writing
from dffcli.formats.record import FrameRecord


class TextWriter(Protocol):
    """A format that is one text file."""

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write what comes before the first frame.

        Args:
            file: the file itself.
            spool: an empty temporary file, for what has to stand behind everything else.
        """

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""

    def finish(self) -> None:
        """Write what comes after the last frame."""


class FolderWriter(Protocol):
    """A format that is a folder of files."""

    def begin(self, folder: Path) -> None:
        """Write what comes before the first frame.

        Args:
            folder: exists and is empty.
        """

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""

    def finish(self) -> None:
        """Write what comes after the last frame."""

    def close(self) -> None:
        """Let go of open files; called in any case."""


class FileSink:
    """A text file in the making."""

    def __init__(self, path: Path | str, writer: TextWriter) -> None:
        """Describe the file; it is begun on entering the context.

        Args:
            path: its final name.
            writer: its format.
        """
        self._path = path
        self._writer = writer

    def __enter__(self) -> Self:
        with ExitStack() as stack, writing(self._path):
            part = stack.enter_context(atomic_path(self._path))
            self._file = stack.enter_context(open(part, "wb"))
            spool = stack.enter_context(TemporaryFile(dir=part.parent))
            self._writer.begin(self._file, spool)
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
            self._file.flush()

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
            self._writer.write(record)


class FolderSink:
    """A folder in the making."""

    def __init__(self, path: Path | str, writer: FolderWriter) -> None:
        """Describe the folder; it is begun on entering the context.

        Args:
            path: its final name.
            writer: its format.
        """
        self._path = path
        self._writer = writer

    def __enter__(self) -> Self:
        with ExitStack() as stack, writing(self._path):
            folder = stack.enter_context(atomic_folder(self._path))
            stack.callback(self._writer.close)
            self._writer.begin(folder)
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
            self._writer.write(record)
