"""Values in a line: what their arrays are, not what is in them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def shown(value: Any) -> str:
    """A dataclass value as `Name(field=uint8[720, 1280, 3], other=5)`; fields at their defaults are left out."""
    parts = [
        f"{field.name}={brief(found)}"
        for field in fields(value)
        if field.repr and (found := getattr(value, field.name)) is not None and not _is_default(found, field.default)
    ]
    return f"{type(value).__name__}({', '.join(parts)})"


def brief(value: Any) -> str:
    """One value: an array or a tensor by its type and shape."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{str(dtype).removeprefix('torch.')}{list(shape)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(brief, value))}{',' if len(value) == 1 else ''})"
    return f"{type(value).__name__} value" if callable(value) else repr(value)


def _is_default(found: Any, default: Any) -> bool:
    return isinstance(found, bool | int | str | tuple) and type(found) is type(default) and bool(found == default)
