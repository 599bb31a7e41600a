"""What is minimised for detection: the dense detector's losses over augmented pictures."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dffcli.categories import Category
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import DetectionData, LabelledFrame, LabelledSequence
from dffcli.evaluation.detection_eval import evaluate, read_picture, translated
from dffcli.flow import build_flow
from dffcli.models.coco_det.model import INPUT_SIZE, CocoDetModel, input_tensor
from dffcli.models.coco_det.network import BINS, STRIDES, CocoDetector, cell_centres
from dffcli.training.detection_augment import Augmentation, LabelWeights, Sample
from dffcli.training.detection_loss import DetectionLoss, Targets
from dffcli.training.distillation import distillation_losses
from dffcli.training.objective import Batch

LONG_SIDE = 640  # pixels; larger pictures are reduced to it before they are augmented
RARE_SHARE = 0.25  # a category that fewer pictures show is shown more often
MAX_REPEAT = 4.0  # times as often, at most


@dataclass(frozen=True, slots=True)
class PictureSizes:
    """Sides of the square training pictures: small ones first, while everything is still to be learned.

    Attributes:
        stages: `(until, sides)`: up to this share of the steps one of these sides is drawn for every batch.
    """

    stages: tuple[tuple[float, tuple[int, ...]], ...] = (
        (0.35, (256, 288, 320)),
        (0.8, (320, 352, 384)),
        (1.0, (384, 416, 448)),
    )

    def __post_init__(self) -> None:
        sides = [side for _, stage in self.stages for side in stage]
        if not sides or any(side < 32 or side % 32 for side in sides):
            raise DataError(f"expected sides of training pictures that are multiples of 32, got {sides}")

    @classmethod
    def for_input(cls, size: int) -> PictureSizes:
        """Sides that suit a network that will run on pictures with this long side: from half of it to 7/8."""

        def sides(*eighths: float) -> tuple[int, ...]:
            return tuple(sorted({max(1, round(size * e / 8 / 32)) * 32 for e in eighths}))

        return cls(((0.35, sides(4, 4.5, 5)), (0.8, sides(5, 5.5, 6)), (1.0, sides(6, 6.5, 7))))

    def draw(self, progress: float, rng: np.random.Generator) -> int:
        """A side for a batch at this share of the steps."""
        sides = next((sides for until, sides in self.stages if progress <= until), self.stages[-1][1])
        return int(rng.choice(sides))


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """What a batch is.

    Attributes:
        steps: in all, as in `FitSettings`: sizes and mosaics change on the way.
        batch_size: pictures in a batch.
        sizes: of the training pictures.
        augmentation: how hard pictures are changed.
        calm_from: share of the steps after which mosaics become rare, so that the end resembles real pictures.
        calm_mosaic: share of mosaics then.
        label_weights: from confidences to weights.
        distillation: weight of what the network answered before it was trained further; 0 where it began at random.
        validation_size: long side of the pictures the network is measured on.
    """

    steps: int
    batch_size: int = 10
    sizes: PictureSizes = field(default_factory=PictureSizes)
    augmentation: Augmentation = field(default_factory=Augmentation)
    calm_from: float = 0.85
    calm_mosaic: float = 0.15
    label_weights: LabelWeights = field(default_factory=LabelWeights)
    distillation: float = 0.0
    validation_size: int = INPUT_SIZE


@dataclass(frozen=True, slots=True)
class DetectionSet:
    """A set to learn from.

    Attributes:
        data: pictures and labels. Classes that are not among its categories are not taught by it.
        share: how often its pictures are shown, relative to those of the other sets.
    """

    data: DetectionData
    share: float = 1.0


class DetectObjective:
    """A dense detector on augmented pictures.

    Args:
        module: the network.
        categories: what its classes mean, in their order; labels are matched to them by name.
        sets: what it learns from.
        validation: what it is measured on, by name.
        settings: what a batch is.
        loss: what is minimised.
        known: names of the categories that the network knew before it is trained further; all if not given.

    Raises:
        DataError: the sets hold not one labelled object of these categories.
    """

    def __init__(
        self,
        module: CocoDetector,
        *,
        categories: Sequence[Category],
        sets: Sequence[DetectionSet],
        settings: DetectSettings,
        validation: dict[str, DetectionData] | None = None,
        loss: DetectionLoss | None = None,
        known: Collection[str] | None = None,
    ) -> None:
        self._known = torch.tensor([known is None or category.name in known for category in categories])
        self._module = module.to(memory_format=torch.channels_last)
        self.categories = tuple(categories)
        self.settings = settings
        self.validation = validation or {}
        self._loss = loss or DetectionLoss()
        self._before_training = deepcopy(module).requires_grad_(False) if settings.distillation else None
        self._frames: list[LabelledFrame] = []
        self._looked_for: list[NDArray[np.bool_]] = []  # classes that each frame's labeller knew
        self._before: list[tuple[LabelledSequence, int]] = []  # where each frame stands in its sequence
        shares: list[float] = []
        for one in sets:
            known = {name.lower() for _, name in one.data.categories}
            looked_for = np.array([category.name.lower() in known for category in self.categories])
            for sequence in self._translate(one.data):
                for position, frame in enumerate(sequence.frames):
                    if frame.labels is not None:
                        self._frames.append(frame)
                        self._before.append((sequence, position))
                        self._looked_for.append(looked_for)
                        shares.append(one.share)
        self._draw_limits = np.cumsum(self._repeats(np.array(shares)))

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    def _translate(self, data: DetectionData) -> tuple[LabelledSequence, ...]:
        return translated(data.sequences, data.categories, self.categories)

    def _repeats(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """How often each picture is drawn, adding up to 1: more often with rare categories, less without objects."""
        taught = np.array([self._taught_classes(frame) for frame in self._frames]).reshape(-1, len(self.categories))
        if not taught.any() and self._before_training is None:
            names = ", ".join(category.name for category in self.categories)
            raise DataError(f"nothing to learn from: {len(self._frames)} pictures without a labelled {names}")
        frequency = np.maximum(taught.mean(0), 1e-6)
        repeat = np.clip(np.sqrt(RARE_SHARE / frequency), 1.0, MAX_REPEAT)
        most = np.where(taught, repeat, 0.5).max(1)  # a picture without objects counts half
        return np.asarray(shares * most / (shares * most).sum(), np.float64)

    def _taught_classes(self, frame: LabelledFrame) -> list[bool]:
        labels = frame.labels
        if labels is None:
            return [False] * len(self.categories)
        ids = set(labels.category_ids[self.settings.label_weights(labels) > 0].tolist())
        return [category.id in ids for category in self.categories]

    def sample(self, number: int) -> Sample:
        """The labelled picture of that number as a training sample, not augmented."""
        frame = self._frames[number]
        labels = frame.labels
        if labels is None:
            raise DataError(f"{frame.path}: has no labels")
        image, scale = self._reduced(frame.path)
        boxes = labels.boxes * np.float32(scale)
        positions = {category.id: position for position, category in enumerate(self.categories)}
        classes = np.array([positions[int(i)] for i in labels.category_ids], np.int64)
        return Sample(image, boxes, classes, self.settings.label_weights(labels), self._looked_for[number])

    def picture(self, path: Path) -> UInt8Array:
        """A picture as samples have it."""
        return self._reduced(path)[0]

    @staticmethod
    def _reduced(path: Path) -> tuple[UInt8Array, float]:
        image = read_picture(path)
        scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
        if scale < 1:
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        return image, scale

    def earlier_pictures(self, number: int, count: int) -> list[Path]:
        """Up to `count` pictures before the labelled one of that number in its video, the nearest first."""
        sequence, position = self._before[number]
        return [frame.path for frame in sequence.frames[max(0, position - count) : position]][::-1]

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a labelled picture, by its share."""
        return min(int(np.searchsorted(self._draw_limits, rng.random())), len(self._frames) - 1)

    def side(self, step: int, *, seed: int) -> int:
        """The side of a step's pictures."""
        return self.settings.sizes.draw(step / self.settings.steps, np.random.default_rng([seed, step]))

    def batch(self, step: int, *, seed: int) -> Batch:
        """Augmented pictures of one size, `[N, H, H, 3]` uint8, and their objects."""
        rng = np.random.default_rng([seed, step, 1])
        progress = step / self.settings.steps
        side = self.side(step, seed=seed)
        augmentation = self.settings.augmentation
        if progress > self.settings.calm_from:
            augmentation = augmentation.with_mosaic(min(augmentation.mosaic, self.settings.calm_mosaic))
        samples = [
            augmentation(lambda: self.sample(self.draw(rng)), side, rng) for _ in range(self.settings.batch_size)
        ]
        return samples_as_batch(samples)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of classes and boxes."""
        return self.losses_of(self._module(input_tensor(batch["images"])), batch)

    def losses_of(self, outputs: Sequence[tuple[Tensor, Tensor]], batch: Batch) -> dict[str, Tensor]:
        """Losses of what the network says of a batch's pictures, however it came to say it."""
        columns = zip(batch["boxes"], batch["classes"], batch["weights"], batch["taught"], strict=True)
        losses = dense_losses(outputs, [Targets(*row) for row in columns], self._loss)
        if self._before_training is not None:
            images = input_tensor(batch["images"])
            with torch.no_grad():
                answers = self._before_training.to(images.device)(images)
            known = self._known.to(images.device)
            losses |= distillation_losses(outputs, answers, weight=self.settings.distillation, known=known)
        return losses

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Average precision in percent at IoU 0.5 and over COCO's thresholds, on every validation set."""
        if not isinstance(module, CocoDetector):
            raise TypeError(f"expected a CocoDetector, got {type(module).__name__}")
        measures: dict[str, float] = {}
        network = deepcopy(module)  # the one that goes on learning must not stop to
        device = str(next(module.parameters()).device)
        model = CocoDetModel(
            network, categories=self.categories, input_size=self.settings.validation_size, device=device
        )
        names = {category.id: category.name for category in self.categories}
        for name, data in self.validation.items():
            frames = [LabelledSequence(f.path.name, (f,)) for s in self._translate(data) for f in s.frames if f.labels]
            report = evaluate(frames, lambda: Engine(model, build_flow("none"), FixedInterval(1)), categories=names)
            measures |= {f"{name} AP50": 100 * report.ap50, f"{name} AP": 100 * report.ap}
        return {name: value for name, value in measures.items() if not math.isnan(value)}


