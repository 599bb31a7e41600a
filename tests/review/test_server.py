"""The page's server: this machine alone, behind a token."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from dffcli.review.result import open_result
from dffcli.review.server import HOST, ReviewServer, leading_file
from tests.review.results import write_result

TOKEN = "t0ken"


class Running:
    """A server on a free port, in a thread."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, host=HOST, port=0, log_level="critical", lifespan="off", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.02)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    result, _ = write_result(tmp_path)
    server = Running(ReviewServer(open_result(result), token=TOKEN).app)
    yield server
    server.stop()


def test_the_page_its_data_and_its_video_come_behind_the_token(running: Running, tmp_path: Path) -> None:
    status, headers, page = running.ask(f"/{TOKEN}/")
    assert status == 200
    assert b"dff/app.js" in page
    assert "default-src 'none'" in headers["content-security-policy"]
    assert running.ask(f"/{TOKEN}/data")[2].startswith(b"DFFCOLS1")
    assert running.ask(f"/{TOKEN}/app.js")[1]["content-type"].startswith("text/javascript")
    video = (tmp_path / "clip.mp4").read_bytes()
    assert running.ask(f"/{TOKEN}/media")[2] == video
    status, headers, part = running.ask(f"/{TOKEN}/media", headers={"Range": "bytes=10-19"})
    assert (status, part) == (206, video[10:20])


@pytest.mark.parametrize("path", ["/", "/data", "/wrong/", "/wrong/data", "/t0kenX/data", "//data", "/%74/data"])
def test_who_does_not_know_the_token_learns_nothing(running: Running, path: str) -> None:
    assert running.ask(path)[::2] == (404, b"not here")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_is_refused_even_with_the_token(running: Running, headers: dict[str, str]) -> None:
    assert running.ask(f"/{TOKEN}/data", headers=headers)[::2] == (404, b"not here")


def test_a_file_of_the_users_own_leads_to_the_page_but_not_to_its_data(running: Running, tmp_path: Path) -> None:
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert running.ask(f"/{TOKEN}/", headers=opened)[0] == 200
    assert running.ask(f"/{TOKEN}/data", headers=opened)[0] == 404
    assert running.ask(f"/{TOKEN}/", headers={**opened, "Sec-Fetch-Dest": "iframe"})[0] == 404
    with leading_file("http://127.0.0.1:1/secret/") as page:
        assert page.parent.stat().st_mode & 0o077 == 0
        assert "url=http://127.0.0.1:1/secret/" in page.read_text()
    assert not page.exists()


def test_no_answer_is_for_other_sites(running: Running) -> None:
    headers = running.ask(f"/{TOKEN}/data")[1]
    assert "access-control-allow-origin" not in headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", ["../result.py", "%2e%2e/result.py", "index.html", "boxes.json", "nothing.js"])
def test_only_the_pages_own_files_are_served(running: Running, name: str) -> None:
    assert running.ask(f"/{TOKEN}/{name}")[0] == 404


def test_frames_are_decoded_for_browsers_that_cannot_play_the_video(running: Running) -> None:
    for index in (3, 4, 0, 29):
        status, headers, data = running.ask(f"/{TOKEN}/frame/{index}.jpg")
        assert (status, headers["content-type"], data[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert running.ask(f"/{TOKEN}/frame/30.jpg")[0] == 404


def test_corrections_are_kept_beside_the_result_which_is_not_touched(running: Running, tmp_path: Path) -> None:
    before = hashlib.sha256((tmp_path / "boxes.json").read_bytes()).hexdigest()
    operations = [{"op": "merge", "tracks": [1, 2]}, {"op": "checked", "first": 0, "last": 9}]
    body = json.dumps({"dff": "corrections", "version": 1, "operations": operations}).encode()
    status, _, said = running.ask(f"/{TOKEN}/corrections", method="PUT", body=body)
    assert (status, json.loads(said)) == (200, {"saved": 2, "file": "boxes.json.corrections.json"})
    kept = json.loads((tmp_path / "boxes.json.corrections.json").read_text())
    assert kept["operations"] == operations
    assert kept["sha256"] == before == hashlib.sha256((tmp_path / "boxes.json").read_bytes()).hexdigest()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"dff":"corrections","version":1,"operations":[{"op":"x"}]}'])
def test_corrections_that_make_no_sense_are_refused_and_nothing_is_written(
    running: Running, tmp_path: Path, body: bytes
) -> None:
    assert running.ask(f"/{TOKEN}/corrections", method="PUT", body=body)[0] == 400
    assert not (tmp_path / "boxes.json.corrections.json").exists()
