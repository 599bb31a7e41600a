"""One call from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import dffcli
from dffcli.errors import ModelError, OutputError, SettingError, ShapeError, VideoOpenError
from tests.fakes import FakeFlow, FakeModel, moving_frames
from tests.make_clip import make_clip

FRAMES = 11


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(str(path), frames=FRAMES, size=(64, 96))
    return path


def test_the_package_is_light_and_offers_its_names() -> None:
    code = (
        "import sys, dffcli; assert not {'torch', 'numpy', 'cv2', 'av'} & set(sys.modules), 'heavy';"
        "assert set(dffcli.__all__) <= set(dir(dffcli)); dffcli.DFFError; dffcli.list_models();"
        "assert 'numpy' not in sys.modules; [getattr(dffcli, name) for name in dffcli.__all__];"
        "assert callable(dffcli.run); import dffcli.run; assert callable(dffcli.run)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        dffcli.rum  # noqa: B018


def test_the_bundled_models_come_first() -> None:
    assert dffcli.list_models("segment")[0] == "street-seg"
    assert dffcli.list_models("detect")[0] == "coco-det"
    assert "fcos_resnet50_fpn" in dffcli.list_models()


def test_names_do_for_every_part(clip: Path, tmp_path: Path) -> None:
    results = dffcli.run(clip, model="street-seg", schedule=5, outputs=[tmp_path / "o.mp4", str(tmp_path / "o.json")])
    reasons = [result.is_key for result in results]
    assert reasons == [index % 5 == 0 for index in range(FRAMES)]
    assert results.report.frames == FRAMES
    assert results.report.settings["schedule"] == "fixed, every 5"
    assert len(json.loads((tmp_path / "o.json").read_text())["images"]) == FRAMES
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


class Collecting:
    """A sink of one's own."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.ended = ""

    def __enter__(self) -> Collecting:
        self.ended = "not yet"
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.ended = "well" if kind is None else "badly"

    def write(self, result: dffcli.FrameResult) -> None:
        self.seen.append(result.frame.index)


def test_objects_do_for_every_part() -> None:
    model, flow, sink = FakeModel(), FakeFlow(), Collecting()
    schedule = dffcli.FixedInterval(4)
    results = dffcli.run(moving_frames(9), model=model, flow=flow, schedule=schedule, outputs=sink)
    assert [result.frame.index for result in results] == list(range(9))
    assert model.key_indices == [0, 4, 8]
    assert flow.calls
    assert (sink.seen, sink.ended) == (list(range(9)), "well")
    assert results.report.settings["schedule"] == "FixedInterval(interval=4)"


def test_arrays_are_frames_at_a_rate() -> None:
    pictures = (frame.image for frame in moving_frames(3))
    found = list(dffcli.run(pictures, model=FakeModel(), flow="none", fps=12.5))
    assert [result.frame.pts_seconds for result in found] == [Fraction(0), Fraction(2, 25), Fraction(4, 25)]


def test_frames_in_memory_can_be_written(tmp_path: Path) -> None:
    pictures = np.stack([frame.image for frame in moving_frames(4)])
    report = dffcli.run(pictures, model=FakeModel(), flow="none", outputs=tmp_path / "o.mp4").report
    assert report.frames == 4
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4


def test_leaving_the_loop_leaves_no_output(tmp_path: Path) -> None:
    sink = Collecting()
    results = dffcli.run(moving_frames(9), model=FakeModel(), flow="none", outputs=[tmp_path / "o.mp4", sink])
    for _ in results:
        break
    results.close()
    assert list(tmp_path.iterdir()) == []
    assert sink.ended == "badly"


def test_the_report_runs_what_is_left() -> None:
    results = dffcli.run(moving_frames(9), model=FakeModel(), flow="none")
    next(iter(results))
    assert results.report.frames == 9
    assert list(results) == []