def samples_as_batch(samples: Sequence[Sample]) -> Batch:
    """Pictures of one size, `[N, H, W, 3]` uint8, and their objects."""
    taught = [None if sample.taught is None else torch.from_numpy(sample.taught) for sample in samples]
    return {
        "images": torch.from_numpy(np.stack([sample.image for sample in samples])),
        "boxes": [torch.from_numpy(sample.boxes) for sample in samples],
        "classes": [torch.from_numpy(sample.classes) for sample in samples],
        "weights": [torch.from_numpy(sample.weights) for sample in samples],
        "taught": taught,
    }


def dense_losses(
    outputs: Sequence[tuple[Tensor, Tensor]], targets: list[Targets], loss: DetectionLoss
) -> dict[str, Tensor]:
    """The losses of a detector's outputs at its strides.

    Args:
        outputs: class logits `[N, classes, h, w]` and distance logits `[N, 4 * BINS, h, w]` at each of `STRIDES`.
        targets: for every picture.
        loss: what is minimised.
    """
    classes = torch.cat([logits.float().flatten(2).transpose(1, 2) for logits, _ in outputs], 1)  # [N, P, classes]
    bins = torch.cat([values.float().flatten(2).transpose(1, 2) for _, values in outputs], 1)  # [N, P, 4 * BINS]
    centres, strides = [], []
    for stride, (logits, _) in zip(STRIDES, outputs, strict=True):
        height, width = logits.shape[2:]
        centres.append(cell_centres(height, width, stride, device=logits.device))
        strides.append(torch.full((height * width,), float(stride), device=logits.device))
    n, cells = bins.shape[:2]
    return loss(classes, bins.view(n, cells, 4, BINS), torch.cat(centres), torch.cat(strides), targets)
