"""`dff weights` sees, checks and imports, and its exit code says whether all is well."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dffcli.cli import main
from dffcli.models.paper import importing
from dffcli.models.paper.names import mxnet_name
from tests.models.paper.mxnet_writer import write_params
from tests.models.paper.tiny import tiny_rfcn


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The importer believes that the released network is a tiny one."""
    monkeypatch.setattr(importing, "build_network", lambda _network: tiny_rfcn())


def mxnet_file(path: Path, *, without: str = "nothing") -> Path:
    state = tiny_rfcn().state_dict()
    named = [
        (mxnet_name(name) or "", tensor.numpy())
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked") and not name.startswith(without)
    ]
    write_params(path, named, count=len(named), version="v1")
    return path


def test_list_names_every_model_with_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list"]) == 0
    shown = capsys.readouterr().out
    for name in ("street-seg", "dff-rfcn-resnet101", "dff-faster-rcnn-resnet50-dc5", "fcn_resnet50"):
        assert name in shown


def test_verify_finds_a_changed_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"a": torch.zeros(3)}, home / "net-01234567.safetensors")
    save_file({"a": torch.zeros(3)}, home / "plain.safetensors")
    assert main(["weights", "verify", str(home / "net-01234567.safetensors")]) == 1
    assert "expected sha256 01234567" in capsys.readouterr().out
    assert main(["weights", "verify", str(home / "plain.safetensors")]) == 0
    assert "all values finite" in capsys.readouterr().out


def test_verify_finds_broken_values_and_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"a": torch.tensor([1.0, float("inf")])}, home / "inf.safetensors")
    (home / "cut.pth").write_bytes(b"PK\x03\x04")
    assert main(["weights", "verify", str(home / "inf.safetensors"), str(home / "cut.pth")]) == 1
    assert capsys.readouterr().out.count("FAILED") == 2


def test_verify_checks_what_came_with_dff(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "verify"]) == 0
    assert "manifest" in capsys.readouterr().out


@pytest.mark.usefixtures("tiny")
def test_an_imported_network_becomes_the_default(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = mxnet_file(home / "rfcn_dff_flownet_vid-0000.params")
    assert main(["weights", "import", str(source), "--model", "dff-rfcn-resnet101"]) == 0
    shown = capsys.readouterr().out
    assert "MXNet names" in shown
    assert "the default of dff-rfcn-resnet101" in shown
    written = home / "home" / "hub" / "checkpoints" / "dff-rfcn-resnet101.safetensors"
    with safe_open(written, "pt") as file:
        assert file.metadata()["model"] == "dff-rfcn-resnet101"
        assert file.metadata()["complete"] == "true"
        for name, tensor in tiny_rfcn().state_dict().items():
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(file.get_tensor(name), tensor)


@pytest.mark.usefixtures("tiny")
def test_parts_add_up_and_what_is_missing_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without_flow = mxnet_file(home / "resnet.params", without="flow.")
    out = home / "start.safetensors"
    arguments = ["weights", "import", str(without_flow), "--model", "dff-rfcn-resnet101", "-o", str(out)]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "48 missing" in shown
    assert "a start for training" in shown
    flow_only = mxnet_file(home / "flow.params", without="backbone.")
    assert main([*arguments[:3], str(flow_only), *arguments[3:], "--overwrite"]) == 0
    assert "missing" not in capsys.readouterr().out


@pytest.mark.usefixtures("tiny")
def test_what_cannot_run_does_not_become_the_default(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = mxnet_file(home / "resnet.params", without="flow.")
    assert main(["weights", "import", str(source), "--model", "dff-rfcn-resnet101"]) == 1
    assert "say with -o" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.usefixtures("tiny")
def test_weights_of_nothing_known_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"a": torch.zeros(3)}, home / "a.safetensors")
    assert main(["weights", "import", str(home / "a.safetensors"), "--model", "dff-rfcn-resnet101"]) == 1
    assert "nothing in it is part of" in capsys.readouterr().err.replace("\n", " ")


def test_other_models_take_their_checkpoints_as_they_are(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"a": torch.zeros(3)}, home / "a.safetensors")
    assert main(["weights", "import", str(home / "a.safetensors"), "--model", "fcn_resnet50"]) == 1
    assert "--weights" in capsys.readouterr().err


def test_fetch_says_where_unpublished_weights_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fetch", "dff-rfcn-resnet101"]) == 1
    assert "rfcn_dff_flownet_vid-0000.params" in capsys.readouterr().err.replace("\n", "")
    assert main(["weights", "fetch", "street-seg"]) == 0


def test_fetch_names_the_address_when_it_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert main(["weights", "fetch", "dff-faster-rcnn-resnet50-dc5", "-q"]) == 1
    assert "548911a4.pth" in capsys.readouterr().err
