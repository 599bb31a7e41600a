"""Weights that people trained for classes of their own."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from dffcli.core.types import Detections, Frame, SegmentationMap
from dffcli.errors import DFFError, ModelError, WeightsError
from dffcli.models.registry import build_model, model_entries
from dffcli.models.torchvision.own_classes import class_count, own_categories
from dffcli.models.weights.recognise import recognise

TORCHVISION = sorted(name for name, entry in model_entries().items() if entry.takes_class_names)
SMALL = "fasterrcnn_mobilenet_v3_large_320_fpn"


def network(name: str, classes: int) -> torch.nn.Module:
    options: dict[str, Any] = {"aux_loss": True} if name.startswith(("deeplab", "fcn_")) else {}
    torch.manual_seed(1)
    found: torch.nn.Module = get_model(name, weights=None, weights_backbone=None, num_classes=classes, **options)
    return found


def saved(path: Path, name: str = SMALL, *, classes: int = 3, wrap: Any = None) -> Path:
    state = network(name, classes).state_dict()
    torch.save(state if wrap is None else wrap(state), path)
    return path


def frame() -> Frame:
    return Frame(0, np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8), Fraction(0))


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize("classes", [2, 5])
def test_the_last_layer_of_every_network_tells_its_classes(name: str, classes: int) -> None:
    with torch.device("meta"):
        state = network(name, classes).state_dict()
    assert class_count(state) == classes


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize("prefix", ["", "module.", "model."])
def test_every_network_is_recognised_by_its_tensors(name: str, prefix: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        names = list(network(name, 4).state_dict())
    same = {SMALL: "fasterrcnn_mobilenet_v3_large_fpn"}.get(name, name)  # the two have the same tensors
    tensors = {prefix + key: torch.zeros(1) for key in names}
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "w.pth")
    assert recognise(tmp_path / "w.pth") == same
    save_file(tensors, tmp_path / "w.safetensors")
    assert recognise(tmp_path / "w.safetensors") == same


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x80\x02}", b"text", b"\xff" * 40])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_network_is_not_recognised(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    assert recognise(path) is None
    assert recognise(tmp_path / f"missing{suffix}") is None


@pytest.mark.parametrize("name", [SMALL, "lraspp_mobilenet_v3_large"])
def test_own_weights_answer_as_torchvision_does_with_own_names(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", name, classes=3)
    names = ("cat", "dog") if name != "lraspp_mobilenet_v3_large" else ("ground", "cat", "dog")
    model = build_model(name, weights=path, class_names=names).model
    assert [category.name for category in model.categories] == list(names)
    image = model.prepare(frame())
    answer = model.head(model.features(image), image, is_key=True)
    if isinstance(answer, SegmentationMap):
        with torch.inference_mode():
            reference = network(name, 3).eval()(image.tensor)["out"]
        assert reference.shape[1] == 3
        assert set(np.unique(answer.category_ids)) <= {0, 1, 2}
        return
    assert isinstance(answer, Detections)
    with torch.inference_mode():
        (reference,) = network(name, 3).eval()([torch.from_numpy(frame().image).permute(2, 0, 1) / 255])
    assert len(answer) == len(reference["scores"])
    np.testing.assert_allclose(answer.scores, reference["scores"].numpy(), atol=1e-4)
    assert set(answer.category_ids.tolist()) <= {1, 2}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model": state, "epoch": 7},
        lambda state: {"state_dict": {f"model.{name}": value for name, value in state.items()}},
        lambda state: {f"module._orig_mod.{name}": value for name, value in state.items()},
        lambda state: {"ema": {"module": state}, "model": {name: value * 0 for name, value in state.items()}},
    ],
    ids=["wrapped", "lightning", "parallel and compiled", "averaged first"],
)
def test_what_training_tools_wrap_around_tensors_is_unwrapped(wrap: Any, tmp_path: Path) -> None:
    model: Any = build_model(SMALL, weights=saved(tmp_path / "w.pth", wrap=wrap)).model
    weight = model._network.roi_heads.box_predictor.cls_score.weight
    assert torch.equal(weight, network(SMALL, 3).state_dict()["roi_heads.box_predictor.cls_score.weight"])


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("w.txt", "cat\ndog\n"),
        ("classes.txt", "\ufeffcat\r\n\r\ndog\r\n"),
        ("data.yaml", "train: images\nnc: 2\nnames:\n  1: dog\n  0: cat\n"),
        ("data.yaml", "names: [cat, dog]\n"),
        ("annotations.json", json.dumps({"categories": [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}]})),
        ("classes.json", json.dumps(["cat", "dog"])),
    ],
)
def test_names_are_found_in_a_file_beside_the_weights(place: str, content: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth")
    (tmp_path / place).write_text(content, encoding="utf-8")
    names = {category.id: category.name for category in build_model(SMALL, weights=path).model.categories}
    assert names == {1: "cat", 2: "dog"}


def test_names_in_the_checkpoint_come_before_a_file_and_the_users_before_both(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", wrap=lambda state: {"model": state, "classes": ["__background__", "cat", "dog"]})
    (tmp_path / "classes.txt").write_text("a\nb\n")
    assert [c.name for c in build_model(SMALL, weights=path).model.categories] == ["cat", "dog"]
    asked = build_model(SMALL, weights=path, class_names=("x", "y")).model
    assert [c.name for c in asked.categories] == ["x", "y"]


def test_without_names_classes_are_numbered(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth")
    assert [(c.id, c.name) for c in build_model(SMALL, weights=path).model.categories] == [
        (1, "class 1"),
        (2, "class 2"),
    ]


@pytest.mark.parametrize(
    ("network_name", "count", "names", "wanted"),
    [
        ("retinanet_resnet50_fpn", 2, ("a", "b"), {0: "a", 1: "b"}),
        ("retinanet_resnet50_fpn", 3, ("a", "b"), {1: "a", 2: "b"}),
        ("fcos_resnet50_fpn", 3, ("a", "b"), {1: "a", 2: "b"}),
        ("fasterrcnn_resnet50_fpn", 3, ("background", "a", "b"), {1: "a", 2: "b"}),
        ("ssd300_vgg16", 3, ("a", "b"), {1: "a", 2: "b"}),
        ("fcn_resnet50", 3, ("a", "b"), {0: "background", 1: "a", 2: "b"}),
        ("fcn_resnet50", 2, ("a", "b"), {0: "a", 1: "b"}),
    ],
)
def test_names_go_to_the_outputs_they_were_trained_as(
    network_name: str, count: int, names: tuple[str, ...], wanted: dict[int, str]
) -> None:
    found = own_categories(network_name, count, names, source="w.pth")
    assert {category.id: category.name for category in found} == wanted


def test_too_many_names_or_too_few_are_refused_with_both_numbers(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth: its network tells 2 classes apart, got 3 names"):
        build_model(SMALL, weights=path, class_names=("a", "b", "c"))


def test_names_for_a_network_that_brings_its_own_are_refused() -> None:
    with pytest.raises(ModelError, match="class names are for weights of your own"):
        build_model("street-seg", class_names=("a",))


class Whole(torch.nn.Module):
    """Not importable by its name where it is read, as with most people's models."""


@pytest.mark.parametrize("make", [lambda: network(SMALL, 3), Whole], ids=["torchvision's", "their own"])
def test_a_whole_pickled_model_is_refused_with_what_to_save_instead(make: Any, tmp_path: Path) -> None:
    torch.save(make(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"a whole pickled model.*torch\.save\(model\.state_dict"):
        build_model(SMALL, weights=tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".engine"])
def test_programs_run_from_end_to_end_are_named_for_what_they_are(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"w{suffix}").write_bytes(b"x" * 10)
    with pytest.raises(DFFError, match="no features to carry"):
        build_model(SMALL, weights=tmp_path / f"w{suffix}")
