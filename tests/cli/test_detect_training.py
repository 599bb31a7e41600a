"""`dff train detect` and `dff eval detect` from the command line, on tiny pictures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dffcli.categories import STREET_OBJECTS
from dffcli.cli import main
from dffcli.flow.light import LightFlowNet
from dffcli.flow.light_file import export_light_flow
from dffcli.models.coco_det.build import build, export
from dffcli.models.coco_det.network import CocoDetector


@pytest.fixture
def small_network(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    export(path, CocoDetector(classes=6), categories=STREET_OBJECTS, input_size=64)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A bright square that moves two pixels a frame, as CocoVID."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(4):
        picture = np.full((48, 64, 3), 90, np.uint8)
        x = 10 + 2 * number
        picture[12:36, x : x + 20] = (40, 60, 230)
        name = f"{number}.png"
        cv2.imwrite(str(folder / "images" / name), picture)
        images.append({"id": number, "file_name": name, "video_id": 1, "frame_id": number, "width": 64, "height": 48})
        row = {"id": number, "image_id": number, "category_id": 5, "bbox": [x, 12, 20, 24], "instance_id": 1}
        annotations.append(row | {"area": 480, "iscrowd": 0})
    content = {
        "videos": [{"id": 1, "name": "square"}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 5, "name": "square"}, {"id": 9, "name": "disc"}],
    }
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder / "boxes.json"


def command(video: Path, run: Path, *more: str) -> list[str]:
    return [
        *("train", "detect", str(run), "--data", str(video), "--batch-size", "2", "--input-size", "64"),
        *("--warmup", "1", "--device", "cpu", *more),
    ]


def test_train_resume_measure_and_use(
    video: Path, small_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    arguments = command(video, run, "--init", str(small_network), "--classes", "square", "--validate", str(video))
    assert main([*arguments, "--steps", "2"]) == 0
    network = run / "network.safetensors"
    assert "dff detect VIDEO --weights" in capsys.readouterr().out
    built = build("coco-det", weights=network)
    assert [(category.id, category.name) for category in built.model.categories] == [(5, "square")]
    assert main([*arguments, "--steps", "3", "--resume"]) == 0
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 3]
    assert set(records[-1]["losses"]) == {"class", "overlap", "distribution"}
    assert "boxes AP50" in records[-1]["measures"]

    report = tmp_path / "score.json"
    measure = ["eval", "detect", str(video), "--weights", str(network), "--device", "cpu", "--flow", "dis"]
    assert main([*measure, "--intervals", "1,2", "--adaptive", "--json", str(report)]) == 0
    scores = json.loads(report.read_text())["scores"]
    assert set(scores) == {"every frame", "every 2", "adaptive"}
    assert scores["every 2"]["key_share"] == 0.5
    assert scores["every frame"]["objects"] == 4
    assert set(scores["every frame"]["class_AP50"]) == {"square"}
    assert set(scores["every frame"]["speed_AP50"]) == {"slow", "medium", "fast"}
    assert "AP50 square" in capsys.readouterr().out


def test_training_through_the_warp_moves_both_networks(video: Path, small_network: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    flow = LightFlowNet()
    export_light_flow(tmp_path / "flow.safetensors", flow)
    run = tmp_path / "joint"
    more = ("--init", str(small_network), "--flow-init", str(tmp_path / "flow.safetensors"), "--max-offset", "2")
    assert main(command(video, run, *more, "--steps", "3", "--learning-rate", "0.01", "--quiet")) == 0
    state = torch.load(run / "checkpoint.pt", weights_only=True)["model"]
    before = flow.state_dict()
    assert any(not torch.equal(state[f"flow.{name}"], value) for name, value in before.items())
    report = tmp_path / "score.json"
    arguments = ["eval", "detect", str(video), "--weights", str(run / "network.safetensors"), "--device", "cpu"]
    assert main([*arguments, "--flow", str(run / "flow.safetensors"), "--json", str(report)]) == 0


@pytest.mark.parametrize(
    ("frozen", "moving"), [("features", {"flow", "detector.pred"}), ("flow", {"detector.stages", "detector.pred"})]
)
def test_what_is_frozen_stays(video: Path, small_network: Path, tmp_path: Path, frozen: str, moving: set[str]) -> None:
    torch.manual_seed(0)
    export_light_flow(tmp_path / "flow.safetensors", LightFlowNet())
    more = ("--init", str(small_network), "--flow-init", str(tmp_path / "flow.safetensors"), "--max-offset", "3")
    more += ("--freeze", frozen, "--learning-rate", "0.01", "--quiet", "--steps")
    assert main(command(video, tmp_path / "run", *more, "1")) == 0
    first = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    assert main([*command(video, tmp_path / "run", *more, "4"), "--resume"]) == 0
    last = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    changed = {name for name, value in last.items() if not torch.equal(value, first[name])}
    for part in ("flow", "detector.stages", "detector.pred"):
        assert any(name.startswith(part) for name in changed) == (part in moving), part


def test_classes_that_the_data_does_not_have_are_named(video: Path, tmp_path: Path) -> None:
    assert main(command(video, tmp_path / "run", "--classes", "cat", "--steps", "1")) == 2


def test_nothing_to_hold_the_network_to_is_said(video: Path, tmp_path: Path) -> None:
    assert main(command(video, tmp_path / "run", "--init", "random", "--distill", "1", "--steps", "1")) == 2


def test_no_class_in_common_is_said(video: Path, small_network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "detect", str(video), "--weights", str(small_network), "--device", "cpu"]) == 1
    assert "share no category" in " ".join(capsys.readouterr().err.split())