def scores_of(features: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return torch.cat((1 - features[0][:, :1], features[0][:, :1]), 1)


OWN = {"features": lambda x: torch.nn.functional.avg_pool2d(x, 4), "head": scores_of, "classes": ["dark", "bright"]}


def test_a_model_of_ones_own_is_two_functions_and_its_classes() -> None:
    model = dffcli.Model(stride=8, **OWN)
    results = list(dffcli.run(moving_frames(6, size=(28, 44)), model=model, flow=FakeFlow(), schedule=3))
    assert [category.name for category in model.categories] == ["dark", "bright"]
    for result in results:
        answer = result.prediction.category_ids
        assert answer.shape == (28, 44)
        if result.is_key:
            red = result.frame.image[..., 0]
            sure = np.abs(red.astype(int) - 127) > 100  # away from borders between cells
            assert ((red > 127) == answer)[sure].mean() > 0.8


def boxes_of(features: tuple[torch.Tensor, ...]) -> tuple[Any, Any, Any]:
    return torch.tensor([[0, 0, 8, 4], [4.0, 4, 40, 16]]), torch.tensor([0.6, 0.9]), torch.tensor([1, 0])


def test_a_detector_of_ones_own_answers_in_pixels_of_its_input() -> None:
    model = dffcli.Model(
        features=lambda x: x[:, :, ::4, ::4], head=boxes_of, classes=["a", "b"], task="detect", long_side=24
    )
    found = next(iter(dffcli.run(moving_frames(1), model=model))).prediction
    assert found.boxes.tolist() == [[8, 8, 48, 32], [0, 0, 16, 8]]  # twice as large as its input, clipped, best first
    assert found.category_ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head": lambda f: f[0]}, r"expected scores \[1, 2, h, w\] or a SegmentationMap, got a tensor \[1, 3,"),
        ({"head": lambda f: [1, 2]}, "got a list"),
        (
            {"features": lambda x: x[0]},
            r"features: expected a tuple of maps \[1, C, h, w\], got a Tensor float32\[3, 32",
        ),
        ({"task": "detect"}, r"expected boxes \[N, 4\], scores \[N\] and classes \[N\], or Detections, got a Tensor"),
        (
            {"task": "detect", "head": lambda f: (np.zeros((1, 4)), [0.5], [2])},
            "expected classes from 0 to 1, got 2 to 2",
        ),
    ],
)
def test_what_ones_own_functions_give_is_checked(changes: dict[str, Any], said: str) -> None:
    model = dffcli.Model(**{**OWN, **changes})
    with pytest.raises(ShapeError, match=said):
        list(dffcli.run(moving_frames(1), model=model, flow="none"))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"model": "street-sec"}, ModelError, "did you mean street-seg"),
        ({"model": 5}, ModelError, "expected a name or a model, got 5 without name, task"),
        ({"flow": "diss"}, ModelError, "did you mean dis"),
        ({"schedule": 0}, SettingError, "key interval: expected at least 1, got 0"),
        ({"schedule": "often"}, SettingError, "expected one of fixed, adaptive"),
        ({"outputs": "o.abc"}, OutputError, "o.abc"),
        ({"outputs": [3]}, SettingError, "expected names, or sinks"),
        ({"source": 7}, VideoOpenError, "expected a name, a source or pictures, got 7"),
        ({"source": iter([])}, VideoOpenError, "at least one frame, got none"),
        ({"source": ["a.png"]}, VideoOpenError, "frame 0: expected a Frame or an RGB array, got 'a.png'"),
        ({"start": 1.0}, SettingError, "start and end are for sources that are named"),
        ({"track": True}, SettingError, "track: is for detect"),
        ({"classes": ["caar"]}, ModelError, "'caar' is not one the model knows"),
        ({"resume": True}, SettingError, "resume: expected names for every part"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(changes: dict[str, Any], error: type[Exception], said: str) -> None:
    asked = {"source": moving_frames(2), "model": FakeModel(), "flow": "none", **changes}
    with pytest.raises(error, match=said):
        dffcli.run(asked.pop("source"), **asked)


def test_models_of_other_packages_are_found_by_their_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    from dffcli.models import registry

    class Point:
        value = "theirs:ENTRY"

        def __init__(self, loaded: object) -> None:
            self.load = lambda: loaded

    entry = replace(registry.find_entry("street-seg"), name="theirs", own_categories=(), builder="theirs:build")
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point((entry,))] if group == "dffcli.models" else [])
    registry.model_entries.cache_clear()
    assert registry.find_entry("theirs") is entry
    assert "theirs" in dffcli.list_models("segment")
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point("street")])
    registry.model_entries.cache_clear()
    with pytest.raises(ModelError, match="expected a ModelEntry or a tuple of them, found a str"):
        registry.find_entry("theirs")
    monkeypatch.undo()
    registry.model_entries.cache_clear()
