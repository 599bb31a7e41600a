"""Torchvision's two-stage detectors, split behind the region proposal network: its outputs and the pyramid are carried.

The second stage runs on every frame and costs by the proposal. On a key frame it sees torchvision's 1000; on a
propagated frame, whose maps hold nothing that the key frame's did not, it sees only the few that scored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import maskrcnn_inference
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from dffcli.categories import COCO, Category
from dffcli.core.types import Detections, Features, Frame, PreparedImage, Task
from dffcli.models.folding import fold_batch_norms
from dffcli.models.registry import BuiltModel, Weights
from dffcli.models.torchvision.input import prepare
from dffcli.models.torchvision.masks import paste_masks
from dffcli.models.torchvision.networks import load_network
from dffcli.models.torchvision.results import (
    Candidates,
    anchors_for,
    known_ids,
    rows,
    suppress,
    threshold,
    to_detections,
)
from dffcli.models.torchvision.roi_reading import align
from dffcli.models.weights.class_names import Names

PROPAGATED_SHARE = 10  # proposals of a key frame for each that a propagated frame's second stage sees
FEWEST_PROPOSALS = 50
PROPOSED_FOR_EACH_KEPT = 5  # how many of a level compete before NMS, for each that may remain
ANCHORS_KEPT = 4  # input sizes whose anchors are remembered
SMALLEST_BOX = 1e-2  # pixels; of the second stage


class TwoStageFeatures(nn.Module):
    """N_feat of Faster and Mask R-CNN: backbone, pyramid, and the region proposal network's two maps of each level."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.proposals = network.rpn.head
        self.pooled = list(network.roi_heads.box_roi_pool.featmap_names)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`[1, 3, H, W]` to objectness and box regressions of all levels, then the levels that RoIs are pooled from."""
        levels: dict[str, Tensor] = self.backbone(x)
        objectness, regression = self.proposals(list(levels.values()))
        pooled = [level for name, level in levels.items() if name in self.pooled]
        return (*objectness, *regression, *pooled)


class TwoStageDetector:
    """A two-stage detector behind the `VideoModel` role.

    Args:
        name: the name `--model` takes.
        network: torchvision's own.
        device: where it runs.
        categories: what it names, by their ids.

    Attributes:
        propagated_proposals: how many proposals the second stage sees at most on a propagated frame.
        lowest_score: detections that score less are not asked for, and no work is spent on them.
    """

    task = Task.DETECT
    carries_objects = True

    def __init__(
        self, name: str, network: Any, *, device: str = "cpu", categories: tuple[Category, ...] = COCO
    ) -> None:
        self.name = name
        self.categories = categories
        self._known = known_ids(categories)
        self.propagated_proposals = max(FEWEST_PROPOSALS, network.rpn.post_nms_top_n() // PROPAGATED_SHARE)
        self.lowest_score = 0.0
        feature_network = TwoStageFeatures(network)
        self._level_names = feature_network.pooled
        self.feature_network: Callable[[Tensor], Features] = feature_network
        self._network = network
        self._device = device
        self._levels = len(network.rpn.anchor_generator.sizes)
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
        """N_feat: objectness `[1, A, h, w]` and regressions `[1, A * 4, h, w]` of all levels, then the pyramid."""
        return self.feature_network(image.tensor)

    @torch.inference_mode()
    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Detections:
        """N_task: propose, classify and refine each proposal, NMS, and mask what is left."""
        rpn, heads = self._network.rpn, self._network.roi_heads
        objectness, regression = features[: self._levels], features[self._levels : 2 * self._levels]
        pyramid = OrderedDict(zip(self._level_names, features[2 * self._levels :], strict=False))
        per_level, most = rpn.pre_nms_top_n(), rpn.post_nms_top_n()
        if not is_key:
            most = min(most, self.propagated_proposals)
            per_level = min(per_level, PROPOSED_FOR_EACH_KEPT * most)
        proposals = self._propose(objectness, regression, image, per_level=per_level, most=most)
        pool = self._pool_few if not is_key and self._device == "cpu" else self._pool
        pooled = pool(heads.box_roi_pool, pyramid, proposals, image)  # [P, C, 7, 7]
        logits, refinements = heads.box_predictor(heads.box_head(pooled))  # [P, classes], [P, classes * 4]
        found = self._refine(logits, refinements, proposals, image.content_size)
        best = suppress(found, overlap=heads.nms_thresh, most=heads.detections_per_img)
        if not heads.has_mask():
            return to_detections(best, image, known=self._known)
        pooled = pool(heads.mask_roi_pool, pyramid, best.boxes, image)  # [N, C, 14, 14]
        shapes = maskrcnn_inference(heads.mask_predictor(heads.mask_head(pooled)), [best.labels])[0]  # [N, 1, 28, 28]
        frame_boxes = resize_boxes(best.boxes, list(image.content_size), list(image.frame.size))
        masks = paste_masks(shapes[:, 0], frame_boxes, image.frame.size)
        return to_detections(best, image, known=self._known, masks=masks)

    @staticmethod
    def _pool(pooler: Any, pyramid: dict[str, Tensor], boxes: Tensor, image: PreparedImage) -> Tensor:
        """Torchvision's RoIAlign."""
        pooled: Tensor = pooler(pyramid, [boxes], [image.content_size])
        return pooled

    @staticmethod
    def _pool_few(pooler: Any, pyramid: dict[str, Tensor], boxes: Tensor, image: PreparedImage) -> Tensor:
        """The same without a copy of every level, where boxes are few."""
        levels = list(pyramid.values())
        scales = [1 / round(image.padded_size[0] / level.shape[2]) for level in levels]
        return align(levels, boxes, scales=scales, bins=pooler.output_size[0])

    def _propose(
        self, objectness: Features, regression: Features, image: PreparedImage, *, per_level: int, most: int
    ) -> Tensor:
        """The best proposals `[P, 4]`, at most `most`; only the best `per_level` of each level are decoded."""
        rpn = self._network.rpn
        if image.padded_size not in self._anchors:
            while len(self._anchors) >= ANCHORS_KEPT:
                self._anchors.pop(next(iter(self._anchors)))
            self._anchors[image.padded_size] = anchors_for(rpn.anchor_generator, list(objectness), image)
        anchors = self._anchors[image.padded_size]
        parts: list[Candidates] = []
        for index, (logits, deltas, level) in enumerate(zip(objectness, regression, anchors, strict=True)):
            flat = rows(logits, 1).flatten()  # [h * w * A]
            scores, places = flat.topk(min(per_level, len(flat)))
            boxes = rpn.box_coder.decode_single(rows(deltas, 4)[places], level[places])
            boxes = clip_boxes_to_image(boxes, image.content_size)
            parts.append(Candidates(boxes, scores, torch.full_like(places, index)))
        boxes, scores, levels = (torch.cat(part) for part in zip(*parts, strict=True))
        scores = torch.sigmoid(scores)
        keep = remove_small_boxes(boxes, rpn.min_size)
        boxes, scores, levels = boxes[keep], scores[keep], levels[keep]
        keep = torch.where(scores >= rpn.score_thresh)[0]
        boxes, scores, levels = boxes[keep], scores[keep], levels[keep]
        return boxes[batched_nms(boxes, scores, levels, rpn.nms_thresh)[:most]]

    def _refine(self, logits: Tensor, refinements: Tensor, proposals: Tensor, size: tuple[int, int]) -> Candidates:
        """Every class of every proposal that scores, with its own refined box."""
        heads = self._network.roi_heads
        every = F.softmax(logits, -1)[:, 1:]  # without the background
        places, classes = torch.nonzero(every > threshold(heads.score_thresh, self.lowest_score), as_tuple=True)
        labels = classes + 1
        chosen = refinements.view(len(logits), -1, 4)[places, labels]  # [N, 4]
        boxes = clip_boxes_to_image(heads.box_coder.decode_single(chosen, proposals[places]), size)
        keep = remove_small_boxes(boxes, min_size=SMALLEST_BOX)
        return Candidates(boxes[keep], every[places, classes][keep], labels[keep])


def build(
    name: str,
    *,
    weights: Weights = "default",
    device: str = "cpu",
    class_names: Names = (),
    fold: bool = True,
    **options: Any,
) -> BuiltModel:
    """Build a two-stage torchvision detector (the registry's builder).

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
    model = TwoStageDetector(name, network, device=device, categories=loaded.categories or COCO)
    return BuiltModel(model, loaded.weights_description, loaded.is_random)
