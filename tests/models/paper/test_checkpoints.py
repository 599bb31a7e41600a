"""Weights of four origins fill a network wholly or are refused with what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dffcli.errors import WeightsError
from dffcli.models.paper.build import build_network
from dffcli.models.paper.catalog import NETWORKS
from dffcli.models.paper.checkpoints import Origin, State, load_parameters, match_parameters, read_parameters
from dffcli.models.paper.names import mmtracking_name, mxnet_name, mxnet_resnet50_name
from dffcli.models.paper.prepare import IMAGENET_STD
from dffcli.models.weights.checkpoints import read_checkpoint
from tests.models.paper.golden import NEEDS_GOLDEN, shapes
from tests.models.paper.mxnet_writer import write_params
from tests.models.paper.tiny import tiny_faster_rcnn, tiny_rfcn


def own_state(network: torch.nn.Module) -> State:
    return {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}


def write_mxnet(path: Path, network: torch.nn.Module) -> None:
    state = own_state(network)
    named = [(mxnet_name(name) or "", tensor.numpy()) for name, tensor in state.items()]
    write_params(path, named, count=len(named))


@NEEDS_GOLDEN
def test_names_are_exactly_those_of_the_released_checkpoints() -> None:
    with torch.device("meta"):
        released = build_network(NETWORKS["dff-rfcn-resnet101"])
        theirs = build_network(NETWORKS["dff-faster-rcnn-resnet50-dc5"])
    named = {mxnet_name(name): tuple(tensor.shape) for name, tensor in own_state(released).items()}
    assert named == shapes("mxnet-dff-rfcn")
    named = {mmtracking_name(name): tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert named == shapes("mmtracking-dff-r50")


def test_resnet50_units_have_letters_in_mxnet() -> None:
    assert mxnet_name("backbone.layer3.5.conv1.weight") == "arg:res4b5_branch2a_weight"
    assert mxnet_resnet50_name("backbone.layer3.5.bn1.running_var") == "aux:bn4f_branch2a_moving_var"
    assert mxnet_resnet50_name("backbone.layer2.0.downsample.0.weight") == "arg:res3a_branch1_weight"


def test_mxnet_weights_come_back_as_they_were(tmp_path: Path) -> None:
    network, empty = tiny_rfcn(), tiny_rfcn()
    torch.nn.init.zeros_(empty.reduce.weight)
    write_mxnet(tmp_path / "a.params", network)
    match = load_parameters(empty, tmp_path / "a.params", name="tiny")
    assert match.origin is Origin.MXNET
    for name, tensor in own_state(network).items():
        torch.testing.assert_close(empty.state_dict()[name], tensor)


def test_box_weights_kept_for_testing_win_and_are_divided_by_their_deviation() -> None:
    network = tiny_rfcn()
    found = {mxnet_name(name) or "": tensor for name, tensor in own_state(network).items()}
    deviation = torch.tensor([0.1, 0.1, 0.2, 0.2] * 2).repeat_interleave(49)
    found["arg:rfcn_bbox_weight_test"] = torch.randn_like(network.box_maps.weight)
    found["arg:rfcn_bbox_bias_test"] = torch.randn(392)
    match = match_parameters(network, found)
    assert match.is_complete
    torch.testing.assert_close(
        match.state["box_maps.weight"] * deviation.view(-1, 1, 1, 1), found["arg:rfcn_bbox_weight_test"]
    )
    torch.testing.assert_close(match.state["box_maps.bias"] * deviation, found["arg:rfcn_bbox_bias_test"])


def test_missing_extra_and_misshaped_entries_are_listed(tmp_path: Path) -> None:
    network = tiny_rfcn()
    state = own_state(network)
    del state["reduce.bias"]
    state["surplus"] = torch.zeros(1)
    state["rpn_score.bias"] = torch.zeros(5)
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError) as caught:
        load_parameters(network, tmp_path / "a.safetensors", name="tiny")
    message = str(caught.value)
    assert "1 missing: reduce.bias" in message
    assert "1 extra: surplus" in message
    assert "rpn_score.bias ([5], expected [18])" in message
    assert "\n" not in message


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    network = tiny_rfcn()
    state = {name: tensor.clone() for name, tensor in own_state(network).items()}
    state["reduce.bias"][0] = float("nan")
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=re.escape("NaN or infinity, the first is reduce.bias")):
        load_parameters(network, tmp_path / "a.safetensors", name="tiny")


def test_half_precision_is_brought_to_single(tmp_path: Path) -> None:
    network = tiny_rfcn()
    save_file({name: tensor.half() for name, tensor in own_state(network).items()}, tmp_path / "a.safetensors")
    load_parameters(network, tmp_path / "a.safetensors", name="tiny")
    assert network.reduce.weight.dtype == torch.float32


def test_an_mmtracking_checkpoint_fills_its_network(tmp_path: Path) -> None:
    network = tiny_faster_rcnn()
    state = {mmtracking_name(name): tensor for name, tensor in network.state_dict().items()}
    torch.save({"meta": {"epoch": 7}, "state_dict": state}, tmp_path / "a.pth")
    match = load_parameters(network, tmp_path / "a.pth", name="tiny")
    assert match.origin is Origin.MMTRACKING


def test_torchvisions_resnet_is_brought_to_pixels_less_their_mean() -> None:
    network = tiny_rfcn()
    found = {
        name.removeprefix("backbone."): tensor
        for name, tensor in network.state_dict().items()
        if name.startswith("backbone.")
    } | {"fc.weight": torch.zeros(1000, 8), "fc.bias": torch.zeros(1000)}
    match = match_parameters(network, found)
    assert match.origin is Origin.RESNET
    assert match.extra == ()
    assert not [name for name in match.missing if name.startswith("backbone.")]
    pixels = torch.rand(1, 3, 8, 8) * 100
    normalised = pixels / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    torch.testing.assert_close(
        torch.conv2d(pixels, match.state["backbone.conv1.weight"], padding=3),
        torch.conv2d(normalised, found["conv1.weight"], padding=3),
    )


def test_caffes_resnet_reads_blue_first_so_its_first_weights_are_turned() -> None:
    network = tiny_rfcn()
    found = {n.removeprefix("backbone."): t for n, t in network.state_dict().items() if n.startswith("backbone.")}
    match = match_parameters(network, found, pixels="caffe")
    torch.testing.assert_close(match.state["backbone.conv1.weight"], found["conv1.weight"].flip(1))


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(is_zip: bool, tmp_path: Path) -> None:
    class Claim:
        """Pickles as a tensor of 4 TB over a storage of 16 bytes."""

        def __init__(self, tensor: torch.Tensor) -> None:
            self.tensor = tensor

        def __reduce_ex__(self, _protocol: int) -> object:
            function, arguments = self.tensor.__reduce_ex__(2)  # type: ignore[misc]
            storage, offset, _, _, *rest = arguments
            return function, (storage, offset, (1 << 40,), (1,), *rest)

    path = tmp_path / "claim.pth"
    torch.save({"state_dict": {"a": Claim(torch.zeros(4))}}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_cut_safetensors_or_pth_file_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(100)}, tmp_path / "a.safetensors")
    torch.save({"a": torch.zeros(100)}, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(WeightsError):
            read_parameters(tmp_path / name)


def test_mxnet_files_are_known_by_their_first_bytes_not_their_name(tmp_path: Path) -> None:
    write_params(tmp_path / "weights.pth", [("arg:a", np.zeros(2, np.float32))], count=1)
    assert list(read_parameters(tmp_path / "weights.pth")) == ["arg:a"]
