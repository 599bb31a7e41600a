"""Networks as files: weights with the numbers that rebuild them, and where dff's own are kept."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dffcli.categories import Category
from dffcli.errors import WeightsError
from dffcli.files.atomic import atomic_path, writing
from dffcli.files.bundled import MANIFEST, bundled_folder

HEADER_LIMIT = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A network read from a file.

    Attributes:
        kind: what sort of network it is ("street-seg").
        description: the numbers that rebuild it and its categories, as they were saved.
        tensors: its weights, in single precision.
    """

    kind: str
    description: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def categories(self) -> tuple[Category, ...]:
        """What it can name."""
        return tuple(
            Category(item["id"], item["name"], tuple(item["color"])) for item in self.description["categories"]
        )


def bundled_file(name: str) -> tuple[Path, str]:
    """The file of a bundled network and its sha256, checked.

    Raises:
        WeightsError: it is missing, or not the file that was bundled.
    """
    folder = bundled_folder()
    networks = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["networks"]
    if name not in networks:
        raise WeightsError(f"{folder / MANIFEST}: no network {name!r}, only {', '.join(networks) or 'none'}")
    path = folder / networks[name]["file"]
    if not path.is_file():
        raise WeightsError(f"{path}: the bundled network is missing: install dff again")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != networks[name]["sha256"]:
        raise WeightsError(f"{path}: expected sha256 {networks[name]['sha256'][:12]}..., found {found[:12]}...")
    return path, found


def save_network(
    path: Path, module: nn.Module, *, kind: str, categories: tuple[Category, ...], description: dict[str, Any]
) -> None:
    """Write a network in half precision (its norms' statistics in full), complete or not at all.

    Args:
        path: a `.safetensors` file.
        module: the network.
        kind: what sort of network it is.
        categories: what it can name.
        description: the numbers that rebuild it, of JSON's types.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous().cpu()
        for name, value in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    listed = [{"id": item.id, "name": item.name, "color": list(item.color)} for item in categories]
    metadata = {"kind": kind, "description": json.dumps({**description, "categories": listed})}
    write_tensors(path, tensors, metadata=metadata)


def write_tensors(path: Path, tensors: dict[str, Tensor], *, metadata: dict[str, str]) -> None:
    """Write a `.safetensors` file, complete or not at all; one that has the name is replaced, unless the name is held.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path, overwrite=True) as part, writing(path):
        part.write_bytes(save(tensors, metadata=metadata))  # not by name: the library would put another file there


def load_network(path: Path, *, kinds: tuple[str, ...]) -> NetworkFile:
    """Read what `save_network` wrote.

    Raises:
        WeightsError: it is missing, broken, not dff's, or of another kind.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        metadata = read_metadata(path)
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable .safetensors file") from error
    if "kind" not in metadata or "description" not in metadata:
        raise WeightsError(f"{path}: expected a network exported by `dff train`, found none of its description")
    if metadata["kind"] not in kinds:
        raise WeightsError(f"{path}: expected a network of kind {' or '.join(kinds)}, found {metadata['kind']}")
    full = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    return NetworkFile(metadata["kind"], json.loads(metadata["description"]), full)


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says beside its tensors.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not such a file.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))
        if length > HEADER_LIMIT:
            raise ValueError("header too long")
        header = json.loads(file.read(length))
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("no header")
    return metadata
