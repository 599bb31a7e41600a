"""`dff models` tells of every model without building one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dffcli.cli import main
from dffcli.models.registry import model_entries


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "220")
    return tmp_path


def test_every_model_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    for name in model_entries():
        assert name in text


def test_a_name_or_long_tells_of_the_cut_and_the_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "retinanet_resnet50_fpn_v2"]) == 0
    text = capsys.readouterr().out
    for part in ("behind the heads", "box AP 41.5", "BSD-3-Clause", "to download", "toothbrush", "COCO"):
        assert part in text
    assert main(["models", "--long", "--task", "segment"]) == 0
    text = capsys.readouterr().out
    assert "fcn_resnet50" in text
    assert "retinanet" not in text


def test_weights_in_the_cache_are_here(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "fcos_resnet50_fpn_coco-99b0c9b7.pth").write_bytes(bytes(2_000_000))
    assert main(["models", "--json", "--task", "detect"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["fcos_resnet50_fpn"]["weights"] == "here"
    assert found["ssd300_vgg16"]["weights"] == "to download"
    assert len(found["ssd300_vgg16"]["categories"]) == 80


def test_an_unknown_name_is_an_error_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fcos"]) == 1
    assert "fcos_resnet50_fpn" in capsys.readouterr().err


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from dffcli.cli import main; main(['models']); "
        "sys.exit(' '.join(name for name in ('torch', 'cv2', 'av') if name in sys.modules) or None)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_model_takes_one_line_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for name in model_entries():
        assert sum(line.split()[:1] == [name] for line in lines) == 1
    (line,) = [line for line in lines if line.startswith("maskrcnn_resnet50_fpn_v2")]
    assert line.split() == ["maskrcnn_resnet50_fpn_v2", "80", "186", "to", "download", "AP", "47.4", "+masks"]
