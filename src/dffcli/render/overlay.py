"""Draw results into a picture: RGB in and RGB out.

Everything that does not change from frame to frame (colour tables, rendered words) is made once: drawing costs little
more than touching the pixels (benchmarks/output_costs.py).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.categories import Category, bright_color
from dffcli.core.types import Detections, Prediction, SegmentationMap, UInt8Array
from dffcli.render.text import Color, chip

LINE_SHARE = 1 / 270  # line thickness of the picture's short side
TEXT_SHARE = 1 / 28  # height of a label of the picture's short side
MIN_TEXT, MAX_TEXT = 13, 30  # pixels
LEGEND_STEP = 8  # pixels between those looked at for the legend
LEGEND_SHARE = 0.003  # of the picture a class must have covered once to stand in the legend
UNPAINTED = "background"
"""The one class that is left as it is."""

Rectangle = tuple[int, int, int, int]
"""`x1, y1, x2, y2` in frame pixels."""


class Overlay:
    """Draws predictions of one model."""

    def __init__(self, categories: tuple[Category, ...], *, opacity: float, legend: bool = True) -> None:
        """Prepare the tables.

        Args:
            categories: what the model can name, with colours.
            opacity: how strongly masks are painted, 0..1.
            legend: name the classes of a label map in a corner, each once it has been seen.
        """
        self._opacity = opacity
        self._legend = legend
        self._names = {category.id: category.name for category in categories}
        self._colors: dict[int, Color] = {category.id: category.color for category in categories}
        self._table = np.zeros((256, 1, 3), np.uint8)
        self._bare = np.ones(256, np.uint8)
        for category in categories:
            if category.name != UNPAINTED and 0 <= category.id < 256:
                self._table[category.id] = category.color
                self._bare[category.id] = 0
        self._seen = np.zeros(256, bool)

    def draw(self, image: UInt8Array, prediction: Prediction) -> UInt8Array:
        """The picture with its prediction drawn in, `[H, W, 3]`; the input is left as it was."""
        if isinstance(prediction, SegmentationMap):
            return self._paint(image, prediction.category_ids)
        return self._mark(image, prediction)

    def _paint(self, image: UInt8Array, labels: UInt8Array) -> UInt8Array:
        colors = cv2.applyColorMap(labels, self._table)  # a table lookup: channels stay in their order
        painted = cv2.addWeighted(colors, self._opacity, image, 1 - self._opacity, 0)
        counts = np.bincount(labels[::LEGEND_STEP, ::LEGEND_STEP].ravel(), minlength=256)
        if self._bare.any() and labels.size:
            bare = cv2.LUT(labels, self._bare)
            if bare.any():
                cv2.copyTo(image, bare, painted)
        picture = np.asarray(painted, np.uint8)
        if self._legend:
            self._seen |= (counts > LEGEND_SHARE * counts.sum()) & (self._bare == 0)
            self._add_legend(picture)
        return picture

    def _add_legend(self, picture: UInt8Array) -> None:
        """Names of the classes seen so far, in rows from the lower left corner; half the height at most."""
        height = _text_height(picture)
        x, y = 0, picture.shape[0] - height
        for category in np.flatnonzero(self._seen):
            label = chip(self._names[int(category)], color=self._colors[int(category)], height=height)
            if x + label.shape[1] > picture.shape[1]:
                x, y = 0, y - height
            if y < picture.shape[0] // 2 or label.shape[1] > picture.shape[1]:
                return
            picture[y : y + height, x : x + label.shape[1]] = label
            x += label.shape[1]

    def _mark(self, image: UInt8Array, found: Detections) -> UInt8Array:
        picture = image.copy()
        colors = [self._color(found, row) for row in range(len(found))]
        boxes = _whole_boxes(found, picture.shape[:2])
        thickness = max(1, round(min(picture.shape[:2]) * LINE_SHARE))
        worst_first = range(len(found) - 1, -1, -1)
        if found.masks is not None:
            for row in worst_first:
                self._tint(picture, found.masks[row], boxes[row], colors[row])
        for row in worst_first:
            x1, y1, x2, y2 = boxes[row]
            cv2.rectangle(picture, (x1, y1), (x2, y2), colors[row], thickness, cv2.LINE_8)
        placed: list[Rectangle] = []
        for row in range(len(found)):
            self._add_label(picture, self._label(found, row), boxes[row], colors[row], placed)
        return picture

    def _color(self, found: Detections, row: int) -> Color:
        if found.track_ids is not None:
            return bright_color(int(found.track_ids[row]))
        return self._colors.get(int(found.category_ids[row]), (255, 255, 255))

    def _label(self, found: Detections, row: int) -> str:
        category = int(found.category_ids[row])
        name = self._names.get(category, f"class {category}")
        if found.track_ids is not None:
            return f"{name} {found.track_ids[row]}"
        return f"{name} {found.scores[row]:.0%}"

    def _tint(self, picture: UInt8Array, mask: NDArray[np.bool_], box: Rectangle, color: Color) -> None:
        """Paint one object; its mask is looked for inside its box, widened a little."""
        x1, y1, x2, y2 = box
        rows, columns = slice(max(0, y1 - 2), y2 + 3), slice(max(0, x1 - 2), x2 + 3)
        part, inside = picture[rows, columns], mask[rows, columns]
        if not part.size:
            return
        tinted = cv2.addWeighted(np.full_like(part, color), self._opacity, part, 1 - self._opacity, 0)
        part[inside] = np.asarray(tinted, np.uint8)[inside]

    def _add_label(self, picture: UInt8Array, text: str, box: Rectangle, color: Color, placed: list[Rectangle]) -> None:
        """Put a label above its box, else inside, else below, where no better object's stands; else leave it out."""
        height = _text_height(picture)
        label = chip(text, color=color, height=height)
        h, w = picture.shape[:2]
        width = label.shape[1]
        if width > w or height > h:
            return
        x1, y1, _, y2 = box
        x = min(max(0, x1), w - width)
        for y in (y1 - height, y1, y2):
            place = (x, y, x + width, y + height)
            if 0 <= y <= h - height and not any(_overlap(place, other) for other in placed):
                picture[y : y + height, x : x + width] = label
                placed.append(place)
                return


def _text_height(picture: UInt8Array) -> int:
    short = int(min(picture.shape[:2]))
    return min(MAX_TEXT, max(MIN_TEXT, round(short * TEXT_SHARE)))


def _whole_boxes(found: Detections, size: tuple[int, int]) -> list[Rectangle]:
    """Boxes on whole pixels inside the picture."""
    h, w = size
    sides = np.nan_to_num(found.boxes.astype(np.float64)).round()
    limits = np.array([w - 1, h - 1, w - 1, h - 1])
    return [(int(x1), int(y1), int(x2), int(y2)) for x1, y1, x2, y2 in np.clip(sides, 0, limits)]


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
