"""Checkpoints that are complete or absent, whatever happens while they are written."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from dffcli.errors import DataError, WeightsError
from dffcli.files.atomic import atomic_path, writing


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state`, complete or not at all, in the place of the one before.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path, overwrite=True) as part, writing(path), part.open("wb") as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, running none of the file's code.

    Raises:
        DataError: there is no such file.
        WeightsError: it is not a checkpoint of `dff train`.
    """
    if not path.is_file():
        raise DataError(f"{path}: no checkpoint there to resume from")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, LookupError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path}: not a readable checkpoint ({type(error).__name__})") from error
    if not isinstance(state, dict) or not {"step", "model", "average", "optimizer"} <= state.keys():
        raise WeightsError(f"{path}: expected a checkpoint written by `dff train`, found something else")
    return state
