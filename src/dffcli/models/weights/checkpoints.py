"""Read a checkpoint file somebody else wrote, and fill a network with it, trusting nothing."""

from __future__ import annotations

import argparse
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dffcli.errors import WeightsError
from dffcli.models.weights.class_names import Names, names_in

AVERAGED = ("ema", "model_ema", "ema_state_dict", "average")
WRAPPERS = (*AVERAGED, "state_dict", "model_state_dict", "model", "network", "module")
"""Where training scripts keep the tensors; averaged ones first, as they are what was meant to be used."""
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What DistributedDataParallel, torch.compile and Lightning put before every name."""
PROGRAMS = {".onnx": "an ONNX graph", ".pt2": "an exported program", ".engine": "a TensorRT engine"}
"""What is a network run from end to end, and not split into features and answers."""

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint holds that dff has a use for.

    Attributes:
        state: its tensors by name.
        class_names: what its classes are called, where it says so.
    """

    state: State
    class_names: Names = ()


def read_checkpoint(path: Path) -> State:
    """The tensors of a `.safetensors` or PyTorch checkpoint by name.

    Raises:
        WeightsError: as `open_checkpoint`.
    """
    return open_checkpoint(path).state


def open_checkpoint(path: Path) -> Checkpoint:
    """Read a `.safetensors` or PyTorch checkpoint; nothing in the file is executed.

    Raises:
        WeightsError: the file is missing, not a checkpoint, holds more than tensors, or holds none.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise WeightsError(f"{path}: expected a checkpoint file (.pth or .safetensors), found {found}")
    if path.stat().st_size == 0:
        raise WeightsError(f"{path}: expected a checkpoint, found an empty file")
    if path.suffix.lower() in PROGRAMS:
        raise WeightsError(
            f"{path}: {PROGRAMS[path.suffix.lower()]}, which has no features to carry: expected the tensors of a "
            "network dff knows (`dff models`), saved with torch.save(model.state_dict(), ...)"
        )
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    state = _find_tensors(content)
    if not state:
        raise WeightsError(f"{path}: expected named tensors, found none")
    while prefix := next((part for part in PREFIXES if all(name.startswith(part) for name in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return Checkpoint(state, names_in(content))


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({_first_line(error)})") from error


def _read_pickle(path: Path) -> object:
    try:
        with (
            torch.serialization.safe_globals([argparse.Namespace]),  # torchvision's scripts keep their options beside
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of a strange pickle, in lines of torch's own
            _check_claims(path, torch.load(path, map_location="meta", weights_only=True))
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        whole = re.search(r"GLOBAL ((?:torchvision|torch\.nn|__main__|[\w.]*models?)\.[\w.]+)", str(error))
        if whole:
            raise WeightsError(
                f"{path}: a whole pickled model ({whole[1]}), whose code dff does not run; save its tensors alone: "
                "torch.save(model.state_dict(), 'weights.pth')"
            ) from error
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            raise WeightsError(f"{path}: holds code or objects besides tensors, which dff does not load") from error
        raise WeightsError(f"{path}: not a readable PyTorch checkpoint ({_first_line(error)})") from error
    except Exception as error:  # a hostile file can make the unpickler raise anything
        raise WeightsError(f"{path}: not a readable PyTorch checkpoint ({_first_line(error)})") from error


def _check_claims(path: Path, content: object) -> None:
    """Refuse tensors that reach beyond the file: torch would make room for whatever they claim."""
    size = path.stat().st_size
    for name, tensor in _find_tensors(content).items():
        extent = sum((side - 1) * step for side, step in zip(tensor.shape, tensor.stride(), strict=True)) + 1
        if tensor.numel() and (tensor.storage_offset() + extent) * tensor.element_size() > size:
            raise WeightsError(f"{path}: damaged: {name} {list(tensor.shape)} cannot fit into {size} bytes")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:160]


def _find_tensors(content: object) -> State:
    """The named tensors, looked for where training scripts keep them."""
    if not isinstance(content, Mapping):
        return {}
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            return _find_tensors(content[wrapper])
    return {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
