"""The bundled street segmenter behind the `VideoModel` role."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dffcli.categories import CAMVID, Category
from dffcli.core.reduce import reduced
from dffcli.core.types import Features, Frame, PreparedImage, SegmentationMap, Task
from dffcli.errors import WeightsError
from dffcli.files.network_file import NetworkFile, bundled_file, load_network, save_network
from dffcli.files.state_dict import fill
from dffcli.models.label_map import upsample_argmax
from dffcli.models.nanodet_g import JoinedShape, NanoDetBackbone
from dffcli.models.registry import BuiltModel, Weights
from dffcli.models.street.network import StreetSegmenter, StreetShape, fold_norms, normalise, with_classes

KIND = "street-seg"
DETECTOR_KIND = "coco-det"  # the bundled detector's files; its backbone is this one's second edition
INPUT_SIZE = (360, 480)  # of the pictures it was trained on; other aspects get as many pixels
INPUT_MULTIPLE = 8  # pixels
RESIDUAL, NANODET_G = "residual", "nanodet-g"
BACKBONES: dict[str, type[StreetShape] | type[JoinedShape]] = {RESIDUAL: StreetShape, NANODET_G: JoinedShape}
"""The numbers of a backbone, by what its file calls it."""


def input_size(size: tuple[int, int], *, like: tuple[int, int] = INPUT_SIZE) -> tuple[int, int]:
    """The input for a frame of `size`: as many pixels as `like`, the frame's aspect, sides whole multiples of 8.

    Rounding changes the aspect by at most a hundredth or so of these sizes and saves all padding.
    """
    factor = math.sqrt(like[0] * like[1] / (size[0] * size[1]))
    sides = [max(INPUT_MULTIPLE * 4, round(side * factor / INPUT_MULTIPLE) * INPUT_MULTIPLE) for side in size]
    return sides[0], sides[1]


class SegmenterFeatures(nn.Module):
    """N_feat of a street segmenter, with the classifier behind it if the logits are to be carried."""

    def __init__(self, module: StreetSegmenter, *, classify: bool) -> None:
        super().__init__()
        self.module, self.classify = module, classify

    def forward(self, x: Tensor) -> Features:
        """`[1, 3, H, W]` to one map at stride 4, `[1, classes or out_width, H / 4, W / 4]`."""
        features = self.module.features(x)
        return (self.module.classify(features) if self.classify else features,)


class StreetSegmentationModel:
    """N_feat: everything up to the logits at stride 4. N_task: the label map.

    The classifier is one 1x1 convolution with a bias. Warping, and blending with shares that sum to 1, are linear too,
    so both orders give the same logits; carrying the logits moves a quarter of the channels. Only a flow network with a
    scale field, which multiplies features, needs the features themselves carried.

    Args:
        module: the network; its norms are folded here.
        name: the name `--model` takes.
        categories: of its classes, in order.
        like: `(height, width)` of the pictures it was trained on.
        device: where it runs.
        carries_logits: whether the classifier runs before the warp.
    """

    def __init__(
        self,
        module: StreetSegmenter,
        *,
        name: str,
        categories: tuple[Category, ...],
        like: tuple[int, int] = INPUT_SIZE,
        device: str = "cpu",
        carries_logits: bool = True,
    ) -> None:
        self._carries_logits = carries_logits
        self._device = torch.device(device)
        module.requires_grad_(False)
        fold_norms(module).to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._module = module
        self.feature_network: Callable[[Tensor], Features] = SegmenterFeatures(module, classify=carries_logits)
        self._name = name
        self._categories = categories
        self._like = like
        self._ids = np.array([category.id for category in categories], np.uint8)
        self._ids_are_positions = bool((self._ids == np.arange(len(categories))).all())

    @property
    def name(self) -> str:
        """The name `--model` takes."""
        return self._name

    @property
    def task(self) -> Task:
        """Segmentation."""
        return Task.SEGMENT

    @property
    def categories(self) -> tuple[Category, ...]:
        """Its classes, in order."""
        return self._categories

    def prepare(self, frame: Frame) -> PreparedImage:
        """Resize to about the number of pixels it was trained on; there is no padding."""
        size = input_size(frame.size, like=self._like)

        def make_tensor() -> Tensor:
            tensor = torch.from_numpy(normalise(reduced(frame.image, size)))[None]  # [1, 3, H, W]
            return tensor.to(self._device).contiguous(memory_format=torch.channels_last)

        return PreparedImage(frame, content_size=size, padded_size=size, make_tensor=make_tensor)

    def features(self, image: PreparedImage) -> Features:
        """N_feat: logits (or the features before them) at stride 4, `[1, classes, H / 4, W / 4]`."""
        with torch.inference_mode():
            return self.feature_network(image.tensor)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        """N_task: the best class of every pixel of the frame."""
        with torch.inference_mode():
            (found,) = features
            found = found if self._carries_logits else self._module.classify(found)
            logits = found[0].float().contiguous().cpu().numpy()  # [classes, h, w]
        positions = upsample_argmax(logits, image.frame.size)
        return SegmentationMap(positions if self._ids_are_positions else self._ids[positions])


def describe(module: StreetSegmenter, *, like: tuple[int, int] = INPUT_SIZE, **facts: Any) -> dict[str, Any]:
    """The numbers that rebuild a segmenter, with other facts worth keeping, for its file."""
    numbers = {
        "backbone": NANODET_G if isinstance(module.backbone, NanoDetBackbone) else RESIDUAL,
        "shape": asdict(module.backbone.shape),
        "width": module.width,
        "out_width": module.out_width,
        "classes": module.classes,
        "input_size": list(like),
    }
    return {**numbers, **facts}


def rebuild(file: NetworkFile, *, source: str) -> StreetSegmenter:
    """The segmenter a file describes, with its weights.

    Raises:
        WeightsError: its backbone is of a kind this version does not know, or the weights do not fit.
    """
    numbers = file.description
    backbone = numbers.get("backbone", RESIDUAL)  # files of the first edition do not say
    if backbone not in BACKBONES:
        wanted = " or ".join(BACKBONES)
        raise WeightsError(f"{source}: its backbone is {backbone!r}, expected {wanted}: made by a newer dff?")
    shape = numbers["shape"]
    module = StreetSegmenter(
        classes=numbers["classes"],
        shape=BACKBONES[backbone](stem=shape["stem"], widths=tuple(shape["widths"]), depths=tuple(shape["depths"])),
        width=numbers["width"],
        out_width=numbers["out_width"],
    )
    fill(module, file.tensors, source=source)
    return module


def load_module(path: Path) -> StreetSegmenter:
    """The segmenter of a file, to be trained on."""
    return rebuild(load_network(path, kinds=(KIND,)), source=str(path))


def start_from(path: Path, *, classes: int) -> StreetSegmenter:
    """A segmenter to be trained for so many classes, with the weights of a file as far as they fit.

    Of a segmenter for other classes all but the classifiers are kept, of the bundled detector its backbone.

    Raises:
        WeightsError: the file is neither's.
    """
    file = load_network(path, kinds=(KIND, DETECTOR_KIND))
    if file.kind == KIND:
        return with_classes(rebuild(file, source=str(path)), classes)
    module = StreetSegmenter(classes=classes, shape=JoinedShape())
    kept = {name: value for name, value in file.tensors.items() if name.split(".")[0] in ("stem", "stages")}
    fill(module.backbone, kept, source=str(path))
    return module


def build(name: str, *, weights: Weights = "default", device: str = "cpu") -> BuiltModel:
    """Build the street segmenter (the registry's builder).

    Raises:
        WeightsError: the weights are missing, broken or another network's.
    """
    if weights == "random":
        module = StreetSegmenter(classes=len(CAMVID), shape=JoinedShape())
        model = StreetSegmentationModel(module, name=name, categories=CAMVID, device=device)
        return BuiltModel(model, f"{name} with random weights", is_random=True)
    if weights == "default":
        path, digest = bundled_file(name)
        description = f"bundled {name}, sha256 {digest[:12]}"
    else:
        path, description = weights, f"{name} from {weights.name}"
    file = load_network(path, kinds=(KIND,))
    model = StreetSegmentationModel(
        rebuild(file, source=str(path)),
        name=name,
        categories=file.categories,
        like=tuple(file.description["input_size"]),
        device=device,
    )
    return BuiltModel(model, description)


def export(path: Path, module: nn.Module, *, categories: tuple[Category, ...], **facts: Any) -> None:
    """Write a trained segmenter to a file that `build` takes."""
    if not isinstance(module, StreetSegmenter):
        raise WeightsError(f"{path}: only a street segmenter can be exported here, got {type(module).__name__}")
    save_network(path, module, kind=KIND, categories=categories, description=describe(module, **facts))
