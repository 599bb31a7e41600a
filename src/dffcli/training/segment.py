"""What is minimised for segmentation: cross-entropy and the overlap of every class, over random views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dffcli.core.types import UInt8Array
from dffcli.errors import DataError
from dffcli.evaluation.segment_data import LabelledPicture, read_image, read_labels
from dffcli.evaluation.segment_metrics import confusion, mean_iou
from dffcli.models.street.network import StreetSegmenter, normalise
from dffcli.training.augment import IGNORE, ViewRange, apply_view, apply_view_to_mask, random_colors, random_view
from dffcli.training.objective import Batch
from dffcli.training.pasting import cut_out, paste
from dffcli.training.weather import random_weather

LABEL_STRIDE = 2  # the main loss is taken on this grid
AID_STRIDES = (8, 16)
PASTED_SHARE = 0.5  # of views
PASTE_TRIES = 3  # other pictures looked into
AID_SHARE = 0.3  # weight of the two auxiliary losses


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Labelled pictures of one origin.

    Attributes:
        name: for logs.
        pictures: they.
        share: of every batch, relative to the other sets.
        loss_weight: weight of their pixels in the loss, below 1 where the labels were not made by people.
    """

    name: str
    pictures: Sequence[LabelledPicture]
    share: float = 1.0
    loss_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """What a batch is.

    Attributes:
        classes: number of classes; greater ids in masks are ignored.
        batch_size: views in a batch.
        view_size: `(height, width)` of a view, a multiple of 32.
        view_range: how far views go.
        rare: class ids that views are centred on now and then.
        class_weights: of the cross-entropy; empty for none.
        overlap_share: weight of the overlap loss.
        pasted: class ids that are cut out of other views and pasted over half of the views; none for no pasting.
        weather_share: share of views that are given weather or bad light.
    """

    classes: int
    batch_size: int = 8
    view_size: tuple[int, int] = (256, 320)
    view_range: ViewRange = field(default_factory=ViewRange)
    rare: tuple[int, ...] = ()
    class_weights: tuple[float, ...] = ()
    overlap_share: float = 0.5
    pasted: tuple[int, ...] = ()
    weather_share: float = 0.0

    def __post_init__(self) -> None:
        if self.view_size[0] % 32 or self.view_size[1] % 32 or not all(self.view_size):
            raise DataError(f"views: expected sides that are multiples of 32, got {self.view_size}")
        if not 2 <= self.classes < IGNORE:
            raise DataError(f"classes: expected 2 to {IGNORE - 1}, got {self.classes}")


@dataclass(frozen=True, slots=True)
class View:
    """A random view of a labelled picture.

    Attributes:
        picture: what it is a view of.
        image: RGB, uint8, `[H, W, 3]`.
        labels: at `LABEL_STRIDE`, `[H / stride, W / stride]`.
        loss_weight: weight in the loss.
        repeat: the same view, colours included, of another frame of the same video.
    """

    picture: LabelledPicture
    image: UInt8Array
    labels: UInt8Array
    loss_weight: float
    repeat: Callable[[UInt8Array], UInt8Array]


def class_weights(pictures: Sequence[LabelledPicture], *, classes: int, power: float = 0.5) -> tuple[float, ...]:
    """`(median share / share) ** power` of every class over the masks, between 0.3 and 4."""
    counts = np.zeros(256, np.int64)
    for picture in pictures:
        image = read_image(picture.image)
        counts += np.bincount(read_labels(picture, size=image.shape[:2]).ravel(), minlength=256)
    shares = np.maximum(counts[:classes], 1) / max(1, counts[:classes].sum())
    weights = np.clip((np.median(shares) / shares) ** power, 0.3, 4.0)
    return tuple(float(weight) for weight in weights)


@torch.no_grad()
def take_back(module: StreetSegmenter, weights: Sequence[float], *, share: float) -> None:
    """Undo part of what weighting the classes taught: rare classes are answered too often.

    A network trained with weights answers with chances that were multiplied by them; taking their logarithms off the
    scores gives the plain chances back. It costs nothing: the classifier has a bias.

    Args:
        module: trained with the weights.
        weights: of the cross-entropy, by class.
        share: of their logarithms, 0 to 1.
    """
    bias = module.classifier.bias
    if bias is None or len(bias) != len(weights):
        raise DataError(f"expected a weight for each of {module.classes} classes, got {len(weights)}")
    bias -= share * torch.tensor(weights, dtype=bias.dtype, device=bias.device).log()


