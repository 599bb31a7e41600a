"""Every odd file of the development data comes through as the decoder delivers it, or ends in one clear line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from dffcli.errors import DFFError
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter
from tests.shared import DATA, needs_shared
from tests.video.test_writer import read

FOLDER = DATA / "decoder"
FILES = sorted(FOLDER.glob("*/*"))

pytestmark = needs_shared


def test_the_odd_files_are_here() -> None:
    assert len(FILES) >= 50


def raw_times(path: Path) -> tuple[list[Fraction], bool]:
    """What the decoder delivers before its first complaint, and whether it complained."""
    times = []
    try:
        with av.open(str(path)) as container:
            stream = max(container.streams.video, key=lambda stream: stream.width * stream.height)
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                times.append(frame.pts * Fraction(stream.time_base))
    except av.FFmpegError:
        return times, True
    return times, False


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_frames_and_times_are_the_decoders_and_survive_being_written(path: Path, tmp_path: Path) -> None:
    times, is_broken = raw_times(path)
    read_times: list[Fraction] = []
    complaint = ""
    written = 0
    try:
        with (
            open_source(str(path)) as source,
            VideoWriter(tmp_path / "out.mp4", info=source.info, tracks=source.tracks(), preset="ultrafast") as writer,
        ):
            try:
                for frame in source:
                    read_times.append(frame.pts_seconds)
                    if len(read_times) <= 20:
                        writer.write(frame.image, frame.pts_seconds, frame.duration_seconds)
                        written += 1
            except DFFError as error:
                complaint = str(error)
    except DFFError as error:
        complaint = str(error)

    assert bool(complaint) == is_broken
    if is_broken:
        assert path.name in complaint
        assert "\n" not in complaint
    assert read_times[: len(times)] == times
    assert len(read_times) == len(times) or is_broken
    if written:
        again, info = read(tmp_path / "out.mp4")
        assert [frame.pts_seconds for frame in again] == [
            time - source.info.clock_zero_seconds for time in read_times[:20]
        ]
        assert info.sample_aspect_ratio == source.info.sample_aspect_ratio
