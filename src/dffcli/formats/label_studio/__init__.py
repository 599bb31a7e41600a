"""Label Studio JSON: a task a video, whose regions are tracks; and, to read, a task a picture.

Frames count from 1, sides are percent of the picture, and rectangles turn about their upper left corner.
"""

from __future__ import annotations

from dffcli.formats.label_studio.read import read
from dffcli.formats.label_studio.write import write

__all__ = ["read", "write"]
