"""What the columns of YOLO's lines are.

| columns | what they are |
|---|---|
| 5 | class, centre, width and height |
| 6 | and a track, if the sixth is a whole number written without a point in every such line of the folder (Ultralytics'
  `track` writes it so); else and a confidence |
| 7 | and a confidence and a track, if the seventh is such a number in every such line; else an outline of 3 points |
| 9, 11 ... | class and an outline (a turned box is one of 4 points) |
| 8, 10 ... | class, an outline, and a track or a confidence, by the rule of the sixth column |

Where data.yaml has a `kpt_shape`, keypoints follow the box instead. A folder that dff wrote says itself whether every
line has a confidence and may have a track.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dffcli.formats.numbers import MAX_ID, real, whole
from dffcli.formats.record import Annotation, bounds
from dffcli.formats.rle import check_polygon

_WHOLE = re.compile(r"\d{1,15}", re.ASCII)
MAX_SHARE = 10.0  # of the picture that a place may lie outside of it


@dataclass(slots=True)
class Columns:
    """How the lines of one folder are to be read.

    Attributes:
        keypoints: numbers of keypoints behind a box; 0 where there are none.
        has_scores: every line has a confidence and may have a track behind it, or none has; None where nobody says.
        is_sixth_a_track: the sixth column is a track and no confidence.
        is_seventh_a_track: seven columns are a box with confidence and track, and no triangle.
        is_extra_a_track: a column behind an outline is a track and no confidence.
    """

    keypoints: int = 0
    has_scores: bool | None = None
    is_sixth_a_track: bool = True
    is_seventh_a_track: bool = True
    is_extra_a_track: bool = True

    def look(self, lines: Iterable[str]) -> None:
        """Take the lines of one file into account."""
        for line in lines:
            values = line.split()
            count = len(values)
            if count == 6:
                self.is_sixth_a_track &= bool(_WHOLE.fullmatch(values[5]))
            elif count == 7:
                self.is_seventh_a_track &= bool(_WHOLE.fullmatch(values[6]))
            elif count > 7 and count % 2 == 0:
                self.is_extra_a_track &= bool(_WHOLE.fullmatch(values[-1]))

    def read(self, line: str, ids: dict[int, int], size: tuple[int, int]) -> tuple[Annotation, int]:
        """One object, and how many keypoints of it are left aside.

        Args:
            line: of a label file.
            ids: of the categories, by the class's number.
            size: `(height, width)` of the picture.

        Raises:
            ValueError: it is no such line.
        """
        values = line.split()
        count = len(values)
        if count < 5:
            raise ValueError(f"expected class cx cy width height, got {count} values")
        number = whole(real(values[0], what="class"), what="class")
        if number not in ids:
            raise ValueError(f"expected a class with a name, got {number}")
        category = ids[number]
        if self.has_scores:
            own_track = values.pop() if count % 2 else None
            own_score = values.pop()
            if len(values) == 5:
                return _box(category, values, size, score=own_score, track=own_track), 0
            return _outline(category, values[1:], size, own_score, own_track), 0
        if count == 5 or (self.keypoints and count == 5 + self.keypoints):
            return _box(category, values, size), int(count > 5)
        if count == 6:
            if self.is_sixth_a_track:
                return _box(category, values, size, track=values[5]), 0
            return _box(category, values, size, score=values[5]), 0
        if count == 7 and self.is_seventh_a_track and self.has_scores is None:
            return _box(category, values, size, score=values[5], track=values[6]), 0
        if self.keypoints:
            raise ValueError(f"expected a box and {self.keypoints} numbers of keypoints, got {count} values")
        score: str | None = None
        track: str | None = None
        if count % 2 == 0:
            extra = values.pop()
            score, track = (None, extra) if self.is_extra_a_track else (extra, None)
        return _outline(category, values[1:], size, score, track), 0


def _box(
    category: int, values: list[str], size: tuple[int, int], *, score: str | None = None, track: str | None = None
) -> Annotation:
    h, w = size
    cx, cy, width, height = (real(value, what="side", most=MAX_SHARE) for value in values[1:5])
    if width < 0 or height < 0:
        raise ValueError(f"expected a width and height from 0, got {width:g} x {height:g}")
    box = ((cx - width / 2) * w, (cy - height / 2) * h, (cx + width / 2) * w, (cy + height / 2) * h)
    return Annotation(category, box, _score(score), _track(track))


def _outline(
    category: int, values: list[str], size: tuple[int, int], score: str | None, track: str | None
) -> Annotation:
    h, w = size
    shares = [real(value, what="point", most=MAX_SHARE) for value in values]
    polygon = tuple(share * (h if place % 2 else w) for place, share in enumerate(shares))
    check_polygon(polygon, size=size)
    return Annotation(category, bounds((polygon,)), _score(score), _track(track), polygons=(polygon,))


def _score(text: str | None) -> float | None:
    if text is None:
        return None
    score = real(text, what="confidence", most=1)
    if score < 0:
        raise ValueError(f"expected a confidence from 0 to 1, got {text}")
    return score


def _track(text: str | None) -> int | None:
    return None if text is None else whole(text, what="track", most=MAX_ID)
