"""MOTChallenge text: one line a box, `frame,id,x,y,width,height,confidence,class,visibility`.

Frames count from 1. Boxes are read and written as they stand, without taking a pixel off: that is how TrackEval
compares them, how CVAT and datumaro write them, and it makes one row the same box in every command. An id of -1 is no
track.
"""

from __future__ import annotations

from dffcli.formats.mot.read import read
from dffcli.formats.mot.write import write

__all__ = ["read", "write"]
