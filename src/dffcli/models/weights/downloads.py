"""Published weights in torch hub's cache: find them, or fetch them."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast

from dffcli.errors import WeightsError
from dffcli.files import system

OnProgress = Callable[[str, int, int], None]
"""Called with the file name, the bytes that are here and the bytes there are (0 where unknown)."""

CHUNK = 1 << 20  # bytes
TIMEOUT = 20  # seconds without an answer
PARTIAL_CONTENT = 206  # HTTP: the answer begins where it was asked to


_listener: ContextVar[OnProgress | None] = ContextVar("listener", default=None)


@contextmanager
def reporting(on_progress: OnProgress) -> Iterator[None]:
    """Within, downloads that nobody else listens to are told to `on_progress`."""
    token = _listener.set(on_progress)
    try:
        yield
    finally:
        _listener.reset(token)


def cache_folder() -> Path:
    """Where torch hub keeps checkpoints (`TORCH_HOME` moves it).

    Raises:
        WeightsError: there is no home folder.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    try:
        return Path(home).expanduser() / "hub" / "checkpoints"
    except RuntimeError as error:  # no HOME, and no such user
        raise WeightsError(
            "where weights are kept cannot be told: set HOME or TORCH_HOME, or name a file with --weights"
        ) from error


def cached_file(url: str) -> Path:
    """Where the file of that address is, or would be."""
    return cache_folder() / url.rsplit("/", 1)[-1]


def fetch(url: str, *, model: str, on_progress: OnProgress | None = None) -> Path:
    """The file of that address, downloaded unless it is in the cache already.

    What was received before a download broke is kept, and the next one goes on from there where the server can. The
    eight hexadecimal digits at the end of a published name are the beginning of its SHA-256, and are checked.

    Args:
        url: of a checkpoint.
        model: whose it is, for the message.
        on_progress: told how far the download is; if absent, whoever `reporting` named.

    Raises:
        WeightsError: it is not here and cannot be fetched.
    """
    path = cached_file(url)
    if path.is_file():
        return path
    on_progress = on_progress or _listener.get()
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        total, done = _receive(url, partial, name=path.name, on_progress=on_progress)
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise WeightsError(
            f"{model}: its weights {path.name} are not in {path.parent} and cannot be fetched ({reason}); "
            f"put the file from {url} there, or name one with --weights"
        ) from error
    if total and done != total:
        raise WeightsError(f"{path.name}: expected {total} bytes from {url}, got {done}; try again to go on from there")
    expected = expected_digest(path)
    if expected and not file_digest(partial).startswith(expected):
        partial.unlink()
        raise WeightsError(f"{path.name}: expected a SHA-256 that begins with {expected}, got another file")
    partial.replace(path)
    return path


def _receive(url: str, partial: Path, *, name: str, on_progress: OnProgress | None) -> tuple[int, int]:
    """Bring a file as near to complete as the server lets; the bytes there are (0 where unknown) and those here."""
    here = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        answer = cast(HTTPResponse, urllib.request.urlopen(request, timeout=TIMEOUT))
    except urllib.error.HTTPError as error:
        error.close()
        if not here:
            raise
        partial.unlink()  # what is here is of no use to this server: begin anew
        return _receive(url, partial, name=name, on_progress=on_progress)
    with answer:
        goes_on = bool(here) and answer.status == PARTIAL_CONTENT
        done = here if goes_on else 0
        length = int(answer.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        with partial.open("ab") as file:
            with suppress(system.NotSupported):
                if not system.lock(file.fileno(), partial):
                    raise WeightsError(f"{name}: another run is fetching it; try again when it is done")
            if not goes_on:
                file.truncate(0)
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(name, done, total)
    return total, done


def expected_digest(path: Path) -> str:
    """The beginning of its SHA-256 that a published file carries in its name (`net-1a2b3c4d.pth`), or nothing."""
    end = path.stem.rsplit("-", 1)[-1]
    return end if len(end) == 8 and all(digit in "0123456789abcdef" for digit in end) else ""


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
