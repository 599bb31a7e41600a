"""`dff train` and `dff eval` from the command line, on tiny pictures."""

import json
from pathlib import Path

import pytest
import torch

from dffcli.categories import CAMVID
from dffcli.cli import main
from dffcli.flow.light import LightFlowNet
from dffcli.flow.light_file import export_light_flow
from dffcli.models.street import segmenter_model
from tests.training.tiny import tiny_segmenter, write_camvid


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_camvid(tmp_path / "data", count=4, split="val")
    return write_camvid(tmp_path / "data", count=3)


@pytest.fixture
def small_network(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    segmenter_model.export(path, tiny_segmenter(3), categories=CAMVID[:3], like=(64, 80))
    return path


def test_train_resume_and_use(
    data: Path, small_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = [
        *("train", "segment", str(run), "--data", f"camvid:{data}", "--validate", f"camvid:{data},split=val"),
        *("--classes", "sky,ground,box", "--init", str(small_network), "--view-size", "32x32", "--batch-size", "2"),
        *("--input-size", "80x64", "--device", "cpu"),
    ]
    assert main([*command, "--steps", "2"]) == 0
    assert {path.name for path in run.iterdir()} == {
        "checkpoint.pt", "log.jsonl", "losses.png", "network.safetensors",
    }  # fmt: skip
    built = segmenter_model.build("street-seg", weights=run / "network.safetensors")
    assert [category.name for category in built.model.categories] == ["sky", "ground", "box"]
    assert main([*command, "--steps", "3"]) == 1
    assert "holds a training run already" in capsys.readouterr().err
    assert main([*command, "--steps", "3", "--resume"]) == 0
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 3]


def test_joint_training_writes_both_networks(data: Path, small_network: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    export_light_flow(tmp_path / "init.safetensors", LightFlowNet())
    run = tmp_path / "joint"
    assert not main(
        [
            *("train", "segment", str(run), "--data", f"camvid:{data},video=yes", "--classes", "sky,ground,box"),
            *("--init", str(small_network), "--flow-init", str(tmp_path / "init.safetensors"), "--max-offset", "2"),
            *("--view-size", "64x64", "--batch-size", "2", "--steps", "2", "--device", "cpu", "--quiet"),
        ]
    )
    report = tmp_path / "score.json"
    assert not main(
        [
            *("eval", "segment", f"camvid:{data},split=val,video=yes", "--weights", str(run / "network.safetensors")),
            *("--flow", str(run / "flow.safetensors"), "--intervals", "1,2", "--adaptive", "--json", str(report)),
            *("--device", "cpu"),
        ]
    )
    scores = json.loads(report.read_text())
    assert scores["flow"] == "light from flow.safetensors"
    assert set(scores["scores"]) == {"every frame", "every 2", "adaptive"}
    assert scores["scores"]["every 2"]["key_share"] == 0.5
    assert set(scores["scores"]["every 2"]["class_iou"]) == {"sky", "ground", "box"}


def test_flow_training_from_the_command_line(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "flow"
    assert not main(
        [
            *("train", "flow", str(run), "--stills", str(data / "train"), "--size", "48x32", "--batch-size", "1"),
            *("--steps", "1", "--device", "cpu", "--quiet"),
        ]
    )
    assert (run / "network.safetensors").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "segment", "{run}", "--data", "camvid:{data}/none"], 1, "no such folder"),
        (["train", "segment", "{run}", "--data", "nonsense"], 1, "expected camvid, cityscapes, folder"),
        (["train", "segment", "{run}", "--data", "camvid:{data}", "--classes", "one"], 2, "expected names"),
        (["train", "segment", "{run}", "--data", "camvid:{data}", "--view-size", "big"], 2, "width x height"),
        (["train", "segment", "{run}", "--data", "camvid:{data}", "--view-size", "33x32"], 1, "multiples of 32"),
        (["train", "segment", "{run}", "--data", "camvid:{data}", "--resume"], 1, "no checkpoint there"),
        (["eval", "segment", "camvid:{data},split=val", "--intervals", "5"], 2, "needs a video"),
        (["eval", "segment", "camvid:{data},split=val", "--intervals", "x"], 2, "expected numbers of at least 1"),
        (["eval", "segment", "camvid:{data},split=test"], 1, "no such folder"),
    ],
)
def test_mistakes_end_in_one_clear_line(
    arguments: list[str], code: int, message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.format(run=tmp_path / "run", data=data) for part in arguments]) == code
    shown = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in shown
