"""What a file says of where its annotations come from."""

from __future__ import annotations

from typing import Any

from dffcli._version import __version__
from dffcli.core.types import KeyReason
from dffcli.formats.record import Sequence

RANDOM_WARNING = "RANDOM WEIGHTS: for timing only, these annotations mean nothing"


def file_info(sequence: Sequence) -> dict[str, Any]:
    """The block that tells where a file's annotations come from."""
    run = sequence.run
    info: dict[str, Any] = {
        "description": f"{sequence.task} annotations of {sequence.info.name}",
        "version": __version__,
        "tool": "dff",
        "task": str(sequence.task),
        "video": sequence.info.name,
    }
    if sequence.info.average_rate is not None:
        info["frame_rate"] = str(sequence.info.average_rate)
    if run is None:
        return info
    if run.is_random:
        info["warning"] = RANDOM_WARNING
    return info | {
        "model": run.model,
        "weights": run.weights,
        "random_weights": run.is_random,
        "settings": dict(run.settings),
        "key_reasons": {reason.value: reason.sentence for reason in KeyReason},
    }
