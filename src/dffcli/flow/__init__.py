"""Optical flow estimators, by name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from dffcli.errors import ModelError, WeightsError

if TYPE_CHECKING:
    from torch import nn

    from dffcli.core.protocols import FlowEstimator

FLOWS = {
    "dis": "OpenCV DIS on a reduced grey picture, chained from frame to frame (default)",
    "dis-fast": "DIS on a picture of 3/4 the size: half the cost",
    "dis-fine": "DIS down to the last pixel: four times the cost",
    "farneback": "Farneback's polynomial flow",
    "raft_small": "torchvision's RAFT, small (torchvision's weights)",
    "raft_large": "torchvision's RAFT, large (torchvision's weights; for a GPU)",
    "light": "our own light network (bundled), or the FILE.safetensors that `dff train` made",
    "none": "no flow: hold the key frame's features (the lower baseline)",
}
"""Every estimator and what it is, in a line; importing this costs nothing."""

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


def build_flow(
    name: str, *, device: str = "cpu", load: Callable[[str, nn.Module], None] | None = None
) -> FlowEstimator:
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
    if name == "light" or name.endswith(FILE_SUFFIX):
        from dffcli.flow.light_file import build_light_flow

        return build_light_flow(None if name == "light" else Path(name), device=device)
    if name.startswith("raft"):
        from dffcli.flow.raft import build_raft

        return build_raft(name, device=device, load=load or (lambda _name, _network: None))
    if name == "farneback":
        from dffcli.flow.farneback import FarnebackFlow

        return FarnebackFlow()
    if name == "none":
        from dffcli.flow.hold import HoldFlow

        return HoldFlow()
    from dffcli.flow.dis import SETTINGS, DisFlow

    return DisFlow(name, SETTINGS[name])
