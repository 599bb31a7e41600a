"""One run from source to sinks, with the bundled street segmenter."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from dffcli.core.types import FrameResult, SegmentationMap, SourceInfo, Task
from dffcli.errors import ModelError, OutputError
from dffcli.formats.sink import OutputOptions
from dffcli.run.config import RunConfig
from dffcli.run.parts import resolve_device
from dffcli.run.plan import plan
from dffcli.run.runner import annotate, expected_frames, started
from tests.make_clip import make_clip

FRAMES = 24


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(str(path), frames=FRAMES)
    return path


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * Fraction(stream.time_base) for frame in container.decode(stream)]


def test_every_output_holds_every_frame_at_its_time(clip: Path, tmp_path: Path) -> None:
    outputs = tuple(str(tmp_path / name) for name in ("out.mp4", "out.json", "masks"))
    report = annotate(RunConfig(str(clip), outputs, Task.SEGMENT, schedule="fixed", key_interval=5))
    assert report.frames == FRAMES
    assert report.key_reasons == {"first": 1, "interval": 4}
    assert frame_times(tmp_path / "out.mp4") == frame_times(clip)
    images = json.loads((tmp_path / "out.json").read_text())["images"]
    assert [Fraction(image["time_exact"]) for image in images] == frame_times(clip)
    assert [image["frame_id"] for image in images if image["is_key_frame"]] == [0, 5, 10, 15, 20]
    assert len(list((tmp_path / "masks").glob("*.png"))) == FRAMES


def test_interval_one_gives_what_the_plain_model_gives(clip: Path, tmp_path: Path) -> None:
    from dffcli.models.registry import build_model
    from dffcli.video.reader import open_source

    annotate(RunConfig(str(clip), (str(tmp_path / "masks"),), Task.SEGMENT, schedule="fixed", key_interval=1))
    model = build_model("street-seg").model
    with open_source(str(clip)) as source:
        for frame in source:
            image = model.prepare(frame)
            plain = model.head(model.features(image), image, is_key=True)
            assert isinstance(plain, SegmentationMap)
            written = np.asarray(Image.open(tmp_path / "masks" / f"{frame.index:06d}.png"))
            np.testing.assert_array_equal(written, plain.category_ids)


def test_a_part_of_the_source_keeps_its_own_times(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    config = RunConfig(str(clip), (str(out),), Task.SEGMENT, start=Fraction(1, 2), end=Fraction(1))
    assert annotate(config).frames == 6
    times = [Fraction(image["time_exact"]) for image in json.loads(out.read_text())["images"]]
    assert times == [time for time in frame_times(clip) if Fraction(1, 2) <= time < 1]


def test_the_speed_up_is_reckoned_from_this_runs_own_key_frames(clip: Path, tmp_path: Path) -> None:
    report = annotate(RunConfig(str(clip), (str(tmp_path / "o.json"),), Task.SEGMENT, schedule="fixed", key_interval=6))
    assert report.propagated_ms is not None
    share = report.key_frames / report.frames
    mean = share * report.key_ms + (1 - share) * report.propagated_ms
    assert report.network_speed_up == pytest.approx(report.key_ms / mean)


def test_results_do_not_depend_on_which_outputs_are_written(clip: Path, tmp_path: Path) -> None:
    both, alone = tmp_path / "both.json", tmp_path / "alone.json"
    annotate(RunConfig(str(clip), (str(both), str(tmp_path / "o.mkv")), Task.SEGMENT))
    annotate(RunConfig(str(clip), (str(alone),), Task.SEGMENT))
    assert both.read_bytes() == alone.read_bytes()


def test_a_run_left_before_its_last_frame_can_only_be_resumed(clip: Path, tmp_path: Path) -> None:
    outputs = tuple(str(tmp_path / name) for name in ("out.mp4", "out.json", "masks"))
    with started(plan(RunConfig(str(clip), outputs, Task.SEGMENT))) as run:
        for _, _ in zip(run, range(FRAMES - 1), strict=False):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".out.mp4.dff-resume"]
    with pytest.raises(RuntimeError, match="has not come to its end"):
        _ = run.report


def test_nothing_is_left_when_a_run_is_stopped(clip: Path, tmp_path: Path) -> None:
    def stop(_result: FrameResult, progress: object) -> None:
        raise KeyboardInterrupt

    outputs = tuple(str(tmp_path / name) for name in ("out.mp4", "out.json", "masks"))
    with pytest.raises(KeyboardInterrupt):
        annotate(RunConfig(str(clip), outputs, Task.SEGMENT), on_frame=stop)
    assert list(tmp_path.iterdir()) == []


def test_existing_outputs_are_refused_unless_told_otherwise(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        annotate(RunConfig(str(clip), (str(out),), Task.SEGMENT))
    assert out.read_text() == "mine"
    annotate(RunConfig(str(clip), (str(out),), Task.SEGMENT, output=OutputOptions(overwrite=True)))
    assert json.loads(out.read_text())["images"]


def test_writing_over_the_input_is_refused_even_when_overwriting(clip: Path) -> None:
    before = clip.read_bytes()
    config = RunConfig(str(clip), (str(clip),), Task.SEGMENT, output=OutputOptions(overwrite=True))
    with pytest.raises(OutputError, match="is the input"):
        annotate(config)
    assert clip.read_bytes() == before


def test_random_weights_are_said_in_the_output(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    annotate(RunConfig(str(clip), (str(out),), Task.SEGMENT, weights="random"))
    assert json.loads(out.read_text())["info"]["random_weights"] is True


@pytest.mark.parametrize("name", ["cuda", "tpu", "cpu:x"])
def test_a_device_that_is_not_here_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match=name):
        resolve_device(name)


def test_expected_frames_follow_the_part_that_is_taken() -> None:
    info = SourceInfo("a", (2, 2), Fraction(1, 25), Fraction(25), 100, Fraction(4))
    assert expected_frames(info, start=None, end=None) == 100
    assert expected_frames(info, start=Fraction(1), end=Fraction(2)) == 25
    assert expected_frames(info, start=Fraction(3), end=None) == 25
