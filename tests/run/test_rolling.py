"""A row of files holds every frame and every packet of sound once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dffcli.core.types import FrameResult, SegmentationMap
from dffcli.errors import SettingError
from dffcli.run.read import period
from dffcli.run.rolling import RollingSink
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter
from tests.video.media import make_video, packets_of
from tests.video.test_live import serving, whole


class Plain(VideoWriter):
    """A writer that takes results."""

    def write(self, result: FrameResult) -> None:  # type: ignore[override]
        super().write(result.frame.image, result.frame.pts_seconds, result.frame.duration_seconds)


def rolled(spec: str, target: Path, seconds: Fraction) -> tuple[list[Path], tuple[str, ...]]:
    nothing = SegmentationMap(np.zeros((48, 64), np.uint8))
    with open_source(spec) as source:
        sink = RollingSink(
            str(target),
            lambda path, info, tracks: Plain(path, info=info, tracks=tracks),
            info=source.info,
            seconds=seconds,
            source=source,
        )
        with sink:
            for frame in source:
                sink.write(FrameResult(frame, nothing, None))
    return sorted(target.parent.glob(f"{target.stem}-*{target.suffix}")), sink.notes


@pytest.mark.parametrize("over_http", [False, True])
def test_a_row_of_files_holds_every_frame_and_all_sound_once(tmp_path: Path, over_http: bool) -> None:
    clip = make_video(
        tmp_path / "in.mkv", 25, sound="flac", time_base=Fraction(1, 1000), ticks=[40 * i for i in range(25)]
    )
    (tmp_path / "out-0002.mkv").write_text("somebody's")
    if over_http:
        with serving(whole(clip.read_bytes())) as address:
            files, notes = rolled(address, tmp_path / "out.mkv", Fraction(2, 5))
    else:
        files, notes = rolled(str(clip), tmp_path / "out.mkv", Fraction(2, 5))

    assert [path.name for path in files] == ["out-0001.mkv", "out-0002.mkv", "out-0003.mkv", "out-0004.mkv"]
    assert files.pop(1).read_text() == "somebody's"
    counts, sound = [], []
    for path in files:
        with av.open(str(path)) as part:
            times = [frame.pts * frame.time_base for frame in part.decode(video=0)]
        assert times[0] == 0
        counts.append(len(times))
        sound += packets_of(path, "audio")[0]
    assert counts == [10, 10, 5]
    assert sound == packets_of(clip, "audio")[0]
    assert notes[-1].endswith("out.mkv: 4 files")


@pytest.mark.parametrize(("text", "wanted"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1d", 86400)])
def test_a_period_is_read(text: str, wanted: int) -> None:
    assert period(text) == wanted


@pytest.mark.parametrize("text", ["", "m", "0", "-1m", "ten", "400d", "1w"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        period(text)
