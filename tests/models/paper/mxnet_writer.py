"""Write MXNet `.params` files of every version, to read them again."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Version = Literal["legacy", "v1", "v2", "v3"]
FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
VERSIONS: tuple[Version, ...] = ("legacy", "v1", "v2", "v3")


def array_header(array: NDArray[np.generic], version: Version) -> bytes:
    """What stands before an array's values."""
    shape = array.shape
    match version:
        case "legacy":
            start = struct.pack(f"<I{len(shape)}I", len(shape), *shape)
        case "v1":
            start = struct.pack(f"<II{len(shape)}q", 0xF993FAC8, len(shape), *shape)
        case "v2" | "v3":
            magic = 0xF993FAC9 if version == "v2" else 0xF993FACA
            start = struct.pack(f"<IiI{len(shape)}q", magic, 0, len(shape), *shape)
    return start + struct.pack("<iii", 1, 0, FLAGS[array.dtype.name])


def write_params(
    path: Path, arrays: Iterable[tuple[str, NDArray[np.generic]]], *, count: int, version: Version = "legacy"
) -> None:
    """Write arrays, one at a time, under their names."""
    names = []
    with path.open("wb") as file:
        file.write(struct.pack("<QQQ", 0x112, 0, count))
        for name, array in arrays:
            names.append(name.encode())
            file.write(array_header(array, version))
            file.write(np.ascontiguousarray(array).tobytes())
        file.write(struct.pack("<Q", len(names)))
        for name in names:
            file.write(struct.pack("<Q", len(name)) + name)
