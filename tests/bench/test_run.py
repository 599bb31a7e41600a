"""One comparison, with fakes whose answers are known."""

import csv
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dffcli.bench.lanes import Gate
from dffcli.bench.plan import BenchPlan
from dffcli.bench.plots import save_plots
from dffcli.bench.result import BenchResult
from dffcli.bench.run import bench
from dffcli.bench.tables import to_csv, to_markdown
from dffcli.bench.verdict import verdicts
from dffcli.categories import Category
from dffcli.core.types import Features, PreparedImage
from dffcli.errors import DataError, InputError, ModelError
from dffcli.models.registry import BuiltModel
from tests.fakes import FakeFlow, FakeModel
from tests.make_clip import make_clip

FRAMES = 12


class SlowModel(FakeModel):
    """A model whose features take time."""

    def features(self, image: PreparedImage) -> Features:
        threading.Event().wait(0.01)
        return super().features(image)


def build(model: FakeModel) -> Callable[..., BuiltModel]:
    model.categories = tuple(Category(i, f"grey {i}", (i, i, i)) for i in range(256))
    return lambda name, **_: BuiltModel(model, "none", flow=FakeFlow())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(str(path), frames=FRAMES + 1, size=(64, 64))
    return str(path)


@pytest.fixture(scope="module")
def model() -> SlowModel:
    return SlowModel()


@pytest.fixture(scope="module")
def result(clip: str, model: SlowModel) -> BenchResult:
    plan = BenchPlan(clip, ("fake",), intervals=(1, 2, 4), adaptive=True, causal=True, frames=FRAMES, memory=False)
    return bench(plan, build=build(model))


def test_every_variant_answers_every_frame_once(result: BenchResult, model: SlowModel) -> None:
    variants = len(result.variants)
    assert variants == 1 + 2 * 3
    assert result.frames == FRAMES
    assert all(v.frames == FRAMES for v in result.variants)
    heads = [index for index, _ in model.heads]
    both_ways = 2 * variants  # networks alone, and from file to file
    assert all(heads.count(index) >= both_ways for index in range(3, FRAMES))


def test_key_frames_are_counted_fairly(result: BenchResult) -> None:
    shares = {v.variant.label: v.key_share for v in result.variants}
    assert shares["every frame"] == 1
    assert shares["every 2, fake"] == shares["every 2, fake, causal"] == 1 / 2
    assert shares["every 4, fake"] == shares["every 4, fake, causal"] == 1 / 4


def test_the_baseline_agrees_with_itself(result: BenchResult) -> None:
    baseline, others = result.of_model("fake")
    assert baseline.agreement == {"mean_iou": 1.0}
    assert baseline.network.speed_up.median == 1
    assert all(v.agreement["mean_iou"] < 1 for v in others if v.variant.interval is not None)


def test_fewer_key_frames_of_a_dear_network_are_faster(result: BenchResult) -> None:
    by_label = {v.variant.label: v for v in result.variants}
    assert by_label["every 4, fake, causal"].network.speed_up.median > 1.5
    assert by_label["every 4, fake"].end_to_end.fps.median > by_label["every frame"].end_to_end.fps.median
    assert by_label["every frame"].stage_ms["features"] >= 10
    assert {"decode", "draw", "encode"} <= by_label["every frame"].stage_ms.keys()


def test_two_sided_frames_wait_for_the_key_after_them(result: BenchResult) -> None:
    by_label = {v.variant.label: v for v in result.variants}
    assert by_label["every 4, fake"].latency.median_ms > by_label["every 4, fake, causal"].latency.median_ms


def test_the_result_is_written_in_every_form(result: BenchResult, tmp_path: Path) -> None:
    content = json.loads(json.dumps(result.to_json()))
    assert len(content["variants"]) == len(result.variants)
    rows = list(csv.DictReader(io.StringIO(to_csv(result))))
    assert [row["interval"] for row in rows[:4]] == ["1", "2", "4", "adaptive"]
    assert float(rows[0]["agreement_mean_iou"]) == 1
    page = to_markdown(result)
    assert "| every 4, fake, causal | 25% |" in page
    assert verdicts(result)[0] in page
    files = save_plots(result, tmp_path)
    assert [file.name for file in files] == [
        "speed_accuracy.png",
        "speed_accuracy.svg",
        "stages.png",
        "stages.svg",
    ]
    assert all(file.stat().st_size > 5000 for file in files)


