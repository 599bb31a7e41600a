"""What the paper's detector learns: labelled frames through features carried from a frame before them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dffcli.categories import Category
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Float32Array, UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledSequence
from dffcli.evaluation.detection_eval import evaluate, read_picture, translated
from dffcli.models.folding import fold_batch_norms
from dffcli.models.paper.flownet import FeatureFlow
from dffcli.models.paper.models import FeatureFlowEstimator, RfcnModel
from dffcli.models.paper.prepare import VID, InputRule
from dffcli.models.paper.rfcn import RfcnNetwork
from dffcli.training.objective import Batch
from dffcli.training.paper_losses import rfcn_losses
from dffcli.training.paper_pairs import MAX_OFFSET, carried_features, draw_pair, flipped, freeze_as_released

VALIDATION_INTERVAL = 10  # frames
FRAMES_A_VIDEO = 15  # a video counts as much as so many stills, however long it is


@dataclass(frozen=True, slots=True)
class PaperDetectSettings:
    """What a step is.

    Attributes:
        pairs: a step; the released training has one on each of its GPUs.
        max_offset: frames that the key lies before the labelled frame at most.
        rule: size and mean of the input.
        fixes_start: whether what the released training fixes is fixed; it has to come from a trained start.
    """

    pairs: int = 1
    max_offset: int = MAX_OFFSET
    rule: InputRule = VID
    fixes_start: bool = True


@dataclass(frozen=True, slots=True)
class _Example:
    """A labelled frame and where its video can be read."""

    path: Path
    labels: BoxLabels
    earlier: tuple[Path, ...]
    is_video: bool
    share: float  # how often it is drawn, relative to the others


class PaperDetectObjective:
    """R-FCN, FlowNet and the scale field, trained end to end as the released code does.

    Args:
        module: the network; what the released training fixes is fixed here, unless it starts from nothing.
        categories: what its classes mean, in their order; labels are matched to them by name.
        data: videos and stills; a sequence of one frame is a still.
        settings: what a step is.
        validation: what is measured, by name, at a key interval of 10.

    Raises:
        DataError: there is nothing to learn from.
    """

    def __init__(
        self,
        module: RfcnNetwork,
        *,
        categories: Sequence[Category],
        data: Sequence[DetectionData],
        settings: PaperDetectSettings,
        validation: dict[str, DetectionData] | None = None,
    ) -> None:
        freeze_as_released(module, fixes_start=settings.fixes_start)
        self._module = module
        self.categories = tuple(categories)
        self.settings = settings
        self.validation = validation or {}
        self._examples = [
            example
            for one in data
            for sequence in translated(one.sequences, one.categories, self.categories)
            for example in _examples(sequence, max_offset=settings.max_offset)
        ]
        if not self._examples:
            wanted = ", ".join(category.name for category in self.categories)
            found = ", ".join(dict.fromkeys(name for one in data for _, name in one.categories))
            raise DataError(
                f"nothing to learn from: no labelled frame has an object of the network's categories ({wanted}); "
                f"the data has {found or 'none'}: choose with --classes"
            )
        shares = np.array([example.share for example in self._examples])
        self._shares = shares / shares.sum()

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        """Pairs of frames `[1, 3, H, W]` less their mean, with the labelled frame's objects in input pixels."""
        rng = np.random.default_rng([seed, step])
        drawn = rng.choice(len(self._examples), size=self.settings.pairs, p=self._shares)
        items = [self._item(self._examples[int(number)], rng) for number in drawn]
        return {"items": items, "seed": int(rng.integers(2**31))}

    def _item(self, example: _Example, rng: np.random.Generator) -> dict[str, Tensor]:
        pair = draw_pair(
            example.path,
            example.earlier,
            is_video=example.is_video,
            max_offset=self.settings.max_offset,
            rng=rng,
        )
        current, boxes = self._input(read_picture(pair.current), example.labels.boxes)
        key = current
        if pair.key != pair.current:
            picture = read_picture(pair.key)
            key, _ = self._input(picture, example.labels.boxes)
            if key.shape != current.shape:
                raise DataError(f"{pair.key}: expected the size of {pair.current.name}, got {list(picture.shape[:2])}")
        if rng.random() < 0.5:
            width = current.shape[3]
            current, key = flipped(current), flipped(key)
            boxes = torch.stack((width - 1 - boxes[:, 2], boxes[:, 1], width - 1 - boxes[:, 0], boxes[:, 3]), dim=1)
        positions = {category.id: position for position, category in enumerate(self.categories, start=1)}
        classes = torch.tensor([positions[int(number)] for number in example.labels.category_ids], dtype=torch.long)
        return {
            "current": current,
            "key": key,
            "boxes": boxes,
            "classes": classes,
            "is_still": torch.tensor(pair.is_still),
        }

    def _input(self, picture: UInt8Array, boxes: Float32Array) -> tuple[Tensor, Tensor]:
        """A picture as the network takes it, and boxes on it with inclusive corners."""
        size = self.settings.rule.content_size((picture.shape[0], picture.shape[1]))
        scale = np.array([size[1] / picture.shape[1], size[0] / picture.shape[0]] * 2, np.float32)
        resized = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # OpenCV order
        values = torch.from_numpy(np.ascontiguousarray(resized)).permute(2, 0, 1).float()
        values = values - values.new_tensor(self.settings.rule.mean).view(3, 1, 1)
        inclusive = torch.from_numpy(np.asarray(boxes * scale, np.float32)) - torch.tensor([0.0, 0, 1, 1])
        limit = torch.tensor([size[1] - 1, size[0] - 1] * 2)
        return values.unsqueeze(0), torch.minimum(inclusive.clamp(min=0), limit.float())

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Mean losses of the pairs."""
        generator = torch.Generator().manual_seed(batch["seed"])
        sums: dict[str, Tensor] = {}
        for item in batch["items"]:
            current: Tensor = item["current"]
            features = carried_features(self._module, current, item["key"], is_still=bool(item["is_still"]))
            losses = rfcn_losses(
                self._module,
                features,
                boxes=item["boxes"],
                classes=item["classes"],
                size=(current.shape[2], current.shape[3]),
                generator=generator,
            )
            for name, loss in losses.items():
                sums[name] = sums[name] + loss if name in sums else loss
        return {name: total / len(batch["items"]) for name, total in sums.items()}

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Average precision at IoU 0.5, in percent, at a key interval of 10."""
        if not isinstance(module, RfcnNetwork) or not isinstance(module.flow, FeatureFlow):
            raise TypeError(f"expected an R-FCN with its flow network, got {type(module).__name__}")
        if not self.validation:
            return {}
        network = deepcopy(module).eval().requires_grad_(False)
        fold_batch_norms(network)
        device = str(next(network.parameters()).device)
        model = RfcnModel("rfcn", network, categories=self.categories, device=device, rule=self.settings.rule)
        flow = FeatureFlowEstimator("flownet", network.flow)  # type: ignore[arg-type]
        names = {category.id: category.name for category in self.categories}
        measures = {}
        for name, data in self.validation.items():
            sequences = translated(data.sequences, data.categories, self.categories)
            report = evaluate(
                sequences, lambda: Engine(model, flow, FixedInterval(VALIDATION_INTERVAL)), categories=names
            )
            if not np.isnan(report.ap50):
                measures[f"{name} AP50"] = 100 * report.ap50
        return measures


def _examples(sequence: LabelledSequence, *, max_offset: int) -> list[_Example]:
    """Labelled frames with at least one object, each with the frames before it, nearest first."""
    paths = [frame.path for frame in sequence.frames]
    examples = []
    for index, frame in enumerate(sequence.frames):
        if frame.labels is None:
            continue
        counted = BoxLabels.from_rows(
            frame.labels.boxes[~frame.labels.is_ignored], frame.labels.category_ids[~frame.labels.is_ignored]
        )
        if len(counted):
            earlier = tuple(reversed(paths[max(0, index - max_offset) : index]))
            is_video = len(paths) > 1
            examples.append(
                _Example(frame.path, counted, earlier, is_video, FRAMES_A_VIDEO / len(paths) if is_video else 1.0)
            )
    return examples
