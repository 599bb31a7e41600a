"""These networks as the engine sees them: N_feat and N_task of each, and its flow network as an estimator."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dffcli.categories import Category
from dffcli.core.types import Detections, Features, FlowField, Frame, PreparedImage, SegmentationMap, Task
from dffcli.models.label_map import upsample_argmax
from dffcli.models.paper import faster_rcnn, rfcn
from dffcli.models.paper.deeplab import DeeplabNetwork
from dffcli.models.paper.faster_rcnn import FasterRcnnNetwork
from dffcli.models.paper.flownet import FeatureFlow, PlainFlow
from dffcli.models.paper.prepare import CITYSCAPES, FLOW_PICTURE_MEAN, MMTRACKING, VID, InputRule
from dffcli.models.paper.resnet import STRIDE
from dffcli.models.paper.rfcn import Recogniser, RfcnNetwork

SCORE_THRESHOLD = 1e-4  # smallest probability that the originals evaluate


class RfcnModel:
    """The paper's detector.

    Args:
        name: as the registry lists it.
        network: in evaluation mode, on `device`.
        categories: in the network's order.
        device: where it runs.
        rule: how frames are brought to the input.
    """

    task = Task.DETECT

    def __init__(
        self,
        name: str,
        network: RfcnNetwork,
        *,
        categories: tuple[Category, ...],
        device: str,
        rule: InputRule = VID,
    ) -> None:
        self.name = name
        self.categories = categories
        self._network = network
        self._recogniser = Recogniser(network)
        self._device = device
        self._rule = rule

    def prepare(self, frame: Frame) -> PreparedImage:
        """Short side 600, long side at most 1000, unless it was trained on other sizes."""
        return self._rule.prepare(frame, device=self._device)

    def features(self, image: PreparedImage) -> Features:
        """N_feat: one map `[1, 1024, ceil(H/16), ceil(W/16)]`."""
        return (self._network.features(image.tensor),)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Detections:
        """N_task: proposals, their classes and their boxes; at most 300."""
        (maps,) = features
        proposals = self._network.propose(maps, size=image.content_size)
        found = rfcn.final_boxes(
            self._recogniser.recognise(maps, proposals),
            size=image.content_size,
            threshold=SCORE_THRESHOLD,
            overlap=0.3,
            limit=300,
        )
        factor = self._rule.factor(image.frame.size)
        return _detections(found.boxes / factor, found.scores, found.classes, self.categories, image.frame.size)


class FasterRcnnModel:
    """mmtracking's detector.

    Args:
        name: as the registry lists it.
        network: in evaluation mode, on `device`.
        categories: in the network's order.
        device: where it runs.
    """

    task = Task.DETECT

    def __init__(self, name: str, network: FasterRcnnNetwork, *, categories: tuple[Category, ...], device: str) -> None:
        self.name = name
        self.categories = categories
        self._network = network
        self._device = device

    def prepare(self, frame: Frame) -> PreparedImage:
        """Short side 600, long side at most 1000, padded to multiples of 16."""
        return MMTRACKING.prepare(frame, device=self._device)

    def features(self, image: PreparedImage) -> Features:
        """N_feat: one map `[1, 512, H/16, W/16]`."""
        return (self._network.features(image.tensor),)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Detections:
        """N_task: proposals, their classes and their boxes; at most 100."""
        (maps,) = features
        proposals = self._network.propose(maps, size=image.content_size)
        probabilities, deltas = self._network.recognise(maps, proposals)
        boxes, scores, classes = faster_rcnn.final_boxes(
            proposals,
            probabilities,
            deltas,
            size=image.content_size,
            threshold=SCORE_THRESHOLD,
            overlap=0.5,
            limit=100,
        )
        (h, w), (content_h, content_w) = image.frame.size, image.content_size
        boxes = boxes * boxes.new_tensor([w / content_w, h / content_h, w / content_w, h / content_h])
        return _detections(boxes, scores, classes, self.categories, image.frame.size)


class DeeplabModel:
    """The paper's segmenter.

    Args:
        name: as the registry lists it.
        network: in evaluation mode, on `device`.
        categories: in the network's order.
        device: where it runs.
        rule: how frames are brought to the input.
    """

    task = Task.SEGMENT

    def __init__(
        self,
        name: str,
        network: DeeplabNetwork,
        *,
        categories: tuple[Category, ...],
        device: str,
        rule: InputRule = CITYSCAPES,
    ) -> None:
        self.name = name
        self._rule = rule
        self.categories = categories
        self._network = network
        self._ids = torch.tensor([category.id for category in categories], dtype=torch.uint8).numpy()
        self._device = device

    def prepare(self, frame: Frame) -> PreparedImage:
        """Short side 1024, long side at most 2048, unless it was trained on other sizes."""
        return self._rule.prepare(frame, device=self._device)

    def features(self, image: PreparedImage) -> Features:
        """N_feat: one map `[1, 1024, ceil(H/16), ceil(W/16)]`."""
        return (self._network.features(image.tensor),)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        """N_task: a 1x1 convolution, and the best class of every frame pixel."""
        (maps,) = features
        logits = self._network.classify(maps)[0]  # [C, h, w]
        spanned = (logits.shape[1] * STRIDE, logits.shape[2] * STRIDE)
        positions = upsample_argmax(
            logits.float().cpu().numpy(),
            image.frame.size,
            content_size=image.content_size,
            padded_size=spanned,
        )
        return SegmentationMap(self._ids[positions])


def _detections(
    boxes: Tensor, scores: Tensor, classes: Tensor, categories: tuple[Category, ...], size: tuple[int, int]
) -> Detections:
    """Boxes in frame pixels `[N, 4]`, clipped to a frame of `(height, width)`, with the ids of their categories."""
    ids = torch.tensor([category.id for category in categories])
    limit = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    return Detections(boxes.float().cpu().numpy(), scores.float().cpu().numpy(), ids[classes.cpu()].numpy())


class FeatureFlowEstimator:
    """F of the released networks: flow on the feature grid, and the scale field.

    Args:
        name: of the network.
        network: in evaluation mode.
    """

    def __init__(self, name: str, network: FeatureFlow) -> None:
        self.name = name
        self._network = network

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on the feature grid; a guess is of no use to it."""
        displacement, scale = self._network(current.tensor, key.tensor)
        return FlowField(displacement, scale_map=scale, padding="zeros")


