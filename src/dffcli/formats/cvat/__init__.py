"""CVAT 1.1: XML, one track after the other ("for video") or one picture after the other ("for images", only read).

Frames count from 0, as in the source.
"""

from __future__ import annotations

from dffcli.formats.cvat.read import read
from dffcli.formats.cvat.write import write

__all__ = ["read", "write"]
