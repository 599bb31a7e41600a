"""Checkpoints from elsewhere fit exactly, or end in one line that says why not."""

import argparse
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dffcli.errors import WeightsError
from dffcli.files.state_dict import fill
from dffcli.models.weights.checkpoints import read_checkpoint


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        fill(network(), read_checkpoint(path), source=str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_tensors_are_found_wherever_scripts_put_them(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    source = network()
    state = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    path = tmp_path / "x.pth"
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3, "args": argparse.Namespace(lr=1.0)}, path)
    target = network()
    fill(target, read_checkpoint(path), source="x")
    assert torch.equal(target[0].weight, source[0].weight)


def test_safetensors_are_read(tmp_path: Path) -> None:
    source = network()
    save_file(source.state_dict(), tmp_path / "x.safetensors")
    target = network()
    fill(target, read_checkpoint(tmp_path / "x.safetensors"), source="x")
    assert torch.equal(target[0].weight, source[0].weight)


def test_another_networks_checkpoint_lists_the_first_mismatches(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"0.weight": torch.zeros(4, 3, 3, 3), "0.bias": torch.zeros(4), "head.w": torch.zeros(1)}, path)
    message = refusal(path)
    assert "4 missing: 1.weight, 1.bias, 1.running_mean and 1 more" in message
    assert "1 extra: head.w" in message
    assert "1 mis-shaped: 0.weight [4, 3, 3, 3] where [4, 3, 1, 1] is wanted" in message


def test_names_without_use_are_left_out() -> None:
    state = {**network().state_dict(), "aux.weight": torch.zeros(1)}
    fill(network(), state, source="x", ignore=lambda name: name.startswith("aux."))


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = network().state_dict()
    state["0.bias"][1] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    assert "NaN" in refusal(tmp_path / "nan.pth")


def test_a_shape_beyond_all_memory_is_refused_by_its_shape(tmp_path: Path) -> None:
    state = network().state_dict()
    state["0.weight"] = torch.zeros(1).expand(1 << 40)
    torch.save(state, tmp_path / "huge.pth")
    assert "mis-shaped" in refusal(tmp_path / "huge.pth")


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harm"),))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Hostile()}, tmp_path / "hostile.pth")
    assert "objects besides tensors" in refusal(tmp_path / "hostile.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile()))
    refusal(tmp_path / "plain.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\x80\x02", b"PK\x03\x04" + bytes(64)])
def test_broken_files_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    refusal(path)


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "a.pth")
    whole = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    refusal(tmp_path / "cut.pth")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "found nothing" in refusal(tmp_path / "absent.pth")
    assert "found a folder" in refusal(tmp_path)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "x.pth")
    assert "found none" in refusal(tmp_path / "x.pth")
    torch.save([1, 2], tmp_path / "y.pth")
    assert "found none" in refusal(tmp_path / "y.pth")
