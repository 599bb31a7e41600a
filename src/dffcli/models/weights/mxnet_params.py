"""Read MXNet's `.params` files with numpy alone, trusting nothing they say of themselves."""

from __future__ import annotations

import mmap
import struct
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dffcli.errors import WeightsError

LIST_MAGIC = 0x112
ARRAY_MAGIC_V1, ARRAY_MAGIC_V2, ARRAY_MAGIC_V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DENSE = 0  # storage type
MAX_DIMENSIONS = 32
SMALLEST_ARRAY = 4  # bytes an array takes in the file at least
DTYPES: dict[int, type[np.generic]] = {
    0: np.float32,
    1: np.float64,
    2: np.float16,
    3: np.uint8,
    4: np.int32,
    5: np.int8,
    6: np.int64,
}


def is_mxnet_params(start: bytes) -> bool:
    """Whether a file that begins with these bytes says that it is one."""
    return start[:8] == struct.pack("<Q", LIST_MAGIC)


def read_mxnet_params(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a `.params` file by name (`arg:conv1_weight`), as views of the mapped file.

    All versions of the container are read: arrays without a magic number (until 2017), V1, V2 and V3.

    Raises:
        WeightsError: the file is absent, cut short, or not what it says. Nothing is allocated on the file's word.
    """
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as weights ({error})") from error
    reader = _Reader(path, data)
    if reader.number("Q") != LIST_MAGIC:
        raise WeightsError(f"{path}: not an MXNet .params file: expected it to begin with 0x112")
    reader.number("Q")  # reserved
    count = reader.count(SMALLEST_ARRAY, "arrays")
    arrays = [reader.array(position, count) for position in range(count)]
    name_count = reader.count(8, "names")
    if name_count != count:
        raise WeightsError(f"{path}: expected a name for each of {count} arrays, got {name_count}")
    names = [reader.name() for _ in range(name_count)]
    if len(set(names)) != len(names):
        raise WeightsError(f"{path}: expected every array to have its own name, found repeated ones")
    return dict(zip(names, arrays, strict=True))


class _Reader:
    """A place in the file that only moves within it."""

    def __init__(self, path: Path, data: memoryview) -> None:
        self.path = path
        self.data = data
        self.position = 0

    def take(self, size: int, what: str) -> memoryview:
        left = len(self.data) - self.position
        if size > left:
            raise WeightsError(
                f"{self.path}: cut short or damaged: expected {size} bytes of {what} at {self.position}, got {left}"
            )
        part = self.data[self.position : self.position + size]
        self.position += size
        return part

    def number(self, code: str, what: str = "header") -> int:
        (value,) = struct.unpack("<" + code, self.take(struct.calcsize("<" + code), what))
        return int(value)

    def count(self, smallest: int, what: str) -> int:
        """A number of things that take at least `smallest` bytes each."""
        count = self.number("Q", f"the number of {what}")
        if count * smallest > len(self.data) - self.position:
            raise WeightsError(f"{self.path}: damaged: {count} {what} cannot fit into {len(self.data)} bytes")
        return count

    def array(self, position: int, count: int) -> NDArray[np.generic]:
        what = f"array {position + 1} of {count}"
        magic = self.number("I", what)
        if magic in (ARRAY_MAGIC_V2, ARRAY_MAGIC_V3):
            storage = self.number("i", what)
            if storage != DENSE:
                raise WeightsError(f"{self.path}: {what}: expected a dense array, got storage type {storage}")
        if magic in (ARRAY_MAGIC_V1, ARRAY_MAGIC_V2, ARRAY_MAGIC_V3):
            shape = self.shape(self.number("I", what), "q", what)
        else:
            shape = self.shape(magic, "I", what)  # the oldest kind has no magic: this was the number of dimensions
        if not shape and magic != ARRAY_MAGIC_V3:
            return np.zeros(0, np.float32)  # an array that was never filled; nothing else is stored of it
        self.take(8, what)  # device type and number
        flag = self.number("i", what)
        if flag not in DTYPES:
            raise WeightsError(f"{self.path}: {what}: unknown number type {flag}")
        dtype = np.dtype(DTYPES[flag]).newbyteorder("<")
        values = self.take(prod(shape) * dtype.itemsize, f"{what} {list(shape)}")
        try:
            return np.frombuffer(values, dtype).reshape(shape)
        except ValueError as error:  # empty, with sides that no memory could address
            raise WeightsError(f"{self.path}: {what}: damaged: shape {list(shape)}") from error

    def shape(self, dimensions: int, code: str, what: str) -> tuple[int, ...]:
        if dimensions > MAX_DIMENSIONS:
            raise WeightsError(f"{self.path}: {what}: damaged: {dimensions} dimensions")
        shape = tuple(self.number(code, what) for _ in range(dimensions))
        if any(side < 0 for side in shape):
            raise WeightsError(f"{self.path}: {what}: damaged: shape {list(shape)}")
        return shape

    def name(self) -> str:
        text = bytes(self.take(self.count(1, "letters of a name"), "a name"))
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise WeightsError(f"{self.path}: damaged: a name is not text") from error
