"""Optical flow estimators, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dffcli.errors import ModelError, WeightsError

if TYPE_CHECKING:
    from torch import nn

    from dffcli.core.protocols import FlowEstimator

Load = Callable[[str, "nn.Module"], None]
"""Fills a learned network of that name with its weights."""


@dataclass(frozen=True, slots=True)
class FlowEntry:
    """One estimator.

    Attributes:
        summary: what it is, in a line.
        builder: `module:function`, called as `function(name, device=..., load=...) -> FlowEstimator`.
    """

    summary: str
    builder: str


_DIS = "dffcli.flow.dis:build"
_RAFT = "dffcli.flow.raft:build"
_LIGHT = "dffcli.flow.light_file:build"

FLOWS = {
    "dis": FlowEntry("OpenCV DIS on a reduced grey picture, chained from frame to frame (default)", _DIS),
    "dis-fast": FlowEntry("DIS on a picture of 3/4 the size: half the cost", _DIS),
    "dis-fine": FlowEntry("DIS down to the last pixel: four times the cost", _DIS),
    "farneback": FlowEntry("Farneback's polynomial flow", "dffcli.flow.farneback:build"),
    "raft_small": FlowEntry("torchvision's RAFT, small (torchvision's weights)", _RAFT),
    "raft_large": FlowEntry("torchvision's RAFT, large (torchvision's weights; for a GPU)", _RAFT),
    "light": FlowEntry("our own light network (bundled), or the FILE.safetensors that `dff train` made", _LIGHT),
    "none": FlowEntry("no flow: hold the key frame's features (the lower baseline)", "dffcli.flow.hold:build"),
}
"""Every estimator by name; importing this costs nothing."""

FILE_SUFFIX = ".safetensors"


def check_flow(name: str) -> None:
    """Refuse, before anything is loaded, a name that no estimator has.

    Args:
        name: one of `FLOWS`, or the file of a light flow network.

    Raises:
        ModelError: there is none of that name.
        WeightsError: the file is not there.
    """
    if name.endswith(FILE_SUFFIX):
        if not Path(name).is_file():
            raise WeightsError(f"{name}: no such file")
        return
    if name not in FLOWS:
        near = get_close_matches(name, FLOWS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(FLOWS)} or a file"
        raise ModelError(f"unknown flow {name!r}: {hint}")


def build_flow(name: str, *, device: str = "cpu", load: Load | None = None) -> FlowEstimator:
    """The flow estimator of that name.

    Args:
        name: one of `FLOWS`, or the file of a light flow network.
        device: where learned flow runs; classical flow runs on the CPU.
        load: fills a learned network of that name with its weights; left random if absent.

    Raises:
        ModelError: there is none of that name.
        WeightsError: its weights are not here and cannot be fetched.
    """
    check_flow(name)
    builder = _LIGHT if name.endswith(FILE_SUFFIX) else FLOWS[name].builder
    module, function = builder.split(":")
    flow: FlowEstimator = getattr(import_module(module), function)(name, device=device, load=load)
    return flow
