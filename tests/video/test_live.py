"""What is read as it comes keeps its sound, comes back when it is lost, and never makes a wrong end look right."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from dffcli.core.types import Frame
from dffcli.errors import VideoDecodeError, VideoOpenError
from dffcli.video import live
from dffcli.video.reader import may_stall, open_source
from dffcli.video.writer import VideoWriter
from tests.video.media import make_video, packets_of
from tests.video.test_writer import times_in

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n"
Answer = Callable[[BaseRequestHandler, bytes], None]


@contextmanager
def serving(*answers: Answer) -> Iterator[str]:
    """A server whose n-th connection is answered by the n-th function, later ones not at all."""
    left = list(answers)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            request = self.request.recv(65536)
            if left:
                left.pop(0)(self, request)

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/live.ts"
        finally:
            server.shutdown()
            thread.join()


def whole(data: bytes) -> Answer:
    return lambda handler, _: handler.request.sendall(HEAD + f"Content-Length: {len(data)}\r\n\r\n".encode() + data)


def cut(data: bytes, *, of: int) -> Answer:
    return lambda handler, _: handler.request.sendall(HEAD + f"Content-Length: {of}\r\n\r\n".encode() + data)


def endless(data: bytes) -> Answer:
    return lambda handler, _: handler.request.sendall(HEAD + b"Connection: close\r\n\r\n" + data)


def chunked(data: bytes, *, is_whole: bool) -> Answer:
    body = b"".join(b"%x\r\n%s\r\n" % (len(data[i : i + 5000]), data[i : i + 5000]) for i in range(0, len(data), 5000))
    body = body + b"0\r\n\r\n" if is_whole else body[: -len(body) // 7]
    return lambda handler, _: handler.request.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)


def stalled(data: bytes) -> Answer:
    def answer(handler: BaseRequestHandler, _: bytes) -> None:
        handler.request.sendall(HEAD + b"\r\n" + data)
        time.sleep(5)

    return answer


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip.ts", 30, sound="aac")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(live, "GIVE_UP", 1.0)


def copied(spec: str, target: Path) -> tuple[list[Frame], list[str]]:
    frames = []
    with open_source(spec) as source, VideoWriter(target, info=source.info, tracks=source.tracks()) as writer:
        for frame in source:
            frames.append(frame)
            writer.write(frame.image, frame.pts_seconds, frame.duration_seconds)
    return frames, [*source.notes.lines(), *writer.notes]


def sound_times(path: Path) -> list[float]:
    """Times of the sound's packets after the first picture."""
    first = times_in(path, "video")[0]
    return [time - first for time in times_in(path, "audio")]


def test_a_stream_over_http_keeps_its_sound(clip: Path, tmp_path: Path) -> None:
    with serving(whole(clip.read_bytes())) as address:
        frames, notes = copied(address, tmp_path / "out.mkv")

    assert len(frames) == 30
    assert sound_times(tmp_path / "out.mkv") == pytest.approx(sound_times(clip), abs=0.001)
    assert notes == []


def test_a_named_pipe_keeps_its_sound(clip: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    thread = threading.Thread(target=lambda: fifo.write_bytes(clip.read_bytes()))
    thread.start()
    assert may_stall(str(fifo))
    frames, notes = copied(str(fifo), tmp_path / "out.mkv")
    thread.join()

    assert len(frames) == 30
    assert sound_times(tmp_path / "out.mkv") == pytest.approx(sound_times(clip), abs=0.001)
    assert notes == []


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
def test_standard_input_keeps_its_sound_and_its_start(tmp_path: Path, suffix: str) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"} if suffix == ".mp4" else None
    clip = make_video(tmp_path / f"clip{suffix}", 30, sound="aac", container_options=options)
    script = (
        "from pathlib import Path; from tests.video.test_live import copied; "
        "frames, notes = copied('-', Path('out.mkv')); print(len(frames), frames[0].pts_seconds, notes)"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script], input=clip.read_bytes(), cwd=tmp_path, capture_output=True, check=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    with open_source(str(clip)) as source:
        first = next(iter(source)).pts_seconds

    assert ran.stdout.decode() == f"30 {first} []\n"
    assert sound_times(tmp_path / "out.mkv") == pytest.approx(sound_times(clip), abs=0.001)


def test_a_stream_cut_twice_goes_on_with_its_gaps_in_the_times(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    part = data[: len(data) // 188 * 2 // 3 * 188]
    with serving(endless(part), endless(part), chunked(data, is_whole=True)) as address:
        frames, notes = copied(address, tmp_path / "out.mkv")
    times = [frame.pts_seconds for frame in frames]
    steps = [later - earlier for earlier, later in pairwise(times)]

    assert len(frames) > 60
    assert min(steps) > 0
    assert sum(step > Fraction(45, 1000) for step in steps) == 2  # 1/25 s is one frame
    assert any("lost 2 times and found again" in note for note in notes)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    sound, picture = times_in(tmp_path / "out.mkv", "audio"), times_in(tmp_path / "out.mkv", "video")
    assert len(sound) > 2 * len(packets_of(clip, "audio")[0])
    assert abs(sound[-1] - picture[-1]) < 1.0  # it went on beside the picture


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_cut_chunked_stream_is_no_good_end(clip: Path, is_whole: bool) -> None:
    with serving(chunked(clip.read_bytes(), is_whole=is_whole)) as address, open_source(address) as source:
        frames = []
        if is_whole:
            frames = list(source)
        else:
            with pytest.raises(VideoDecodeError, match="could not be reached again"):
                frames.extend(source)

    assert len(frames) == 30 or not is_whole


def test_an_answer_shorter_than_it_says_is_no_good_end(clip: Path) -> None:
    data = clip.read_bytes()
    with (
        serving(cut(data[: len(data) // 2], of=len(data))) as address,
        open_source(address) as source,
        pytest.raises(VideoDecodeError, match=r"closed after \d+ of \d+ bytes"),
    ):
        list(source)


def test_a_stalled_stream_ends_at_once_when_told_to(clip: Path) -> None:
    with serving(stalled(clip.read_bytes())) as address, open_source(address) as source:
        threading.Timer(0.5, source.stop).start()
        began = time.monotonic()
        frames = list(source)

        assert len(frames) >= 25
        assert time.monotonic() - began < 2.0


def test_what_refuses_is_one_clear_line() -> None:
    with (
        serving(
            lambda handler, _: handler.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        ) as at,
        pytest.raises(VideoOpenError, match="cannot be opened: the server says 403 Forbidden"),
    ):
        open_source(at)


def test_a_file_over_http_whose_connection_breaks_is_read_on_from_there(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 30, sound="aac")  # its index lies at the end
    data = clip.read_bytes()
    requests = []

    def answer(handler: BaseRequestHandler, request: bytes) -> None:
        requests.append(request)
        first = next((int(line[13:-1]) for line in request.split(b"\r\n") if line.startswith(b"Range: bytes=")), 0)
        status = b"HTTP/1.1 206 Partial Content\r\n" if first else b"HTTP/1.1 200 OK\r\n"
        head = f"Accept-Ranges: bytes\r\nContent-Length: {len(data) - first}\r\n\r\n".encode()
        handler.request.sendall(status + head + data[first : first + 9000])  # then it hangs up

    with serving(*[answer] * 100) as address:
        frames, notes = copied(address.replace(".ts", ".mp4"), tmp_path / "out.mkv")

    assert len(requests) > 2
    assert len(frames) == 30
    assert packets_of(tmp_path / "out.mkv", "audio") == packets_of(clip, "audio")
    assert notes == []