def overlap_loss(logits: Tensor, truth: Tensor, loss_weight: Tensor) -> Tensor:
    """One minus the soft intersection over union, mean over the classes of a batch.

    Args:
        logits: `[N, C, h, w]`.
        truth: class ids `[N, h, w]`, `IGNORE` where unknown.
        loss_weight: weight of each picture, `[N]`.
    """
    classes = logits.shape[1]
    weight = (truth != IGNORE).float() * loss_weight[:, None, None]  # [N, h, w]
    target = F.one_hot(truth.clamp(max=classes - 1), classes).permute(0, 3, 1, 2).float() * weight[:, None]
    chance = logits.softmax(1) * weight[:, None]
    both = (chance * target).sum((0, 2, 3))
    union = chance.sum((0, 2, 3)) + target.sum((0, 2, 3)) - both
    there = target.sum((0, 2, 3)) > 0
    return (1 - (both + 1) / (union + 1))[there].sum() / there.sum().clamp(min=1)


class SegmentObjective:
    """A street segmenter on views of labelled pictures.

    Args:
        module: the network.
        sets: what it learns from.
        validation: what it is measured on, whole pictures; each with a name.
        settings: what a batch is.
    """

    def __init__(
        self,
        module: StreetSegmenter,
        *,
        sets: Sequence[PictureSet],
        validation: Mapping[str, Sequence[LabelledPicture]],
        settings: SegmentSettings,
    ) -> None:
        if not sets or not all(len(item.pictures) for item in sets):
            raise DataError("no pictures to train on")
        self._module = module.to(memory_format=torch.channels_last)
        self.sets = list(sets)
        self.validation = validation
        self.settings = settings
        self._weights = torch.tensor(settings.class_weights) if settings.class_weights else None

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    def view(self, step: int, index: int, *, seed: int) -> View:
        """One view of a batch."""
        rng = np.random.default_rng([seed, step, index])
        picture, loss_weight, image, labels, matrix = self._plain_view(rng)
        size = self.settings.view_size
        colors = int(rng.integers(2**32))
        has_weather = rng.random() < self.settings.weather_share

        def repeat(other: UInt8Array) -> UInt8Array:
            if other.shape[:2] != image_size:
                raise DataError(f"{picture.image}: expected frames before it of its size, found {other.shape[:2]}")
            return light(apply_view(other, matrix, size=size))

        def light(view: UInt8Array) -> UInt8Array:
            own = np.random.default_rng(colors)
            return random_colors(random_weather(view, rng=own) if has_weather else view, rng=own)

        image_size = image.shape[:2]
        view = apply_view(image, matrix, size=size)
        if self.settings.pasted and rng.random() < PASTED_SHARE:
            view, labels = self._with_pasted(view, labels, rng)
        return View(picture, light(view), labels, loss_weight, repeat)

    def _plain_view(
        self, rng: np.random.Generator, *, rare: tuple[int, ...] | None = None
    ) -> tuple[LabelledPicture, float, UInt8Array, UInt8Array, NDArray[np.float64]]:
        """A picture drawn by the shares of the sets, its weight, its pixels, the labels of a view, and the view."""
        shares = np.array([item.share for item in self.sets])
        chosen = self.sets[int(rng.choice(len(self.sets), p=shares / shares.sum()))]
        picture = chosen.pictures[int(rng.integers(len(chosen.pictures)))]
        image = read_image(picture.image)
        mask = read_labels(picture, size=image.shape[:2])
        size = self.settings.view_size
        centred = self.settings.rare if rare is None else rare
        matrix = random_view(mask, size=size, view_range=self.settings.view_range, rare=centred, rng=rng)
        labels = apply_view_to_mask(mask, matrix, size=size, reduction=LABEL_STRIDE)
        labels[labels >= self.settings.classes] = IGNORE
        return picture, chosen.loss_weight, image, labels, matrix

    def _with_pasted(
        self, view: UInt8Array, labels: UInt8Array, rng: np.random.Generator
    ) -> tuple[UInt8Array, UInt8Array]:
        """A view with what is to be pasted of another one, if a few tries find any."""
        for _ in range(PASTE_TRIES):
            _, _, image, from_labels, matrix = self._plain_view(rng, rare=self.settings.pasted)
            where = cut_out(from_labels, wanted=self.settings.pasted)
            if where.any():
                other = apply_view(image, matrix, size=self.settings.view_size)
                return paste(view, labels, from_image=other, from_labels=from_labels, where=where)
        return view, labels

    def batch(self, step: int, *, seed: int) -> Batch:
        """Views of pictures drawn by the shares of their sets."""
        views = [self.view(step, index, seed=seed) for index in range(self.settings.batch_size)]
        images = np.stack([normalise(view.image) for view in views])
        return {
            "images": torch.from_numpy(images).contiguous(memory_format=torch.channels_last),
            "labels": torch.from_numpy(np.stack([view.labels for view in views]).astype(np.int64)),
            "loss_weight": torch.tensor([view.loss_weight for view in views]),
        }

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy, overlap, and cross-entropy of the two helping classifiers."""
        logits, *aids = self._module(batch["images"])
        return self.losses_of(logits, aids, batch["labels"], batch["loss_weight"])

    def losses_of(
        self, logits: Tensor, aids: Sequence[Tensor], labels: Tensor, loss_weight: Tensor
    ) -> dict[str, Tensor]:
        """The losses of logits at stride 4 and of helping logits at `AID_STRIDES`."""
        factor = 4 // LABEL_STRIDE
        fine = F.interpolate(logits.float(), scale_factor=factor, mode="bilinear")
        losses = {"cross_entropy": self._cross_entropy(fine, labels, loss_weight)}
        if self.settings.overlap_share:
            coarse = labels[:, factor // 2 :: factor, factor // 2 :: factor]
            losses["overlap"] = self.settings.overlap_share * overlap_loss(logits.float(), coarse, loss_weight)
        if aids:
            parts = []
            for stride, aid in zip(AID_STRIDES, aids, strict=True):
                skip = stride // LABEL_STRIDE
                parts.append(
                    self._cross_entropy(aid.float(), labels[:, skip // 2 :: skip, skip // 2 :: skip], loss_weight)
                )
            losses["aids"] = AID_SHARE * torch.stack(parts).sum()
        return losses

    def _cross_entropy(self, logits: Tensor, labels: Tensor, loss_weight: Tensor) -> Tensor:
        weights = None if self._weights is None else self._weights.to(logits.device)
        each = F.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORE, reduction="none")  # [N, h, w]
        known = ((labels != IGNORE).float() * loss_weight[:, None, None]).sum().clamp(min=1)
        return (each * loss_weight[:, None, None]).sum() / known

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Mean IoU, in percent, on every validation set at the pictures' own size."""
        return {
            name: 100 * mean_iou(confusion_of(module, pictures, classes=self.settings.classes))
            for name, pictures in self.validation.items()
        }


@torch.inference_mode()
def confusion_of(module: nn.Module, pictures: Sequence[LabelledPicture], *, classes: int) -> NDArray[np.int64]:
    """The confusion matrix of a network over whole pictures, logits brought to their size bilinearly."""
    device = next(module.parameters()).device
    matrix = np.zeros((classes, classes), np.int64)
    for picture in pictures:
        image = read_image(picture.image)
        h, w = image.shape[:2]
        tensor = torch.from_numpy(normalise(image))[None].to(device)
        tensor = F.pad(tensor, (0, -w % 4, 0, -h % 4)).contiguous(memory_format=torch.channels_last)
        logits = module(tensor)[0].float()
        logits = F.interpolate(logits, scale_factor=4, mode="bilinear")[:, :, :h, :w]
        found = logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
        matrix += confusion(read_labels(picture, size=(h, w)), found, classes=classes)
    return matrix