def test_it_is_said_when_key_frames_do_not_pay(clip: str) -> None:
    plan = BenchPlan(clip, ("fake",), intervals=(2,), frames=4, memory=False, end_to_end=False)

    class SlowFlow(FakeFlow):
        def estimate(self, key, current, *, guess=None):
            threading.Event().wait(0.02)
            return super().estimate(key, current, guess=guess)

    model = FakeModel(categories=tuple(Category(i, f"grey {i}", (i, i, i)) for i in range(256)))
    found = bench(plan, build=lambda name, **_: BuiltModel(model, "none", flow=SlowFlow()))
    assert "does NOT pay" in verdicts(found)[0]
    assert "--key-interval 1" in verdicts(found)[0]


def test_intervals_longer_than_the_clip_are_left_out_and_it_is_said(clip: str, model: SlowModel) -> None:
    plan = BenchPlan(clip, ("fake",), intervals=(4, 50), frames=60, memory=False, end_to_end=False)
    found = bench(plan, build=build(model))
    assert [v.variant.interval for v in found.variants] == [1, 4]
    assert "too few for a key interval of 50" in found.notes[0]


def test_without_a_model_there_is_nothing_to_compare(clip: str) -> None:
    with pytest.raises(ModelError, match="at least one model"):
        bench(BenchPlan(clip, ()))


def test_a_single_picture_cannot_be_compared(tmp_path: Path, model: SlowModel) -> None:
    make_clip(str(tmp_path / "one.mp4"), frames=1, size=(64, 64))
    with pytest.raises(InputError, match="at least 2 frames"):
        bench(BenchPlan(str(tmp_path / "one.mp4"), ("fake",), memory=False), build=build(model))


def test_masks_of_the_frames_are_ground_truth(clip: str, model: SlowModel, tmp_path: Path) -> None:
    import cv2

    from dffcli.video.reader import open_source

    with open_source(clip) as source:
        for frame in source:
            answer = frame.image[::4, ::4, 0].repeat(4, 0).repeat(4, 1)  # what the fake says on a key frame
            cv2.imwrite(str(tmp_path / f"{frame.index:04d}.png"), answer)
    plan = BenchPlan(clip, ("fake",), intervals=(4,), frames=8, memory=False, end_to_end=False, ground_truth=tmp_path)
    found = bench(plan, build=build(model))
    baseline, others = found.of_model("fake")
    assert baseline.accuracy == {"mean_iou": 1.0}
    assert others[0].accuracy == pytest.approx(others[0].agreement)
    assert "against ground truth" in verdicts(found)[0]


def test_ground_truth_of_other_frames_is_an_error(clip: str, model: SlowModel, tmp_path: Path) -> None:
    import cv2

    for number in (0, 900):
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), np.full((64, 64), 255, np.uint8))
    plan = BenchPlan(clip, ("fake",), intervals=(4,), frames=8, memory=False, ground_truth=tmp_path, end_to_end=False)
    with pytest.raises(DataError, match="labels none of the first 9 frames"):
        bench(plan, build=build(model))


def test_nothing_passes_a_closed_gate() -> None:
    gate = Gate()
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.extend(gate.guard(range(3))), daemon=True)
    thread.start()
    thread.join(0.05)
    assert seen == []
    gate.open()
    thread.join(5)
    assert seen == [0, 1, 2]
    gate.close()


def test_a_runtime_serves_per_frame_evaluation_too(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def on_runtime(model: FakeModel, name: str, *, device: str) -> FakeModel:
        asked.append((model.name, name))
        return model

    monkeypatch.setattr("dffcli.models.weights.runtimes.on_runtime", on_runtime)
    plan = BenchPlan(
        clip, ("fake",), intervals=(1, 4), frames=FRAMES, memory=False, end_to_end=False, runtime="openvino"
    )
    found = bench(plan, build=build(FakeModel()))

    assert asked == [("fake", "openvino")]  # one model, which all variants share
    assert "feature networks on openvino" in found.machine


def test_what_a_propagated_frame_costs_is_the_sum_of_its_parts(result: BenchResult) -> None:
    for one in result.variants:
        if not one.variant.is_baseline:
            assert set(one.propagated_parts_ms) == {"flow", "warp", "head"}
            assert one.propagated_ms == pytest.approx(sum(one.propagated_parts_ms.values()))


def test_progress_never_goes_back_and_ends_at_the_end(clip: str) -> None:
    told: list[float] = []
    plan = BenchPlan(clip, ("fake",), intervals=(1, 4), frames=FRAMES, memory=False, end_to_end=False)
    bench(plan, build=build(FakeModel()), on_progress=lambda progress: told.append(progress.done))

    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
