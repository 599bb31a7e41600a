"""Every runtime computes what torch computes."""

import importlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dffcli.core.types import Frame
from dffcli.errors import ModelError
from dffcli.models.torchvision.segmenters import TorchvisionSegmenter, build
from dffcli.models.weights import runtimes
from dffcli.models.weights.runtimes import on_runtime


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.stem, self.top = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        half = self.stem(x).relu()
        return half, self.top(nn.functional.max_pool2d(half, 2))


@dataclass
class Holder:
    feature_network: Any
    name: str = "tiny"


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_the_numbers_are_torchs_at_every_size(name: str) -> None:
    pytest.importorskip({"openvino": "openvino", "onnx": "onnxruntime"}[name], reason=f"the {name} extra")
    network = Tiny().eval()
    holder = Holder(network)
    holder = on_runtime(holder, name)  # type: ignore[arg-type, assignment]
    with torch.inference_mode():
        for size in ((32, 48), (48, 32), (24, 24), (32, 48)):
            picture = torch.rand(1, 3, *size).contiguous(memory_format=torch.channels_last)
            for found, wanted in zip(holder.feature_network(picture), network(picture), strict=True):
                assert found.shape == wanted.shape
                assert found.is_contiguous(memory_format=torch.channels_last)
                assert torch.allclose(found, wanted, atol=1e-5)


def test_a_real_segmenter_runs_on_it() -> None:
    pytest.importorskip("openvino", reason="the openvino extra")
    model = build("lraspp_mobilenet_v3_large", weights="random", short_side=64).model
    assert isinstance(model, TorchvisionSegmenter)
    frame = Frame(0, np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8), Fraction(0))
    image = model.prepare(frame)
    wanted = model.features(image)[0]
    other = on_runtime(model, "openvino")
    assert (other.features(image)[0] - wanted).abs().max() < 1e-3 * wanted.abs().max()
    assert torch.equal(model.features(image)[0], wanted)  # the model itself is as it was


def test_what_cannot_be_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    holder: Any = Holder(Tiny())
    with pytest.raises(ModelError, match="expected one of torch, compile, openvino, onnx"):
        on_runtime(holder, "tensorrt")
    with pytest.raises(ModelError, match="CPU only"):
        on_runtime(holder, "onnx", device="cuda")
    with pytest.raises(ModelError, match="torch only"):
        on_runtime(Holder(None), "onnx")  # type: ignore[arg-type]
    real = importlib.import_module

    def absent(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] in ("openvino", "onnxruntime"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(runtimes, "import_module", absent)
    for name in ("openvino", "onnx"):
        with pytest.raises(ModelError, match=rf"dffcli\[{name}\]"):
            on_runtime(holder, name)


def test_torch_itself_changes_nothing() -> None:
    network = Tiny()
    holder: Any = Holder(network)
    assert on_runtime(holder, "torch") is holder
