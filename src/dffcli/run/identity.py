"""What two runs must agree in to give the same results: every setting that can shape them, and every file they name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from dffcli._version import __version__
from dffcli.option import settings_of
from dffcli.video.reader import files_read

WHOLE_BYTES = 64 << 20  # files up to this are digested whole: a tenth of a second
PIECES, PIECE_BYTES = 256, 64 << 10  # of larger ones, evenly spaced
DIGEST_LETTERS = 16


def identity_of(config: Any) -> dict[str, Any]:
    """The identity of a run, from the fields of its config, as JSON can hold it.

    A field counts unless it says of itself that it cannot shape a result; one that names files that exist counts with
    what is in them.

    Args:
        config: a dataclass value with all that was left open decided.
    """
    identity: dict[str, Any] = {"dff version": __version__}
    for setting in settings_of(config):
        if setting.option is not None and not setting.option.shapes_result:
            continue
        if setting.option is not None and setting.option.is_written:
            identity[setting.words] = [os.path.realpath(path) for path in setting.value]
            continue
        identity[setting.words] = _plain(setting.value)
        files = _files_named(setting.value)
        if files:
            identity[f"digest of {setting.words}"] = digest(files)
    return identity


def digest(files: Iterable[Path]) -> str:
    """A short digest of files, in their order: of all their bytes, of large ones of pieces, size and time.

    Of many files (a folder of pictures) names, sizes, times and inodes stand for the bytes.
    """
    paths = list(files)
    total = hashlib.sha256()
    for path in paths:
        if len(paths) > 1:
            about = path.stat()
            total.update(os.fsencode(path.name) + f" {about.st_size} {about.st_mtime_ns} {about.st_ino}\n".encode())
        else:
            _add_file(total, path)
    return total.hexdigest()[:DIGEST_LETTERS]


def _add_file(total: hashlib._Hash, path: Path) -> None:
    about = path.stat()
    with path.open("rb") as file:
        if about.st_size <= WHOLE_BYTES:
            total.update(file.read())
            return
        total.update(f"{about.st_size} {about.st_mtime_ns}".encode())
        for piece in range(PIECES):
            file.seek((about.st_size - PIECE_BYTES) * piece // (PIECES - 1))
            total.update(file.read(PIECE_BYTES))


def _files_named(value: Any) -> list[Path]:
    """The files that a value names: itself, the pictures of a folder, what a pattern matches."""
    return [path for path in files_read(str(value)) if path.exists()] if isinstance(value, str | Path) else []


def _plain(value: Any) -> Any:
    """A value as JSON holds it; a file that exists is known by where it really lies."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Path) or (isinstance(value, str) and _files_named(value)):
        return os.path.realpath(value)
    return str(value) if isinstance(value, Fraction) else value
