"""A download that broke goes on from where it broke, if the server can; else it begins anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dffcli.errors import WeightsError
from dffcli.models.weights.downloads import cached_file, fetch

CONTENT = bytes(range(256)) * 20_000  # 5 MB
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@contextmanager
def serve(*, resumes: bool = True, break_after: int | None = None, content: bytes = CONTENT) -> Iterator[list[str]]:
    """A server of one file; it can break off an answer. Gives its address first, then the ranges asked for."""
    log: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            log.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and resumes else 0
            if start >= len(content):
                self.send_error(416)
                return
            body = content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:break_after] if len(log) == 2 else body)

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    log.append(f"http://127.0.0.1:{server.server_address[1]}/{NAME}")
    try:
        yield log
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_second_attempt_asks_only_for_the_rest() -> None:
    with serve(break_after=1_500_000) as log:
        with pytest.raises(WeightsError, match="try again"):
            fetch(log[0], model="net")
        partial = cached_file(log[0]).with_name(NAME + ".partial")
        assert partial.stat().st_size == 1_500_000
        told: list[tuple[int, int]] = []
        path = fetch(log[0], model="net", on_progress=lambda _name, done, total: told.append((done, total)))
        assert log[1:] == ["", "bytes=1500000-"]
        assert path.read_bytes() == CONTENT
        assert told[0][0] > 1_500_000
        assert told[-1] == (len(CONTENT), len(CONTENT))
        assert not partial.exists()


def test_a_server_that_cannot_resume_sends_everything_again() -> None:
    with serve(resumes=False, break_after=1000) as log:
        with pytest.raises(WeightsError):
            fetch(log[0], model="net")
        assert fetch(log[0], model="net").read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_real_one_is_thrown_away() -> None:
    with serve() as log:
        path = cached_file(log[0])
        path.parent.mkdir(parents=True)
        path.with_name(NAME + ".partial").write_bytes(bytes(len(CONTENT) + 10))
        assert fetch(log[0], model="net").read_bytes() == CONTENT


def test_a_rest_that_does_not_fit_is_found_by_the_digest() -> None:
    with serve() as log:
        path = cached_file(log[0])
        path.parent.mkdir(parents=True)
        partial = path.with_name(NAME + ".partial")
        partial.write_bytes(b"another beginning")
        with pytest.raises(WeightsError, match="SHA-256"):
            fetch(log[0], model="net")
        assert not partial.exists()
        assert fetch(log[0], model="net").read_bytes() == CONTENT
