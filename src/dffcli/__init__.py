"""Annotate video at a fraction of the cost with Deep Feature Flow.

    import dffcli

    for result in dffcli.run("street.mp4", model="street-seg", outputs=["out.mp4"]):
        print(result.frame.index, result.prediction)

Importing this costs nothing; what is named here is loaded when it is first used (docs/python.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dffcli._version import __version__

_HOMES = {
    "DFFError": "errors",
    "Detections": "core.types",
    "Engine": "core.engine",
    "FixedInterval": "core.schedule",
    "Frame": "core.types",
    "FrameResult": "core.types",
    "Masks": "core.types",
    "Model": "models.own",
    "SegmentationMap": "core.types",
    "TargetAgreement": "core.schedule",
    "build_model": "models.registry",
    "list_models": "models.registry",
    "open_source": "video.reader",
}
"""The public names and the modules that hold them."""

__all__ = [
    "DFFError",
    "Detections",
    "Engine",
    "FixedInterval",
    "Frame",
    "FrameResult",
    "Masks",
    "Model",
    "SegmentationMap",
    "TargetAgreement",
    "__version__",
    "build_model",
    "list_models",
    "open_source",
    "run",
]

if TYPE_CHECKING:
    from dffcli.core.engine import Engine
    from dffcli.core.schedule import FixedInterval, TargetAgreement
    from dffcli.core.types import Detections, Frame, FrameResult, Masks, SegmentationMap
    from dffcli.errors import DFFError
    from dffcli.models.own import Model
    from dffcli.models.registry import build_model, list_models
    from dffcli.run.door import run
    from dffcli.video.reader import open_source


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    if name == "run":
        return import_module("dffcli.run")  # the room, which can be called
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"dffcli.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
