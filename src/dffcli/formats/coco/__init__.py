"""COCO in three dresses: the annotation file, its video form CocoVID, and the plain list of results.

Frame numbers: `frame_id` counts from 0, image ids are one more. Boxes are `x, y, width, height`, corner pixel (0, 0).
"""

from __future__ import annotations

from dffcli.formats.coco.read import read
from dffcli.formats.coco.write import write

__all__ = ["read", "write"]
