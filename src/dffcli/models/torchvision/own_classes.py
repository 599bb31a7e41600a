"""How many classes a checkpoint of a torchvision network was trained for, from the shape of its last layer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from dffcli.categories import COCO, VOC, Category
from dffcli.models.weights.class_names import Names, named_categories

PUBLISHED = {91: COCO, 21: VOC}
"""Sizes of torchvision's own last layers, COCO's ids with their gaps and the background; Pascal VOC's 21."""
LAST_LAYERS = (
    ("roi_heads.box_predictor.cls_score.weight", 1),
    ("head.classification_head.cls_logits.weight", 0),  # anchors of a cell: told from the boxes' last layer
    ("classifier.4.weight", 1),
    ("classifier.low_classifier.weight", 1),
)
"""The layer whose outputs are classes, and how many outputs a class has (0: as many as there are anchors)."""
SSD_LAYERS = ("module_list.0.weight", "module_list.0.1.weight")


def class_count(state: Mapping[str, Tensor]) -> int | None:
    """The number of classes, background included; None where no known layer is there."""
    for name, per_class in LAST_LAYERS:
        if name in state:
            return len(state[name]) // (per_class or _anchors(state, "cls_logits", "bbox_reg"))
    for layer in SSD_LAYERS:
        scores = state.get(f"head.classification_head.{layer}")
        boxes = state.get(f"head.regression_head.{layer}")
        if scores is not None and boxes is not None and len(boxes):
            return 4 * len(scores) // len(boxes)  # four numbers of a box for each anchor
    return None


def _anchors(state: Mapping[str, Tensor], scores: str, boxes: str) -> int:
    """Anchors of a cell, from the four numbers that each has for its box."""
    found = state.get(f"head.regression_head.{boxes}.weight")
    return max(1, len(found) // 4) if found is not None and scores else 1


def own_categories(name: str, count: int, names: Names, *, source: str) -> tuple[Category, ...]:
    """What a network with `count` outputs names.

    Faster R-CNN, Mask R-CNN and SSD tell the background apart as output 0. RetinaNet and FCOS have no background, but
    are often trained with labels from 1 on, so that output 0 is never seen: with one name too few, names begin at 1.
    Of a segmenter, output 0 is whatever it was trained to be: where one name is missing, the background.

    Raises:
        WeightsError: there are more names or fewer than outputs.
    """
    if not names and count in PUBLISHED:
        return PUBLISHED[count]
    is_segmenter = name.startswith(("deeplab", "fcn", "lraspp"))
    if is_segmenter and len(names) == count - 1:
        names = ("background", *names)
    has_background = name.startswith(("fasterrcnn", "maskrcnn", "ssd"))
    return named_categories(
        count, names, has_background=has_background, can_start_at_one=not is_segmenter, source=source
    )
