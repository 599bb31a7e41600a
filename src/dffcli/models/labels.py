"""Names and colours of the categories a model can name."""

from __future__ import annotations

from dffcli.types import Category

CAMVID = (
    Category(0, "sky", (128, 128, 128)),
    Category(1, "building", (128, 0, 0)),
    Category(2, "pole", (192, 192, 128)),
    Category(3, "road", (128, 64, 128)),
    Category(4, "pavement", (60, 40, 222)),
    Category(5, "tree", (128, 128, 0)),
    Category(6, "sign", (192, 128, 128)),
    Category(7, "fence", (64, 64, 128)),
    Category(8, "car", (64, 0, 128)),
    Category(9, "pedestrian", (64, 64, 0)),
    Category(10, "bicyclist", (0, 128, 192)),
)
"""CamVid's 11 classes in their usual order and colours; 11 is unlabelled."""

STREET_OBJECTS = (
    Category(1, "person", (230, 60, 60)),
    Category(2, "bicycle", (240, 200, 50)),
    Category(3, "car", (70, 150, 240)),
    Category(4, "motorcycle", (240, 130, 40)),
    Category(6, "bus", (150, 90, 220)),
    Category(8, "truck", (60, 200, 160)),
)
"""What moves on streets: COCO's names and ids."""

CATEGORY_SETS: dict[str, tuple[Category, ...]] = {"camvid": CAMVID, "street-objects": STREET_OBJECTS}
"""Every set of categories by its name."""
