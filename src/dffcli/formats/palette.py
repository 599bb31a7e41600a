"""Colours and label ids that data sets have agreed upon."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dffcli.categories import Category, bit_color
from dffcli.core.types import UInt8Array
from dffcli.errors import OutputError

NO_CATEGORY = 255
"""Pixel value of "no answer here" in masks of class ids, VOC's and Cityscapes' alike."""

CITYSCAPES_IDS = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
"""Cityscapes' label ids (not train ids) by class name."""

_CITYSCAPES_SYNONYMS = {
    "pavement": "sidewalk",
    "tree": "vegetation",
    "sign": "traffic sign",
    "pedestrian": "person",
    "bicyclist": "rider",
    "motorbike": "motorcycle",
}


def voc_palette() -> UInt8Array:
    """The VOC colour map, `[256, 3]` RGB."""
    return np.array([bit_color(index) for index in range(256)], np.uint8)


def category_palette(categories: Iterable[Category]) -> UInt8Array:
    """The categories' own colours by id, `[256, 3]` RGB; the VOC map where no category is."""
    palette = voc_palette()
    for category in categories:
        if 0 <= category.id < 256:
            palette[category.id] = category.color
    return palette


def cityscapes_table(categories: Iterable[Category]) -> UInt8Array:
    """Cityscapes' label id for every category id, `[256]`; 0 (unlabelled) for what Cityscapes does not know.

    Raises:
        OutputError: Cityscapes knows none of the categories.
    """
    table = np.zeros(256, np.uint8)
    categories = tuple(categories)
    for category in categories:
        name = _CITYSCAPES_SYNONYMS.get(category.name, category.name)
        table[category.id] = CITYSCAPES_IDS.get(name, 0)
    if not table.any():
        names = ", ".join(category.name for category in categories[:5])
        raise OutputError(f"--mask-ids cityscapes: expected street classes (road, car, person ...), got {names}")
    return table
