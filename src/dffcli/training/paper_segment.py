"""What the paper's segmenter learns: a labelled frame through features carried from a frame before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dffcli.core.types import UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.segment_data import LabelledPicture, read_image, read_labels
from dffcli.evaluation.segment_metrics import confusion, mean_iou
from dffcli.models.paper.deeplab import DeeplabNetwork
from dffcli.models.paper.prepare import CITYSCAPES, InputRule
from dffcli.models.paper.resnet import STRIDE
from dffcli.training.objective import Batch
from dffcli.training.paper_pairs import carried_features, draw_pair, freeze_as_released

IGNORED = 255
MAX_OFFSET = 4  # frames that the key lies before the labelled frame at most, for an interval of 5


@dataclass(frozen=True, slots=True)
class PaperSegmentSettings:
    """What a step is.

    Attributes:
        classes: in the masks; greater ids are ignored.
        pairs: a step.
        max_offset: frames that the key lies before the labelled frame at most.
        rule: size and mean of the input.
        crop: `(height, width)` of the part of the input that is learned from.
        fixes_start: whether what the released training fixes is fixed; it has to come from a trained start.
    """

    classes: int = 19
    pairs: int = 1
    max_offset: int = MAX_OFFSET
    rule: InputRule = CITYSCAPES
    crop: tuple[int, int] = (768, 1024)
    fixes_start: bool = True


class PaperSegmentObjective:
    """DeepLab, FlowNet and the scale field, trained end to end.

    Args:
        module: the network; what the released detector's training fixes is fixed here, too.
        pictures: labelled frames, each with the frames before it where there is a video.
        settings: what a step is.
        validation: what is measured, by name.

    Raises:
        DataError: there is nothing to learn from.
    """

    def __init__(
        self,
        module: DeeplabNetwork,
        *,
        pictures: Sequence[LabelledPicture],
        settings: PaperSegmentSettings,
        validation: dict[str, list[LabelledPicture]] | None = None,
    ) -> None:
        if not pictures:
            raise DataError("nothing to learn from: no labelled picture")
        freeze_as_released(module, fixes_start=settings.fixes_start)
        self._module = module
        self._pictures = list(pictures)
        self.settings = settings
        self.validation = validation or {}

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        """Pairs of frames `[1, 3, h, w]` less their mean, with the labelled frame's classes `[h, w]`."""
        rng = np.random.default_rng([seed, step])
        drawn = rng.integers(len(self._pictures), size=self.settings.pairs)
        return {"items": [self._item(self._pictures[int(number)], rng) for number in drawn]}

    def _item(self, picture: LabelledPicture, rng: np.random.Generator) -> dict[str, Tensor]:
        pair = draw_pair(
            picture.image,
            picture.earlier,
            is_video=bool(picture.earlier),
            max_offset=self.settings.max_offset,
            rng=rng,
        )
        image = read_image(pair.current)
        labels = read_labels(picture, size=(image.shape[0], image.shape[1]))
        key = image if pair.key == pair.current else read_image(pair.key)
        if key.shape != image.shape:
            raise DataError(f"{pair.key}: expected the size of {pair.current.name}, got {list(key.shape[:2])}")
        size = self.settings.rule.content_size((image.shape[0], image.shape[1]))
        size_wh = (size[1], size[0])  # OpenCV order
        crop = self.settings.crop
        labels = np.asarray(cv2.resize(labels, size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
        top, left = (int(rng.integers(0, max(1, side - part + 1))) for side, part in zip(size, crop, strict=True))
        part = (slice(top, top + crop[0]), slice(left, left + crop[1]))
        mirror = -1 if rng.random() < 0.5 else 1

        def made(source: UInt8Array) -> Tensor:
            resized = cv2.resize(source, size_wh, interpolation=cv2.INTER_LINEAR)[part][:, ::mirror]
            return self._input(np.asarray(resized, np.uint8))

        return {
            "current": made(image),
            "key": made(key),
            "labels": torch.from_numpy(np.ascontiguousarray(labels[part][:, ::mirror])).long(),
            "is_still": torch.tensor(pair.is_still),
        }

    def _input(self, picture: UInt8Array) -> Tensor:
        values = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float()
        return (values - values.new_tensor(self.settings.rule.mean).view(3, 1, 1)).unsqueeze(0)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Mean cross entropy over the labelled pixels of the pairs, at the input's size."""
        losses = []
        for item in batch["items"]:
            features = carried_features(self._module, item["current"], item["key"], is_still=bool(item["is_still"]))
            logits = _at_input_size(self._module.classify(features), item["labels"].shape)
            labels = item["labels"].masked_fill(item["labels"] >= self.settings.classes, IGNORED)
            counted = (labels != IGNORED).sum().clamp(min=1)
            total = F.cross_entropy(logits.float(), labels.unsqueeze(0), ignore_index=IGNORED, reduction="sum")
            losses.append(total / counted)
        return {"class": torch.stack(losses).mean()}

    @torch.inference_mode()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """Mean IoU in percent, of labelled frames in full and, where videos are known, as carried the farthest."""
        if not isinstance(module, DeeplabNetwork):
            raise TypeError(f"expected a DeepLab network, got {type(module).__name__}")
        measures: dict[str, float] = {}
        classes = self.settings.classes
        for name, pictures in self.validation.items():
            full, carried = np.zeros((2, classes, classes), np.int64)
            for picture in pictures:
                image = read_image(picture.image)
                size = (image.shape[0], image.shape[1])
                truth = read_labels(picture, size=size)
                full += confusion(truth, self._found(module, image, image, is_still=True), classes=classes)
                earlier = picture.earlier[: self.settings.max_offset]
                if earlier:
                    key = read_image(earlier[-1])
                    carried += confusion(truth, self._found(module, image, key, is_still=False), classes=classes)
            measures[f"{name} mIoU"] = 100 * mean_iou(full)
            if carried.any():
                measures[f"{name} mIoU carried"] = 100 * mean_iou(carried)
        return measures

    def _found(self, module: DeeplabNetwork, image: UInt8Array, key: UInt8Array, *, is_still: bool) -> UInt8Array:
        """Classes of a picture from the features of a key, `[H, W]`."""
        device = next(module.parameters()).device
        h, w = image.shape[:2]
        size = self.settings.rule.content_size((h, w))
        size_wh = (size[1], size[0])  # OpenCV order
        current, other = (
            self._input(np.asarray(cv2.resize(picture, size_wh), np.uint8)).to(device) for picture in (image, key)
        )
        features = carried_features(module, current, other, is_still=is_still)
        logits = _at_input_size(module.classify(features), torch.Size(size))
        resized = F.interpolate(logits, size=(h, w), mode="bilinear")
        return np.asarray(resized.argmax(1)[0].to(torch.uint8).cpu().numpy(), np.uint8)


def _at_input_size(logits: Tensor, size: torch.Size) -> Tensor:
    """Scores on the input's grid, `[1, C, *size]`; the feature grid reaches beyond it by less than a stride."""
    return F.interpolate(logits, scale_factor=float(STRIDE), mode="bilinear")[:, :, : size[0], : size[1]]
