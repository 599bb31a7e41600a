"""Names and colours of the categories a model can name."""

from __future__ import annotations

from colorsys import hsv_to_rgb
from dataclasses import dataclass, replace

GOLDEN_RATIO = 0.618034  # turns of hue from one colour to the next: neighbours differ, none repeats


@dataclass(frozen=True, slots=True)
class Category:
    """A thing a model can name; `color` is RGB 0..255."""

    id: int
    name: str
    color: tuple[int, int, int]


def bit_color(index: int) -> tuple[int, int, int]:
    """Pascal VOC's colour of a class: the bits of its index, spread over the high bits of red, green and blue."""
    red = green = blue = 0
    for bit in range(8):
        red |= (index >> (3 * bit) & 1) << (7 - bit)
        green |= (index >> (3 * bit + 1) & 1) << (7 - bit)
        blue |= (index >> (3 * bit + 2) & 1) << (7 - bit)
    return red, green, blue


def bright_color(index: int) -> tuple[int, int, int]:
    """A colour that stands out on a picture, far from those of the neighbouring indices."""
    saturation, value = ((1.0, 1.0), (0.7, 1.0), (1.0, 0.8))[index % 3]
    red, green, blue = hsv_to_rgb(index * GOLDEN_RATIO % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


CAMVID = (
    Category(0, "sky", (145, 195, 201)),
    Category(1, "building", (76, 21, 17)),
    Category(2, "pole", (164, 126, 252)),
    Category(3, "road", (31, 26, 51)),
    Category(4, "pavement", (255, 204, 250)),
    Category(5, "tree", (65, 111, 0)),
    Category(6, "sign", (225, 206, 21)),
    Category(7, "fence", (230, 199, 150)),
    Category(8, "car", (6, 9, 164)),
    Category(9, "pedestrian", (244, 73, 130)),
    Category(10, "bicyclist", (255, 191, 24)),
)
"""CamVid's 11 classes in their usual order; 11 is unlabelled.

The colours are not CamVid's own, which give road and car two purples: these were searched for so that classes which
border on each other differ when painted over a picture, also for people who do not see red and green
(benchmarks/palette.py measures both; `PALETTES` has CamVid's own).
"""

STREET_OBJECTS = (
    Category(1, "person", (230, 60, 60)),
    Category(2, "bicycle", (240, 200, 50)),
    Category(3, "car", (70, 150, 240)),
    Category(4, "motorcycle", (240, 130, 40)),
    Category(6, "bus", (150, 90, 220)),
    Category(8, "truck", (60, 200, 160)),
)
"""What moves on streets: COCO's names and ids."""

_VOC_NAMES = (
    "background|aeroplane|bicycle|bird|boat|bottle|bus|car|cat|chair|cow|diningtable|dog|horse|motorbike|"
    "person|pottedplant|sheep|sofa|train|tvmonitor"
)

VOC = tuple(Category(index, name, bit_color(index)) for index, name in enumerate(_VOC_NAMES.split("|")))
"""Pascal VOC's 20 classes and the background, in its colours."""

_COCO_NAMES = (
    "person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant||stop sign|"
    "parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe||backpack|umbrella|||"
    "handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|baseball glove|skateboard|"
    "surfboard|tennis racket|bottle||wine glass|cup|fork|knife|spoon|bowl|banana|apple|sandwich|orange|"
    "broccoli|carrot|hot dog|pizza|donut|cake|chair|couch|potted plant|bed||dining table|||toilet||tv|"
    "laptop|mouse|remote|keyboard|cell phone|microwave|oven|toaster|sink|refrigerator||book|clock|vase|"
    "scissors|teddy bear|hair drier|toothbrush"
)

COCO = tuple(
    Category(index, name, bright_color(index - 1))
    for index, name in enumerate(
        _COCO_NAMES.split("|"),
        start=1,
    )
    if name
)
"""COCO's 80 things under their own ids, 1 to 90 with gaps (as torchvision's detectors number them)."""

CITYSCAPES = (
    Category(0, "road", (128, 64, 128)),
    Category(1, "sidewalk", (244, 35, 232)),
    Category(2, "building", (70, 70, 70)),
    Category(3, "wall", (102, 102, 156)),
    Category(4, "fence", (190, 153, 153)),
    Category(5, "pole", (153, 153, 153)),
    Category(6, "traffic light", (250, 170, 30)),
    Category(7, "traffic sign", (220, 220, 0)),
    Category(8, "vegetation", (107, 142, 35)),
    Category(9, "terrain", (152, 251, 152)),
    Category(10, "sky", (70, 130, 180)),
    Category(11, "person", (220, 20, 60)),
    Category(12, "rider", (255, 0, 0)),
    Category(13, "car", (0, 0, 142)),
    Category(14, "truck", (0, 0, 70)),
    Category(15, "bus", (0, 60, 100)),
    Category(16, "train", (0, 80, 100)),
    Category(17, "motorcycle", (0, 0, 230)),
    Category(18, "bicycle", (119, 11, 32)),
)
"""Cityscapes' 19 evaluated classes in their training order and colours."""

_VID_NAMES = (
    "airplane|antelope|bear|bicycle|bird|bus|car|cattle|dog|domestic cat|elephant|fox|giant panda|"
    "hamster|horse|lion|lizard|monkey|motorcycle|rabbit|red panda|sheep|snake|squirrel|tiger|train|"
    "turtle|watercraft|whale|zebra"
)

IMAGENET_VID = tuple(
    Category(index, name, bright_color(index - 1))
    for index, name in enumerate(
        _VID_NAMES.split("|"),
        start=1,
    )
)
"""ImageNet VID's 30 classes in their usual (alphabetical) order, from 1."""

CATEGORY_SETS: dict[str, tuple[Category, ...]] = {
    "camvid": CAMVID,
    "voc": VOC,
    "coco": COCO,
    "cityscapes": CITYSCAPES,
    "imagenet-vid": IMAGENET_VID,
    "street-objects": STREET_OBJECTS,
}
"""Every set of categories by its name."""

PALETTES: dict[str, dict[str, tuple[int, int, int]]] = {
    "own": {},
    "camvid": {
        "sky": (128, 128, 128),
        "building": (128, 0, 0),
        "pole": (192, 192, 128),
        "road": (128, 64, 128),
        "pavement": (60, 40, 222),
        "tree": (128, 128, 0),
        "sign": (192, 128, 128),
        "fence": (64, 64, 128),
        "car": (64, 0, 128),
        "pedestrian": (64, 64, 0),
        "bicyclist": (0, 128, 192),
    },
}
"""Colours of classes by name, for those who want a data set's instead of the model's own."""


def recolored(categories: tuple[Category, ...], palette: str) -> tuple[Category, ...]:
    """The same categories in the colours of a palette of `PALETTES`; those it does not name keep theirs."""
    colors = PALETTES[palette]
    return tuple(replace(category, color=colors.get(category.name, category.color)) for category in categories)
