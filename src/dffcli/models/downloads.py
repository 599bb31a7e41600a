"""Published weights in torch hub's cache: find them, or fetch them."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from tempfile import NamedTemporaryFile

from dffcli.errors import WeightsError

OnProgress = Callable[[str, int, int], None]
"""Called with the file name, the bytes that are here and the bytes there are (0 where unknown)."""

CHUNK = 1 << 20  # bytes
TIMEOUT = 20  # seconds without an answer


def cache_folder() -> Path:
    """Where torch hub keeps checkpoints (`TORCH_HOME` moves it)."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def cached_file(url: str) -> Path:
    """Where the file of that address is, or would be."""
    return cache_folder() / url.rsplit("/", 1)[-1]


def fetch(url: str, *, model: str, on_progress: OnProgress | None = None) -> Path:
    """The file of that address, downloaded unless it is in the cache already.

    The eight hexadecimal digits at the end of a published name are the beginning of its SHA-256, and are checked.

    Args:
        url: of a checkpoint.
        model: whose it is, for the message.
        on_progress: told how far the download is.

    Raises:
        WeightsError: it is not here and cannot be fetched.
    """
    path = cached_file(url)
    if path.is_file():
        return path
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT) as answer,
            NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".partial", delete=False) as file,
        ):
            partial = Path(file.name)
            total, done, digest = int(answer.headers.get("Content-Length") or 0), 0, hashlib.sha256()
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(path.name, done, total)
        expected = path.stem.rsplit("-", 1)[-1]
        if total and done != total:
            raise WeightsError(f"{path.name}: expected {total} bytes from {url}, got {done}")
        if len(expected) == 8 and not digest.hexdigest().startswith(expected):
            raise WeightsError(f"{path.name}: expected a SHA-256 that begins with {expected}, got another file")
        partial.replace(path)
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise WeightsError(
            f"{model}: its weights {path.name} are not in {path.parent} and cannot be fetched ({reason}); "
            f"put the file from {url} there, or name one with --weights"
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return path
