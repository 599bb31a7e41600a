"""Torchvision's segmenters, split right behind their (linear) classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.segmentation import LRASPP

from dffcli.categories import VOC, Category
from dffcli.core.types import Features, Frame, PreparedImage, SegmentationMap, Task
from dffcli.models.folding import fold_batch_norms
from dffcli.models.label_map import upsample_argmax
from dffcli.models.registry import BuiltModel, Weights
from dffcli.models.torchvision.networks import load_network, picture_tensor
from dffcli.models.weights.class_names import Names

SHORT_SIDE = 520  # pixels; of every torchvision segmenter's own transforms


class SegmentationFeatures(nn.Module):
    """N_feat: all of the network, up to the logits before they are enlarged.

    The last layer is a 1x1 convolution (two that are added, in LR-ASPP), which is linear: classifying what was warped
    is the same as warping what was classified, with 21 channels to carry instead of 256 or 512 and nothing left to
    compute but the label map.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.classifier = network.classifier
        self.reads_both = isinstance(network, LRASPP)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`[1, 3, H, W]` to logits `[1, 21, H / 8, W / 8]` (H / 16 for DeepLab on MobileNet)."""
        maps = self.backbone(x)
        return (self.classifier(maps if self.reads_both else maps["out"]),)


def resized(size: tuple[int, int], *, short_side: int) -> tuple[int, int]:
    """What torchvision's `Resize(short_side)` makes of a picture of `size`."""
    short, long = sorted(size)
    long = int(short_side * long / short)
    return (short_side, long) if size[0] <= size[1] else (long, short_side)


class TorchvisionSegmenter:
    """A torchvision segmenter behind the `VideoModel` role.

    Args:
        name: the name `--model` takes.
        feature_network: N_feat, from the input to logits.
        transforms: torchvision's own, from `[3, H, W]` uint8 to the normalised input.
        categories: what it names, by position.
        device: where it runs.
        short_side: of the input, in pixels.
    """

    task = Task.SEGMENT

    def __init__(
        self,
        name: str,
        feature_network: nn.Module,
        *,
        transforms: Callable[[Tensor], Tensor],
        categories: tuple[Category, ...] = VOC,
        device: str = "cpu",
        short_side: int = SHORT_SIDE,
    ) -> None:
        self.name = name
        self.categories = categories
        self.feature_network: Callable[[Tensor], Features] = feature_network
        self._transforms = transforms
        self._device = device
        self._short_side = short_side

    def prepare(self, frame: Frame) -> PreparedImage:
        """Torchvision's own transforms, run only if the tensor is asked for; there is no padding."""
        size = resized(frame.size, short_side=self._short_side)

        def make_tensor() -> Tensor:
            batch = self._transforms(picture_tensor(frame)).unsqueeze(0)  # [1, 3, *size]
            return batch.to(self._device).contiguous(memory_format=torch.channels_last)

        return PreparedImage(frame, size, size, make_tensor)

    @torch.inference_mode()
    def features(self, image: PreparedImage) -> Features:
        """N_feat: logits, `[1, classes, h, w]`."""
        return self.feature_network(image.tensor)

    @torch.inference_mode()
    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        """N_task: the best class of every pixel of the frame."""
        logits = features[0][0]  # [classes, h, w]
        return SegmentationMap(upsample_argmax(logits.float().contiguous().cpu().numpy(), image.frame.size))


def build(
    name: str,
    *,
    weights: Weights = "default",
    device: str = "cpu",
    class_names: Names = (),
    fold: bool = True,
    short_side: int = SHORT_SIDE,
) -> BuiltModel:
    """Build a torchvision segmenter (the registry's builder).

    Args:
        name: torchvision's name.
        weights: which weights to load.
        device: where it runs.
        class_names: of the classes of own weights.
        fold: merge batch norms into convolutions, which changes results by rounding only.
        short_side: of the input, in pixels.

    Raises:
        WeightsError: the weights are missing, broken or another network's.
    """
    from torchvision.transforms._presets import SemanticSegmentation

    options = {} if name.startswith("lraspp") else {"aux_loss": False}
    loaded = load_network(
        name,
        weights=weights,
        class_names=class_names,
        ignore=lambda key: key.startswith("aux_classifier."),
        **options,
    )
    network: Any = loaded.network
    if fold:
        fold_batch_norms(network)
    network.to(device, memory_format=torch.channels_last)
    model = TorchvisionSegmenter(
        name,
        SegmentationFeatures(network),
        transforms=SemanticSegmentation(resize_size=short_side),
        categories=loaded.categories or VOC,
        device=device,
        short_side=short_side,
    )
    return BuiltModel(model, loaded.weights_description, loaded.is_random)
