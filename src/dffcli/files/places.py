"""Where a name leads, and what the system says when it cannot be written there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dffcli.errors import OutputError


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn what the system says of a failed write (disk full, no permission ...) into one line about `path`.

    Raises:
        OutputError: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{path}: cannot be written: {reason[:1].lower()}{reason[1:]}") from error


def final_place(path: Path | str) -> Path:
    """The place a name stands for, with links followed: it is what they lead to that is written, not the link.

    Raises:
        OutputError: the links lead in a circle, or what should be a folder above it is none.
    """
    with writing(path):
        if os.path.islink(path):
            os.stat(os.path.dirname(os.path.abspath(path)))
            with suppress(FileNotFoundError):
                os.stat(path)  # a circle of links raises here
        target = Path(os.path.realpath(path))
        above = next((folder for folder in target.parents if folder.exists()), target.parent)
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
    return target
