"""Training pictures from labelled ones: mosaics, random scale and crop, mirror, colours, blur."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, UInt8Array
from dffcli.evaluation.detection_data import BoxLabels

GREY = 114  # what lies around a picture
MIN_SIDE = 5.0  # input pixels; a smaller object is not taught
MIN_VISIBLE = 0.3  # share of an object that must be left by a crop for it to be taught


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with what a detector is to learn from it.

    Attributes:
        image: RGB uint8 `[H, W, 3]`.
        boxes: `x1, y1, x2, y2` in its pixels, `[N, 4]` float32.
        classes: positions of the categories, `[N]` int64.
        weights: how much each counts, `[N]` float32; 0 where neither find nor miss counts.
        taught: which classes were looked for when it was labelled, `[classes]` bool; None: all.
    """

    image: UInt8Array
    boxes: Float32Array
    classes: NDArray[np.int64]
    weights: Float32Array
    taught: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class LabelWeights:
    """From a labeller's confidence to how much a label counts.

    Attributes:
        ignored_below: labels less sure than this are neither taught nor held against a find.
        full_from: labels at least this sure count fully.
        least: weight of a label at `ignored_below`.
    """

    ignored_below: float = 0.35
    full_from: float = 0.5
    least: float = 0.5

    @classmethod
    def from_confidence(cls, ignored_below: float) -> LabelWeights:
        """Full weight from a little above the confidence below which labels are ignored."""
        return cls(ignored_below, min(1.0, ignored_below + 0.15))

    def __call__(self, labels: BoxLabels) -> Float32Array:
        """Weights `[N]`, 0 for ignored labels."""
        rise = (labels.confidences - self.ignored_below) / max(self.full_from - self.ignored_below, 1e-6)
        weights = self.least + (1 - self.least) * np.clip(rise, 0, 1)
        weights[(labels.confidences < self.ignored_below) | labels.is_ignored] = 0
        return np.asarray(weights, np.float32)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How hard training pictures are changed.

    Attributes:
        mosaic: share of pictures put together from four.
        scale: smallest and largest long side of a placed picture, as a share of the canvas.
        mosaic_scale: the same within a mosaic.
        stretch: largest change of the aspect ratio.
        mirror: share of pictures mirrored.
        blur: share of pictures blurred.
        grey: share of pictures without colours.
        colour: largest relative change of brightness, contrast, saturation and of each channel.
    """

    mosaic: float = 0.5
    scale: tuple[float, float] = (0.85, 2.0)
    mosaic_scale: tuple[float, float] = (0.45, 1.3)
    stretch: float = 0.15
    mirror: float = 0.5
    blur: float = 0.1
    grey: float = 0.05
    colour: float = 0.3

    def __call__(self, draw: Callable[[], Sample], size: int, rng: np.random.Generator) -> Sample:
        """A training picture `[size, size, 3]` from samples that `draw()` gives."""
        canvas = np.full((size, size, 3), GREY, np.uint8)
        if rng.random() < self.mosaic:
            x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size)
            windows = [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]
            placed = [(draw(), window, self.mosaic_scale) for window in windows]
        else:
            placed = [(draw(), (0, 0, size, size), self.scale)]
        parts = [self._place(sample, canvas, window, scales, rng) for sample, window, scales in placed]
        looked_for = [sample.taught for sample, _, _ in placed if sample.taught is not None]
        sample = Sample(
            self.recolour(canvas, rng),
            np.concatenate([p[0] for p in parts]),
            np.concatenate([p[1] for p in parts]),
            np.concatenate([p[2] for p in parts]),
            np.logical_and.reduce(looked_for) if looked_for else None,  # on all of a mosaic's pictures
        )
        return mirrored(sample) if rng.random() < self.mirror else sample

    def with_mosaic(self, share: float) -> Augmentation:
        """The same with another share of mosaics."""
        return replace(self, mosaic=share)

    def _place(
        self,
        sample: Sample,
        canvas: UInt8Array,
        window: tuple[int, int, int, int],
        scales: tuple[float, float],
        rng: np.random.Generator,
    ) -> tuple[Float32Array, NDArray[np.int64], Float32Array]:
        """Draw a scaled piece of a sample into a window `x1, y1, x2, y2` of the canvas; its labels there."""
        left, top, right, bottom = window
        wide, high = right - left, bottom - top
        height, width = sample.image.shape[:2]
        scale = np.exp(rng.uniform(*np.log(scales))) * canvas.shape[0] / max(height, width)
        stretch = np.exp(rng.uniform(-self.stretch, self.stretch) / 2)
        scale_x, scale_y = scale * stretch, scale / stretch
        # a random overlap of the scaled picture with the window, as large as can be
        shift_x, shift_y = rng.random(2) * (wide - width * scale_x, high - height * scale_y)
        matrix = np.array([[scale_x, 0, shift_x], [0, scale_y, shift_y]])
        canvas[top:bottom, left:right] = _warp(sample.image, matrix, (high, wide), min(scale_x, scale_y))
        moved = sample.boxes * (scale_x, scale_y, scale_x, scale_y) + np.tile((shift_x, shift_y), 2)
        clipped = np.clip(moved, 0, (wide, high, wide, high))
        area = (moved[:, 2:] - moved[:, :2]).prod(1)
        sides = clipped[:, 2:] - clipped[:, :2]
        visible = sides.prod(1) / np.maximum(area, 1e-6)
        weights = np.where((visible < MIN_VISIBLE) | (sides.min(1, initial=np.inf) < MIN_SIDE), 0, sample.weights)
        kept = sides.min(1, initial=np.inf) > 1
        boxes = (clipped + np.array((left, top, left, top)))[kept].astype(np.float32)
        return boxes, sample.classes[kept], weights[kept].astype(np.float32)

    def recolour(self, image: UInt8Array, rng: np.random.Generator) -> UInt8Array:
        """Other light, contrast, saturation and white; sometimes blurred or grey."""
        brightness, contrast, saturation = 1 + rng.uniform(-self.colour, self.colour, 3)
        channels = 1 + rng.uniform(-self.colour, self.colour, 3) / 4
        if rng.random() < self.grey:
            saturation = 0.0
        levels = np.arange(256)
        tables = [((levels - 128) * contrast + 128 * brightness) * gain for gain in channels]
        lookup = np.stack([np.clip(t, 0, 255) for t in tables], 1).astype(np.uint8)[None]  # [1, 256, 3]
        colored = cv2.LUT(image, lookup)
        grey = cv2.cvtColor(cv2.cvtColor(colored, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        colored = cv2.addWeighted(colored, saturation, grey, 1 - saturation, 0)
        if rng.random() < self.blur:
            reach = int(rng.integers(1, 3)) * 2 + 1
            colored = cv2.blur(colored, (reach, reach) if rng.random() < 0.5 else (reach, 1))
        return np.asarray(colored, np.uint8)


def mirrored(sample: Sample) -> Sample:
    """The sample seen in a mirror."""
    width = sample.image.shape[1]
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = width - sample.boxes[:, [2, 0]]
    return replace(sample, image=np.ascontiguousarray(sample.image[:, ::-1]), boxes=boxes)


def _warp(image: UInt8Array, matrix: NDArray[np.float64], size: tuple[int, int], scale: float) -> UInt8Array:
    """The picture under an affine map, on a grid of `size`, grey around it; averaged first where it shrinks much."""
    if scale < 0.6:
        height, width = image.shape[:2]
        smaller = max(round(width * 0.5), 1), max(round(height * 0.5), 1)  # OpenCV order
        image = np.asarray(cv2.resize(image, smaller, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix * ((width / smaller[0], height / smaller[1], 1),)
    # pixel centres lie at +0.5: keep boxes and pixels together
    shift = matrix[:, :2].sum(1) * 0.5 - 0.5
    matrix = np.concatenate((matrix[:, :2], (matrix[:, 2] + shift)[:, None]), 1)
    size_wh = (size[1], size[0])
    grey = (GREY, GREY, GREY)
    warped = cv2.warpAffine(
        image, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=grey
    )
    return np.asarray(warped, np.uint8)
