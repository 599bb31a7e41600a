"""The street detector behind the `VideoModel` role: from a frame to maps, from maps to boxes in frame pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from dffcli.categories import STREET_OBJECTS, Category
from dffcli.core.reduce import reduced
from dffcli.core.types import BoxMaps, Detections, Features, Frame, PreparedImage, Task, UInt8Array
from dffcli.files.network_file import NetworkFile, bundled_file, load_network, save_network
from dffcli.files.state_dict import fill
from dffcli.geometry import nms
from dffcli.models.registry import BuiltModel, Weights
from dffcli.models.street.detector import STRIDES, StreetDetector, boxes_from_distances, place_centres
from dffcli.models.street.network import StreetShape, fold_norms

KIND = "street-det"
INPUT_SIZE = 512  # long side of the resized picture, pixels
EVEN_SCORE = 0.35  # the network's own score at which finds and misses balance best (F1) on training pictures
MULTIPLE = 32  # the padded input's sides are multiples of it
GREY, SPREAD = 114.0, 58.0  # subtracted from every channel; divided by


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How boxes are read from the maps.

    Attributes:
        min_score: places with a lower score of the network's own are passed over.
        max_places: at most this many places, the best ones, take part.
        max_overlap: IoU above which the weaker of two boxes of one class is dropped.
        max_boxes: at most this many boxes are kept.
        even_score: the network's own score that is told as 0.5. It learns how likely a class is times how well the box
            fits, so that even good finds seldom reach 0.7; telling it on a shifted scale (in logits, which changes no
            order) lets the usual threshold of 0.5 mean what it means elsewhere.
    """

    min_score: float = 0.02
    max_places: int = 1000
    max_overlap: float = 0.5
    max_boxes: int = 150
    even_score: float = EVEN_SCORE


