"""A live run ends when it is told to, as if its stream had ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest

from tests.video.media import make_video

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
WITHIN_SECONDS = 10.0  # for a process that shares its cores with others; without ending it would be the stream's 20


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_video(tmp_path_factory.mktemp("live") / "a.ts", 60, size=(48, 64), options={"g": "5"}).read_bytes()


@pytest.fixture
def address(stream: bytes) -> Iterator[str]:
    """A server that sends a clip and then nothing more, without ending."""
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                client.recv(4096)
                client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + stream)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/live.ts"
    listener.close()
    for client in clients:
        client.close()


TOLD = """
import sys
from dffcli.cli import console, main
told = console.Console.advance
def advance(self, result, progress):
    print(progress.frames, flush=True)
    told(self, result, progress)
console.Console.advance = advance
sys.exit(main(sys.argv[1:]))
"""


def start(address: str, folder: Path) -> subprocess.Popen[str]:
    arguments = ["segment", address, "-o", "out.mp4", "-o", "out.json", "-o", "masks", "--weights", "random", "-q"]
    return subprocess.Popen(
        [sys.executable, "-c", TOLD, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str], frames: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().isdecimal() and int(line) >= frames:
            return
    raise AssertionError(process.stderr and process.stderr.read())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_it_with_everything_complete(address: str, tmp_path: Path, number: int) -> None:
    process = start(address, tmp_path)
    wait_for(process, 20)
    time.sleep(0.5)  # now the stream stalls
    process.send_signal(number)
    started = time.monotonic()
    _, said = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert time.monotonic() - started < WITHIN_SECONDS
    images = json.loads((tmp_path / "out.json").read_text())["images"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(images) >= 20
    assert len(list((tmp_path / "masks").glob("*.png"))) == len(images)
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.json", "masks"}


@pytest.mark.slow
def test_the_second_signal_leaves_at_once_and_nothing_behind(address: str, tmp_path: Path) -> None:
    process = start(address, tmp_path)
    wait_for(process, 20)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)

    assert process.returncode in (0, 130, 143), said  # 0 where it had ended before the second came
    if process.returncode:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_nobody_at_the_other_end_can_be_left_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes the connection and says nothing
        process = start(f"http://127.0.0.1:{listener.getsockname()[1]}/live.ts", tmp_path)
        client, _ = listener.accept()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, said = process.communicate(timeout=60)
        client.close()

    assert process.returncode == 130, said
    assert said.count("\n") == 1
    assert time.monotonic() - started < WITHIN_SECONDS
    assert list(tmp_path.iterdir()) == []
