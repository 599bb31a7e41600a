"""The light flow network as a file."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from dffcli.errors import WeightsError
from dffcli.files.network_file import bundled_file, load_network, save_network
from dffcli.files.state_dict import fill
from dffcli.flow.light import LightFlow, LightFlowNet
from dffcli.flow.measured import MeasuredFlow

KIND = "light-flow"


def export_light_flow(path: Path, module: nn.Module) -> None:
    """Write a trained flow network."""
    if not isinstance(module, LightFlowNet):
        raise WeightsError(f"{path}: only a light flow network can be exported here, got {type(module).__name__}")
    description = {"scale_channels": module.scale_channels}
    save_network(path, module, kind=KIND, categories=(), description=description)


def load_light_flow(path: Path) -> LightFlowNet:
    """Read what `export_light_flow` wrote."""
    file = load_network(path, kinds=(KIND,))
    module = LightFlowNet(scale_channels=file.description["scale_channels"])
    fill(module, file.tensors, source=str(path))
    return module


def build(name: str, *, device: str, **_options: object) -> MeasuredFlow:
    """The bundled light flow network, or one from a file, ready to run (the registry's builder).

    Args:
        name: "light", or the file.
        device: where it runs.

    Raises:
        WeightsError: it is missing, broken or another network's.
    """
    if name == "light":
        return MeasuredFlow(LightFlow(load_light_flow(bundled_file(KIND)[0]), device=device))
    return MeasuredFlow(LightFlow(load_light_flow(Path(name)), device=device, name=f"light from {Path(name).name}"))