class DetectorFeatures(nn.Module):
    """N_feat of a street detector: all of the network."""

    def __init__(self, network: StreetDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Features:
        """`[1, 3, H, W]` to class logits and distances, `[1, classes + 4, h, w]`, at strides 8, 16 and 32."""
        maps = self.network.dense_maps(x)
        return tuple(values.contiguous(memory_format=torch.channels_last) for values in maps)


class StreetDetModel:
    """The bundled detector, cut after its towers.

    N_feat ends where every place has its class logits and its distances to the object's sides: `classes + 4` channels
    at strides 8, 16 and 32. Distances are relative to the place they are told at, so maps that move with their object
    stay right, and what is left for every frame is to find the best places and drop doubles. The towers' last 1x1
    convolutions lie before the cut: being linear, they give the same before or after interpolation, and their outputs
    are ten times thinner than their inputs.

    Args:
        network: the network; its norms are folded here.
        categories: what its classes mean, in their order.
        input_size: long side of the resized picture, in pixels.
        name: the name `--model` takes.
        device: where it runs.
        settings: how boxes are read from the maps.

    Attributes:
        lowest_score: detections that score less are not asked for, and no work is spent on them.
    """

    def __init__(
        self,
        network: StreetDetector,
        *,
        categories: tuple[Category, ...],
        input_size: int = INPUT_SIZE,
        name: str = KIND,
        device: str = "cpu",
        settings: HeadSettings | None = None,
    ) -> None:
        network.requires_grad_(False)
        fold_norms(network).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.feature_network: Callable[[Tensor], Features] = DetectorFeatures(network)
        self._name = name
        self._device = torch.device(device)
        self._categories = categories
        self._category_ids = np.array([category.id for category in categories], np.int64)
        self.input_size = input_size
        self.settings = settings or HeadSettings()
        self.lowest_score = 0.0
        self._centres: dict[tuple[int, int, int], Tensor] = {}

    @property
    def name(self) -> str:
        """The name `--model` takes."""
        return self._name

    @property
    def task(self) -> Task:
        """Boxes."""
        return Task.DETECT

    @property
    def categories(self) -> tuple[Category, ...]:
        """What its classes mean."""
        return self._categories

    @property
    def carries_objects(self) -> bool:
        """Boxes grow with what they show, which maps read cell by cell cannot do."""
        return True

    def with_lowest_score(self, score: float) -> Self:
        """The same model, asked for scores from there on."""
        changed = copy(self)
        changed.lowest_score = score
        return changed

    def prepare(self, frame: Frame) -> PreparedImage:
        """Scale to `input_size` on the long side; pad below and on the right to multiples of 32."""
        scale = self.input_size / max(frame.size)
        content = max(1, round(frame.size[0] * scale)), max(1, round(frame.size[1] * scale))
        padded = content[0] + -content[0] % MULTIPLE, content[1] + -content[1] % MULTIPLE
        return PreparedImage(frame, content, padded, lambda: self._input(frame.image, content, padded))

    def _input(self, image: UInt8Array, content: tuple[int, int], padded: tuple[int, int]) -> Tensor:
        canvas = np.full((*padded, 3), GREY, np.uint8)
        canvas[: content[0], : content[1]] = reduced(image, content)
        return input_tensor(torch.from_numpy(canvas[None])).to(self._device)

    @torch.inference_mode()
    def features(self, image: PreparedImage) -> Features:
        """N_feat: class logits and distances in strides, `[1, classes + 4, h, w]`, at strides 8, 16 and 32."""
        return BoxMaps(self.feature_network(image.tensor))

    @torch.inference_mode()
    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Detections:
        """N_task: the best places' boxes, doubles dropped, in frame pixels."""
        classes = len(self._categories)
        even = log_odds(self.settings.even_score)
        threshold = log_odds(self.settings.min_score)
        if self.lowest_score > 0:  # a weaker box never drops a better one
            threshold = max(threshold, log_odds(self.lowest_score) + even)
        boxes, logits, labels = [], [], []
        for stride, values in zip(STRIDES, features, strict=True):
            places = values[0].flatten(1)  # [classes + 4, P]
            label, place = torch.nonzero(places[:classes] > threshold, as_tuple=True)
            logits.append(places[label, place])
            labels.append(label)
            distances = places[classes:, place].T * stride  # [K, 4]
            boxes.append(boxes_from_distances(self._grid(values, stride)[place], distances))
        logit, label, box = torch.cat(logits), torch.cat(labels), torch.cat(boxes)
        if len(logit) > self.settings.max_places:
            logit, best = logit.topk(self.settings.max_places)
            label, box = label[best], box[best]
        score = (logit - even).sigmoid()
        boxes_found, scores, classes_found = box.cpu().numpy(), score.cpu().numpy(), label.cpu().numpy()
        kept = nms(boxes_found, scores, classes_found, max_overlap=self.settings.max_overlap)
        kept = kept[: self.settings.max_boxes]
        (height, width), (content_height, content_width) = image.frame.size, image.content_size
        found = boxes_found[kept] * np.tile((width / content_width, height / content_height), 2)
        found = np.clip(found, 0, (width, height, width, height)).astype(np.float32)
        return Detections(found, scores[kept].astype(np.float32), self._category_ids[classes_found[kept]])

    def _grid(self, values: Tensor, stride: int) -> Tensor:
        key = values.shape[2], values.shape[3], stride
        if key not in self._centres:
            self._centres[key] = place_centres(*key, device=self._device)
        return self._centres[key]


def log_odds(share: float) -> float:
    """The logit of a score, 0..1; infinite at its ends."""
    if not 0 < share < 1:
        return math.inf if share >= 1 else -math.inf
    return math.log(share / (1 - share))


def input_tensor(images: Tensor) -> Tensor:
    """The network's input `[N, 3, H, W]` float32 from RGB pictures `[N, H, W, 3]` uint8."""
    return images.permute(0, 3, 1, 2).float().sub_(GREY).div_(SPREAD)  # channels stay last in memory


def describe(network: StreetDetector, *, input_size: int = INPUT_SIZE, **facts: Any) -> dict[str, Any]:
    """The numbers that rebuild a detector, with other facts worth keeping, for its file."""
    numbers = {
        "shape": asdict(network.backbone.shape),
        "width": network.width,
        "box_width": network.box_width,
        "classes": network.classes,
        "input_size": input_size,
    }
    return {**numbers, **facts}


def rebuild(file: NetworkFile, *, source: str) -> StreetDetector:
    """The detector a file describes, with its weights."""
    network = _shaped(file.description)
    fill(network, file.tensors, source=source)
    return network


def _shaped(numbers: dict[str, Any]) -> StreetDetector:
    shape = numbers["shape"]
    return StreetDetector(
        classes=numbers["classes"],
        shape=StreetShape(stem=shape["stem"], widths=tuple(shape["widths"]), depths=tuple(shape["depths"])),
        width=numbers["width"],
        box_width=numbers["box_width"],
    )


def build(name: str, *, weights: Weights = "default", device: str = "cpu") -> BuiltModel:
    """Build the street detector (the registry's builder).

    Raises:
        WeightsError: the weights are missing, broken or another network's.
    """
    if weights == "random":
        network = StreetDetector(classes=len(STREET_OBJECTS))
        model = StreetDetModel(network, categories=STREET_OBJECTS, name=name, device=device)
        return BuiltModel(model, f"{name} with random weights", is_random=True)
    if weights == "default":
        path, digest = bundled_file(name)
        description = f"bundled {name}, sha256 {digest[:12]}"
    else:
        path, description = weights, f"{name} from {weights.name}"
    file = load_network(path, kinds=(KIND,))
    model = StreetDetModel(
        rebuild(file, source=str(path)),
        categories=file.categories,
        input_size=file.description["input_size"],
        name=name,
        device=device,
    )
    return BuiltModel(model, description)


def start_from(path: Path, *, categories: tuple[Category, ...]) -> StreetDetector:
    """A detector to train further for these categories: of the file's shape and weights.

    Categories that the file's network knows by the same name begin with what it knows of them; the others anew.

    Raises:
        WeightsError: the file is not a street detector's.
    """
    file = load_network(path, kinds=(KIND,))
    network = _shaped(file.description | {"classes": len(categories)})
    known = {category.name.lower(): row for row, category in enumerate(file.categories)}
    pairs = [(row, known.get(category.name.lower())) for row, category in enumerate(categories)]
    tensors = dict(file.tensors)
    for name, mine in network.state_dict().items():
        if "class_logits" in name and name in tensors:
            tensors[name] = torch.stack([mine[row] if old is None else tensors[name][old] for row, old in pairs])
    fill(network, tensors, source=str(path))
    return network


def export(path: Path, network: StreetDetector, *, categories: tuple[Category, ...], **facts: Any) -> None:
    """Write a trained detector, its norms not yet folded, to a file that `build` takes."""
    save_network(path, network, kind=KIND, categories=categories, description=describe(network, **facts))
