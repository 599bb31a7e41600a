"""Write long JSON documents in constant memory."""

from __future__ import annotations

import json
import shutil
from typing import IO, Any


def compact_json(value: Any) -> bytes:
    """JSON without spaces, non-ASCII text as it is (UTF-8)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


class JsonArray:
    """A list whose items come one by one and land in a file, one a line."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin the list.

        Args:
            file: open for writing, at the place where the list is to stand.
        """
        self._file = file
        self._separator = b"[\n"

    def append(self, item: Any) -> None:
        """Write one item."""
        self._file.write(self._separator + compact_json(item))
        self._separator = b",\n"

    def close(self) -> None:
        """Write the closing bracket."""
        self._file.write(b"[]" if self._separator == b"[\n" else b"\n]")


def copy_spool(spool: IO[bytes], target: IO[bytes]) -> None:
    """Append all that was written to a temporary file."""
    spool.seek(0)
    shutil.copyfileobj(spool, target, 1 << 20)
