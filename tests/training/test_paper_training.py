"""The paper's networks learn: a few steps on a tiny set, what is fixed stays fixed, what is trained can be run."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dffcli.categories import IMAGENET_VID
from dffcli.cli import main
from dffcli.core.types import Frame
from dffcli.errors import DataError, ModelError, WeightsError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.evaluation.segment_data import LabelledPicture, as_video
from dffcli.models.paper import build as paper_build
from dffcli.models.paper.catalog import PaperNetwork
from dffcli.models.paper.deeplab import DeeplabNetwork
from dffcli.models.paper.prepare import MSRA_MEAN, InputRule
from dffcli.models.paper.rfcn import RfcnNetwork
from dffcli.models.registry import build_model
from dffcli.training.fit import FitSettings, fit, learning_rate_at
from dffcli.training.paper_detect import PaperDetectObjective, PaperDetectSettings
from dffcli.training.paper_pairs import carried_features, draw_pair
from dffcli.training.paper_segment import PaperSegmentObjective, PaperSegmentSettings
from tests.models.paper.tiny import pictures, tiny_deeplab, tiny_faster_rcnn, tiny_rfcn

RULE = InputRule(160, 240, MSRA_MEAN)
SIZE = (160, 208)
CAR = next(category.id for category in IMAGENET_VID if category.name == "car")


def draw(path: Path, left: int) -> list[float]:
    """A picture of a bright square on dark noise, and the square's box."""
    image = np.random.default_rng(left).integers(0, 60, (*SIZE, 3), dtype=np.uint8)
    image[30:130, left : left + 100] = (40, 200, 240)
    cv2.imwrite(str(path), image)
    return [left, 30, left + 100, 130]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> DetectionData:
    folder = tmp_path_factory.mktemp("video")
    frames = []
    for index in range(4):
        box = draw(folder / f"{index}.png", 20 + 8 * index)
        frames.append(LabelledFrame(folder / f"{index}.png", BoxLabels.from_rows([box], [CAR])))
    return DetectionData((LabelledSequence("square", tuple(frames)),), ((CAR, "car"),))


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPicture]:
    folder = tmp_path_factory.mktemp("masks")
    found = []
    for index in range(3):
        left = 20 + 8 * index
        draw(folder / f"{index}.png", left)
        mask = np.zeros(SIZE, np.uint8)
        mask[30:130, left : left + 100] = 1
        mask[:4] = 255
        cv2.imwrite(str(folder / f"{index}_mask.png"), mask)
        found.append(LabelledPicture(folder / f"{index}.png", folder / f"{index}_mask.png"))
    return as_video(found, max_offset=4)


def detect_objective(data: DetectionData, **options: object) -> PaperDetectObjective:
    network = tiny_rfcn(classes=30).requires_grad_(True)
    settings = PaperDetectSettings(pairs=2, rule=RULE, **options)  # type: ignore[arg-type]
    return PaperDetectObjective(
        network, categories=IMAGENET_VID, data=[data], settings=settings, validation={"square": data}
    )


def few_steps(count: int, *, rate: float = 0.02) -> FitSettings:
    return FitSettings(
        steps=count, learning_rate=rate, optimizer="sgd", nesterov=False, weight_decay=5e-4, warmup_steps=0,
        schedule="drops", drops=(2 / 3,), average_decay=0.0, precision="float32", validate_every=0, log_every=1,
    )  # fmt: skip


