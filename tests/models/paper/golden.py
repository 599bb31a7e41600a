"""Where the reference outputs of the original networks are, and how their parameters are made again."""

from __future__ import annotations

import importlib.util
import json
from types import ModuleType
from typing import Any

import numpy as np

from tests.shared import GOLDEN, needs_shared

FOLDER = GOLDEN
NEEDS_GOLDEN = needs_shared


def recipe() -> ModuleType:
    """The module that gives every parameter from its name, its shape and a seed."""
    spec = importlib.util.spec_from_file_location("golden_recipe", FOLDER / "recipe.py")
    if spec is None or spec.loader is None:
        raise ImportError("no recipe")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all parameters."""
    listed: dict[str, list[int]] = json.loads((FOLDER / f"{name}-shapes.json").read_text())
    return {key: tuple(shape) for key, shape in listed.items()}


def outputs(name: str) -> dict[str, Any]:
    """Reference arrays by name."""
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays}
