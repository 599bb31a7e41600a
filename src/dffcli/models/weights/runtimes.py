"""Other engines for the feature network: the same function, compiled for the machine.

Only N_feat is handed over. It is where the time goes, and the per-frame baseline runs it too, so that a speed-up is
never owed to the runtime.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from dffcli.core.protocols import VideoModel
from dffcli.core.types import Features
from dffcli.errors import ModelError
from dffcli.models.registry import RUNTIMES

SHAPES_KEPT = 2  # input shapes whose compiled network is kept

Network = Callable[[Tensor], Features]


def on_runtime(model: VideoModel, name: str, *, device: str = "cpu") -> VideoModel:
    """The same model with its feature network on another engine.

    Args:
        model: one that keeps its feature network where it can be replaced, as `feature_network`.
        name: one of `RUNTIMES`.
        device: where the model runs.

    Raises:
        ModelError: there is no such runtime, it is not installed, or the model cannot use it.
    """
    if name not in RUNTIMES:
        raise ModelError(f"unknown runtime {name!r}: expected one of {', '.join(RUNTIMES)}")
    if name == "torch":
        return model
    network = getattr(model, "feature_network", None)
    if not isinstance(network, nn.Module):
        raise ModelError(f"{model.name}: runs on torch only, not on {name}")
    if name != "compile" and device != "cpu":
        raise ModelError(f"runtime {name}: runs on the CPU only, got device {device}")
    builders = {"compile": _compile, "openvino": _openvino, "onnx": _onnx}
    changed: Any = copy(model)
    changed.feature_network = builders[name](network)
    return cast(VideoModel, changed)


def _compile(network: nn.Module) -> Network:
    compiled: Network = torch.compile(network)

    def run(x: Tensor) -> Features:
        try:
            return compiled(x)
        except Exception as error:  # the compiler's errors share no base class
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"runtime compile: cannot compile the network here ({first[:160]})") from error

    return run


def _by_shape(build: Callable[[Tensor], Callable[[Tensor], list[Any]]]) -> Network:
    """Build once for each input shape; results channels last, as the warp reads them fastest."""
    built: dict[tuple[int, ...], Callable[[Tensor], list[Any]]] = {}

    def run(x: Tensor) -> Features:
        shape = tuple(x.shape)
        if shape not in built:
            while len(built) >= SHAPES_KEPT:
                built.pop(next(iter(built)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # exporters warn of their own internals
                built[shape] = build(x)
        maps = (torch.from_numpy(np.array(values)) for values in built[shape](x))
        return tuple(values.contiguous(memory_format=torch.channels_last) for values in maps)

    return run


def _openvino(network: nn.Module) -> Network:
    try:
        openvino: Any = import_module("openvino")
    except ImportError as error:
        raise ModelError("runtime openvino: is not installed: `pip install dffcli[openvino]`") from error

    def build(x: Tensor) -> Callable[[Tensor], list[Any]]:
        example = x.clone().contiguous()
        converted = openvino.convert_model(network, example_input=example, input=[tuple(x.shape)])
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(torch.get_num_threads())}
        compiled = openvino.compile_model(converted, "CPU", options)
        return lambda picture: list(compiled(picture.contiguous().numpy()).to_tuple())

    return _by_shape(build)


def _onnx(network: nn.Module) -> Network:
    try:
        onnxruntime: Any = import_module("onnxruntime")
        import_module("onnxscript")  # what torch exports with
    except ImportError as error:
        raise ModelError("runtime onnx: is not installed: `pip install dffcli[onnx]`") from error

    def build(x: Tensor) -> Callable[[Tensor], list[Any]]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        with tempfile.TemporaryDirectory(prefix="dff-onnx-") as folder:
            path = Path(folder) / "features.onnx"
            torch.onnx.export(network, (x.clone().contiguous(),), path, dynamo=True, verbose=False)
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda picture: list(session.run(None, {name: picture.contiguous().numpy()}))

    return _by_shape(build)