def test_the_detector_learns_and_what_the_release_fixes_stays(video: DetectionData, tmp_path: Path) -> None:
    objective = detect_objective(video)
    before = {name: tensor.clone() for name, tensor in objective.module.state_dict().items()}
    told: list[dict[str, float]] = []
    result = fit(
        objective, few_steps(12, rate=0.1), folder=tmp_path / "run", on_step=lambda report: told.append(report.losses)
    )
    assert set(told[0]) == {"proposal class", "proposal box", "class", "box"}
    for name in ("proposal class", "class"):
        assert np.mean([losses[name] for losses in told[-3:]]) < told[0][name]
    after = result.module.state_dict()
    for name in ("backbone.conv1.weight", "backbone.layer1.0.conv2.weight", "flow.scale.bias"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    for name in ("backbone.layer2.0.bn1.running_mean", "backbone.layer4.0.bn2.running_var"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    for name in ("backbone.layer2.0.bn1.weight", "class_maps.weight", "flow.encoder.conv1.weight", "flow.scale.weight"):
        assert not torch.equal(after[name], before[name]), name
    assert set(result.measures) == {"square AP50"}


def test_without_a_trained_start_nothing_is_fixed_but_the_statistics(video: DetectionData) -> None:
    objective = detect_objective(video, fixes_start=False)
    fixed = [name for name, parameter in objective.module.named_parameters() if not parameter.requires_grad]
    assert fixed == ["flow.scale.bias"]


def test_a_start_for_other_classes_keeps_all_but_the_layer_that_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_build, "build_network", tiny_rfcn_for)
    old = tiny_rfcn(classes=4)
    torch.nn.init.normal_(old.reduce.weight)
    torch.save(old.state_dict(), tmp_path / "four.pth")
    network = paper_build.new_network("dff-rfcn-resnet101", classes=2, starts=[tmp_path / "four.pth"])
    assert isinstance(network, RfcnNetwork)
    assert network.class_maps.out_channels == 3 * 49
    torch.testing.assert_close(network.reduce.weight, old.reduce.weight)


def test_stills_teach_the_flow_network_nothing_and_pairs_do() -> None:
    network = tiny_rfcn().requires_grad_(True)
    assert network.flow is not None
    current, key = pictures(2, (64, 80)).split(1)
    carried_features(network, current, current, is_still=True).square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in network.flow.parameters())
    torch.nn.init.normal_(network.flow.scale.weight, std=0.01)  # type: ignore[union-attr,arg-type]
    carried_features(network, current, key, is_still=False).square().sum().backward()  # type: ignore[no-untyped-call]
    trained = {name for name, p in network.flow.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {"encoder.conv1.weight", "flow.weight", "scale.weight"} <= trained


def test_keys_lie_0_to_9_frames_before_and_never_before_the_video() -> None:
    rng = np.random.default_rng(0)
    paths = tuple(Path(str(index)) for index in range(1, 21))
    pairs = [draw_pair(Path("0"), paths, is_video=True, max_offset=9, rng=rng) for _ in range(500)]
    assert {int(pair.key.name) for pair in pairs} == set(range(10))
    short = [draw_pair(Path("0"), paths[:2], is_video=True, max_offset=9, rng=rng) for _ in range(200)]
    assert {int(pair.key.name) for pair in short} == {0, 1, 2}
    still = draw_pair(Path("0"), (), is_video=False, max_offset=9, rng=rng)
    assert still.is_still
    assert still.key == still.current


def test_boxes_follow_the_picture_when_it_is_mirrored_and_resized(video: DetectionData) -> None:
    objective = detect_objective(video, max_offset=0)
    for step in range(6):
        for item in objective.batch(step, seed=0)["items"]:
            (box,) = item["boxes"].round().long().tolist()
            values = item["current"][0].mean(0)
            inside = values[box[1] : box[3] + 1, box[0] : box[2] + 1]
            assert inside.min() > values[:, : max(1, box[0])].max()
            assert item["classes"].tolist() == [7]  # car is the seventh


def test_batches_depend_on_step_and_seed_alone(video: DetectionData) -> None:
    one, again, other = (detect_objective(video).batch(step, seed=5) for step in (3, 3, 4))
    torch.testing.assert_close(one["items"][0]["current"], again["items"][0]["current"], rtol=0, atol=0)
    assert not torch.equal(one["items"][0]["current"], other["items"][0]["current"])


def test_a_set_without_objects_is_refused(video: DetectionData) -> None:
    nameless = DetectionData(video.sequences, ((CAR, "submarine"),))
    with pytest.raises(DataError, match="nothing to learn from"):
        detect_objective(nameless)


def test_the_segmenter_learns(masks: list[LabelledPicture], tmp_path: Path) -> None:
    network = tiny_deeplab(classes=2).requires_grad_(True)
    settings = PaperSegmentSettings(classes=2, pairs=2, rule=RULE, crop=(96, 128))
    objective = PaperSegmentObjective(network, pictures=masks, settings=settings, validation={"squares": masks})
    totals: list[float] = []
    result = fit(
        objective,
        few_steps(16, rate=0.1),
        folder=tmp_path / "run",
        on_step=lambda report: totals.append(report.losses["class"]),
    )
    assert np.mean(totals[-3:]) < 0.9 * totals[0]
    assert set(result.measures) == {"squares mIoU", "squares mIoU carried"}


def test_the_rate_drops_to_a_tenth_where_it_should() -> None:
    settings = FitSettings(steps=300, learning_rate=1.0, warmup_steps=0, schedule="drops", drops=(2 / 3, 0.9))
    assert [round(learning_rate_at(step, settings), 3) for step in (0, 199, 200, 269, 270)] == [1, 1, 0.1, 0.1, 0.01]


def tiny_deeplab_for(_network: PaperNetwork, *, classes: int | None = None) -> DeeplabNetwork:
    return tiny_deeplab(classes=classes or 19).requires_grad_(True)


def tiny_rfcn_for(_network: PaperNetwork, *, classes: int | None = None) -> RfcnNetwork:
    return tiny_rfcn(classes=classes or 30).requires_grad_(True)


def test_a_network_trained_from_the_command_line_can_be_run(
    masks: list[LabelledPicture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_build, "build_network", tiny_deeplab_for)
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for picture in masks:
        (images / picture.image.name).write_bytes(picture.image.read_bytes())
        (labels / picture.image.name).write_bytes(picture.mask.read_bytes())
    source = f"folder:{images}:{labels},video=yes"
    arguments = ["train", "deeplab", str(tmp_path / "run"), "--data", source, "--steps", "2", "--pairs", "1", "-q"]
    arguments += ["--short-side", "96", "--long-side", "128", "--crop", "96x96"]
    arguments += ["--classes", "ground,square"]
    assert main(arguments) == 0
    built = build_model("dff-deeplab-resnet101", weights=tmp_path / "run" / "network.safetensors")
    assert not built.is_random
    assert built.flow is not None
    assert [category.name for category in built.model.categories] == ["ground", "square"]
    frame = Frame(0, np.zeros((*SIZE, 3), np.uint8), Fraction(0))
    assert built.model.prepare(frame).content_size == (96, 125)  # the sizes it was trained on


def test_the_detector_trains_from_the_command_line_on_a_labelled_video(
    video: DetectionData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paper_build, "build_network", tiny_rfcn_for)
    frames = video.sequences[0].frames
    left, top, right, bottom = 20, 30, 120, 130
    content = {
        "categories": [{"id": 1, "name": "boat"}],
        "videos": [{"id": 1, "name": "square"}],
        "images": [
            {"id": i, "video_id": 1, "frame_id": i, "file_name": frame.path.name} for i, frame in enumerate(frames)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [left + 8 * i, top, right - left, bottom - top]}
            for i in range(len(frames))
        ],
    }
    labels = frames[0].path.parent / "video.json"  # beside its pictures: names must not lead anywhere else
    labels.write_text(json.dumps(content))
    arguments = ["train", "rfcn", str(tmp_path / "run"), "--data", str(labels), "--steps", "1"]
    arguments += ["--pairs", "1", "--short-side", "160", "--long-side", "240"]
    assert main(arguments) == 1  # ImageNet VID has watercraft
    assert "the data has boat: choose with --classes" in " ".join(capsys.readouterr().err.split())
    assert main([*arguments, "--classes", "boat"]) == 0
    trained = tmp_path / "run" / "network.safetensors"
    built = build_model("dff-rfcn-resnet101", weights=trained)
    assert built.flow is not None
    assert [category.name for category in built.model.categories] == ["boat"]
    network = paper_build.new_network("dff-rfcn-resnet101", starts=[trained], seed=3)
    again = paper_build.new_network("dff-rfcn-resnet101", starts=[trained], seed=4)
    torch.testing.assert_close(network.reduce.weight, again.reduce.weight)


def test_a_start_of_another_shape_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_build, "build_network", tiny_rfcn_for)
    state = tiny_rfcn(classes=30).state_dict()
    torch.save({**state, "reduce.bias": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="of another shape"):
        paper_build.new_network("dff-rfcn-resnet101", starts=[tmp_path / "other.pth"])
    with pytest.raises(ModelError):
        paper_build.new_network("fcn_resnet50")


def test_mmtrackings_flow_learns_through_its_own_rule() -> None:
    network = tiny_faster_rcnn().requires_grad_(True)
    assert network.flow is not None
    current, key = pictures(2, (64, 80)).split(1)
    carried_features(network, current / 60, key / 60, is_still=False).square().sum().backward()  # type: ignore[no-untyped-call]
    weight = network.flow.flow.weight  # type: ignore[union-attr]
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0
