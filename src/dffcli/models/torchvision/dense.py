"""Torchvision's one-stage detectors, split behind their heads: class logits and box regressions are carried.

What is left for a propagated frame is to decode the few boxes that score at all, and NMS. The heads' outputs are maps
of numbers that vary slowly over an object (box regressions are relative to the place), so linear
interpolation is right for them as for any feature.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor, nn
from torchvision.ops import clip_boxes_to_image

from dffcli.categories import COCO, Category
from dffcli.core.types import Detections, Features, Frame, PreparedImage, Task
from dffcli.models.folding import fold_batch_norms
from dffcli.models.registry import BuiltModel, Weights
from dffcli.models.torchvision.input import prepare
from dffcli.models.torchvision.networks import load_network
from dffcli.models.torchvision.results import (
    Candidates,
    anchors_for,
    known_ids,
    logit,
    rows,
    suppress,
    threshold,
    to_detections,
)
from dffcli.models.weights.class_names import Names

BACKGROUND = 0  # SSD's first class
ANCHORS_KEPT = 4  # input sizes whose anchors are remembered


class RetinaFeatures(nn.Module):
    """N_feat of RetinaNet (and the classes of FCOS): backbone, pyramid, towers and their last convolutions."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.classes = network.head.classification_head
        self.boxes = network.head.regression_head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`[1, 3, H, W]` to a map of class logits and one of box regressions for each level."""
        maps: list[Tensor] = []
        for level in self.backbone(x).values():
            maps.append(self.classes.cls_logits(self.classes.conv(level)))  # [1, A * classes, h, w]
            maps.append(self.boxes.bbox_reg(self.boxes.conv(level)))  # [1, A * 4, h, w]
        return tuple(maps)


class FcosFeatures(RetinaFeatures):
    """N_feat of FCOS, which says for each place how near it is to its object's middle, too."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`[1, 3, H, W]` to maps of class logits, distances to the four sides, and centerness for each level."""
        maps: list[Tensor] = []
        for level in self.backbone(x).values():
            maps.append(self.classes.cls_logits(self.classes.conv(level)))  # [1, classes, h, w]
            tower = self.boxes.conv(level)
            maps.append(nn.functional.relu(self.boxes.bbox_reg(tower)))  # [1, 4, h, w]
            maps.append(self.boxes.bbox_ctrness(tower))  # [1, 1, h, w]
        return tuple(maps)


class SsdFeatures(nn.Module):
    """N_feat of SSD: backbone, extra levels, and each level's own last convolutions."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.classes = network.head.classification_head.module_list
        self.boxes = network.head.regression_head.module_list

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`[1, 3, H, W]` to a map of class logits and one of box regressions for each level."""
        maps: list[Tensor] = []
        for level, classes, boxes in zip(self.backbone(x).values(), self.classes, self.boxes, strict=True):
            maps += [classes(level), boxes(level)]  # [1, A * classes, h, w], [1, A * 4, h, w]
        return tuple(maps)


class DenseDetector:
    """A one-stage detector behind the `VideoModel` role.

    Args:
        name: the name `--model` takes.
        network: torchvision's own.
        feature_network: N_feat, from the input to a tuple of maps.
        find: N_task up to the candidates of all levels, from the network, the maps and each level's anchors.
        device: where it runs.
        categories: what it names, by their ids.

    Attributes:
        lowest_score: detections that score less are not asked for, and no work is spent on them.
    """

    task = Task.DETECT
    carries_objects = True

    def __init__(
        self,
        name: str,
        network: Any,
        feature_network: nn.Module,
        find: Callable[[Any, Features, list[Tensor], tuple[int, int], float], Candidates],
        *,
        device: str = "cpu",
        categories: tuple[Category, ...] = COCO,
    ) -> None:
        self.name = name
        self.categories = categories
        self._known = known_ids(categories)
        self.feature_network: Callable[[Tensor], Features] = feature_network
        self.lowest_score = 0.0
        self._network = network
        self._find = find
        self._device = device
        self._maps_per_level = 3 if isinstance(feature_network, FcosFeatures) else 2
        self._anchors: dict[tuple[int, int], list[Tensor]] = {}

    def with_lowest_score(self, score: float) -> Self:
        """The same model, asked for scores from there on."""
        changed = copy(self)
        changed.lowest_score = score
        return changed

    def prepare(self, frame: Frame) -> PreparedImage:
        """Torchvision's own transform, run only if the tensor is asked for."""
        return prepare(frame, self._network.transform, device=self._device)

    @torch.inference_mode()
    def features(self, image: PreparedImage) -> Features:
        """N_feat: for each level, maps `[1, C, h, w]` of class logits and box regressions."""
        return self.feature_network(image.tensor)

    @torch.inference_mode()
    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Detections:
        """N_task: decode what scores, NMS."""
        if image.padded_size not in self._anchors:
            while len(self._anchors) >= ANCHORS_KEPT:
                self._anchors.pop(next(iter(self._anchors)))
            levels = list(features[:: self._maps_per_level])
            self._anchors[image.padded_size] = anchors_for(self._network.anchor_generator, levels, image)
        lowest = threshold(self._network.score_thresh, self.lowest_score)
        found = self._find(self._network, features, self._anchors[image.padded_size], image.content_size, lowest)
        best = suppress(found, overlap=self._network.nms_thresh, most=self._network.detections_per_img)
        return to_detections(best, image, known=self._known)


