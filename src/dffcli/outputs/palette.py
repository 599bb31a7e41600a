"""Colours and label ids that data sets have agreed upon."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dffcli.errors import OutputError
from dffcli.types import Category, UInt8Array

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
    """The VOC colour map, `[256, 3]` RGB: the bits of an index dealt to the channels, highest bits first."""
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for place in range(3):  # bits 0, 3, 6 belong to red, 1, 4, 7 to green, 2, 5 to blue
            bit = (index >> (3 * place + channel)) & 1
            palette[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return palette


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
