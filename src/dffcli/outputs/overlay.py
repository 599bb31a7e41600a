"""Draw results into a picture: pure functions, RGB in and RGB out."""

from __future__ import annotations

import cv2
import numpy as np
import supervision as sv

from dffcli.types import Category, Detections, Prediction, SegmentationMap, UInt8Array

BOX_SHARE = 1 / 320  # line thickness of the picture's short side
TEXT_SHARE = 1 / 900  # font scale of the picture's short side


class Overlay:
    """Draws predictions of one model.

    Args:
        categories: what it can name, with colours.
        opacity: how strongly masks are painted, 0..1.
    """

    def __init__(self, categories: tuple[Category, ...], *, opacity: float) -> None:
        self._opacity = opacity
        self._names = {category.id: category.name for category in categories}
        self._colors = np.zeros((256, 1, 3), np.uint8)
        for category in categories:
            self._colors[category.id] = category.color
        self._unpainted = np.ones(256, np.uint8)
        self._unpainted[[category.id for category in categories]] = 0

    def draw(self, image: UInt8Array, prediction: Prediction) -> UInt8Array:
        """The picture with its prediction drawn in, `[H, W, 3]`; the input is left as it was."""
        if isinstance(prediction, SegmentationMap):
            return self._paint(image, prediction)
        return self._mark(image, prediction)

    def _paint(self, image: UInt8Array, prediction: SegmentationMap) -> UInt8Array:
        ids = prediction.category_ids
        colors = cv2.LUT(cv2.merge((ids, ids, ids)), self._colors.reshape(1, 256, 3))
        painted = cv2.addWeighted(colors, self._opacity, image, 1 - self._opacity, 0)
        bare = cv2.LUT(ids, self._unpainted)
        if bare.any():
            cv2.copyTo(image, bare, painted)
        return np.asarray(painted, np.uint8)

    def _mark(self, image: UInt8Array, prediction: Detections) -> UInt8Array:
        if not len(prediction):
            return image
        found = sv.Detections(
            xyxy=prediction.boxes,
            confidence=prediction.scores,
            class_id=prediction.category_ids.astype(int),
            mask=prediction.masks,
            tracker_id=None if prediction.track_ids is None else prediction.track_ids.astype(int),
        )
        short = min(image.shape[:2])
        palette = sv.ColorPalette([sv.Color(*(int(part) for part in color[0][::-1])) for color in self._colors])
        look = sv.ColorLookup.CLASS if prediction.track_ids is None else sv.ColorLookup.TRACK
        scene = np.ascontiguousarray(image[..., ::-1])  # supervision draws BGR
        if prediction.masks is not None:
            scene = sv.MaskAnnotator(palette, opacity=self._opacity, color_lookup=look).annotate(scene, found)
        scene = sv.BoxAnnotator(palette, thickness=max(1, round(short * BOX_SHARE)), color_lookup=look).annotate(
            scene, found
        )
        labels = sv.LabelAnnotator(
            palette, text_scale=max(0.3, short * TEXT_SHARE), text_padding=2, color_lookup=look, smart_position=True
        )
        scene = labels.annotate(scene, found, labels=self._labels(prediction))
        return np.ascontiguousarray(scene[..., ::-1])

    def _labels(self, prediction: Detections) -> list[str]:
        ids = prediction.track_ids if prediction.track_ids is not None else [None] * len(prediction)
        return [
            f"{'' if track is None else f'#{track} '}{self._names.get(int(category), category)} {score:.2f}"
            for track, category, score in zip(ids, prediction.category_ids, prediction.scores, strict=True)
        ]