def find_retina(
    network: Any, features: Features, anchors: list[Tensor], size: tuple[int, int], lowest: float
) -> Candidates:
    """RetinaNet's candidates: the sigmoid is taken of those logits only that can pass the threshold."""
    classes = network.head.classification_head.num_classes
    found: list[Candidates] = []
    for logits, regression, level in zip(features[::2], features[1::2], anchors, strict=True):
        flat = rows(logits, classes).flatten()
        places = torch.nonzero(flat > logit(lowest)).squeeze(1)
        scores = torch.sigmoid(flat[places])
        places, scores = _best(places, scores, network, lowest)
        cells = torch.div(places, classes, rounding_mode="floor")
        boxes = network.box_coder.decode_single(rows(regression, 4)[cells], level[cells])
        found.append(Candidates(clip_boxes_to_image(boxes, size), scores, places % classes))
    return _together(found)


def find_fcos(
    network: Any, features: Features, anchors: list[Tensor], size: tuple[int, int], lowest: float
) -> Candidates:
    """The candidates of FCOS, scored by the geometric mean of class probability and centerness."""
    classes = network.head.classification_head.num_classes
    least = logit(lowest**2)  # either factor must reach the square
    found: list[Candidates] = []
    for logits, regression, centerness, level in zip(
        features[::3], features[1::3], features[2::3], anchors, strict=True
    ):
        flat = rows(logits, classes).flatten()
        places = torch.nonzero(flat > least).squeeze(1)
        cells = torch.div(places, classes, rounding_mode="floor")
        scores = torch.sqrt(torch.sigmoid(flat[places]) * torch.sigmoid(rows(centerness, 1).flatten()[cells]))
        places, scores = _best(places, scores, network, lowest)
        cells = torch.div(places, classes, rounding_mode="floor")
        boxes = network.box_coder.decode(rows(regression, 4)[cells], level[cells])
        found.append(Candidates(clip_boxes_to_image(boxes, size), scores, places % classes))
    return _together(found)


def _best(places: Tensor, scores: Tensor, network: Any, lowest: float) -> tuple[Tensor, Tensor]:
    """Those above the threshold, at most as many as torchvision takes of a level, best first."""
    passes = scores > lowest
    places, scores = places[passes], scores[passes]
    scores, order = scores.topk(min(network.topk_candidates, len(scores)))
    return places[order], scores


def find_ssd(
    network: Any, features: Features, anchors: list[Tensor], size: tuple[int, int], lowest: float
) -> Candidates:
    """SSD's candidates, chosen class by class over all levels."""
    counts = network.anchor_generator.num_anchors_per_location()
    classes = features[0].shape[1] // counts[0]
    logits = torch.cat([rows(level, classes) for level in features[::2]])  # [anchors, classes]
    regression = torch.cat([rows(level, 4) for level in features[1::2]])
    every = torch.softmax(logits, dim=-1).T[BACKGROUND + 1 :].contiguous()  # [classes - 1, anchors]
    labels, cells = torch.nonzero(every > lowest, as_tuple=True)
    scores = every[labels, cells]
    order = scores.argsort(descending=True, stable=True)
    order = order[labels[order].argsort(stable=True)]  # class by class, each best first
    labels, cells, scores = labels[order], cells[order], scores[order]
    firsts = torch.searchsorted(labels, labels)  # where each one's class begins
    chosen = torch.arange(len(labels), device=labels.device) - firsts < network.topk_candidates
    labels, cells, scores = labels[chosen], cells[chosen], scores[chosen]
    boxes = network.box_coder.decode_single(regression[cells], torch.cat(anchors)[cells])
    return Candidates(clip_boxes_to_image(boxes, size), scores, labels + BACKGROUND + 1)


def _together(found: list[Candidates]) -> Candidates:
    return Candidates(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def build(
    name: str,
    *,
    weights: Weights = "default",
    device: str = "cpu",
    class_names: Names = (),
    fold: bool = True,
    **options: Any,
) -> BuiltModel:
    """Build a one-stage torchvision detector (the registry's builder).

    Args:
        name: torchvision's name.
        weights: which weights to load.
        device: where it runs.
        class_names: of the classes of own weights.
        fold: merge batch norms into convolutions, which changes results by rounding only.
        options: for torchvision's builder.

    Raises:
        WeightsError: the weights are missing, broken or another network's.
    """
    loaded = load_network(name, weights=weights, class_names=class_names, **options)
    network: Any = loaded.network
    if fold:
        fold_batch_norms(network)
    network.to(device, memory_format=torch.channels_last)
    feature_network: nn.Module
    if name.startswith("ssd"):
        feature_network, find = SsdFeatures(network), find_ssd
    elif name.startswith("fcos"):
        feature_network, find = FcosFeatures(network), find_fcos
    else:
        feature_network, find = RetinaFeatures(network), find_retina
    model = DenseDetector(name, network, feature_network, find, device=device, categories=loaded.categories or COCO)
    return BuiltModel(model, loaded.weights_description, loaded.is_random)