class PlainFlowEstimator:
    """F of mmtracking.

    Args:
        network: in evaluation mode.
        grid: "mmtracking" reads the key's map where that project does; "exact" where the flow says.
    """

    name = "flownet-simple"

    def __init__(self, network: PlainFlow, *, grid: Literal["exact", "mmtracking"] = "mmtracking") -> None:
        self._network = network
        self._grid: Literal["exact", "mmtracking"] = grid

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key at 1/8 of the input; a guess is of no use to it."""
        return FlowField(self._network(_flow_picture(current), _flow_picture(key)), grid=self._grid)


def _flow_picture(image: PreparedImage) -> Tensor:
    """RGB 0..1 less a mean, zero where padded, `[1, 3, H, W]`; made once a picture."""
    if "mmtracking flow" not in image.cache:
        values = image.tensor
        mean = values.new_tensor(MMTRACKING.mean).view(3, 1, 1)
        std = values.new_tensor(MMTRACKING.std).view(3, 1, 1)
        picture = (values * std + mean) / 255 - values.new_tensor(FLOW_PICTURE_MEAN).view(3, 1, 1)
        picture[:, :, image.content_size[0] :] = 0
        picture[..., image.content_size[1] :] = 0
        image.cache["mmtracking flow"] = picture
    prepared: Tensor = image.cache["mmtracking flow"]
    return prepared
