"""YOLO text: a file a frame, a line an object, all places as shares of the picture.

Lines are `class cx cy width height`, with confidence and track behind them in files of predictions, or
`class x y x y x y ...` for an outline.
"""

from __future__ import annotations

from dffcli.formats.yolo.read import read
from dffcli.formats.yolo.write import write

__all__ = ["read", "write"]
