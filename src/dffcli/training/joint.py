"""Feature network, flow network and scale field learned together, through the warp, for segmentation (section 4).

A labelled frame, an unlabelled key frame drawn from those before it: the key's features are carried to the labelled
frame along the flow between the two, multiplied by the scale field, and the task's loss there reaches all three. A
picture without frames before it is its own key frame, and the warp is left out. What is carried are logits, as when the
network is used: a 1x1 classifier commutes with the warp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dffcli.core.types import FlowField, UInt8Array
from dffcli.core.warp import warp
from dffcli.errors import DataError
from dffcli.evaluation.segment_data import LabelledPicture, read_image
from dffcli.evaluation.segment_metrics import mean_iou
from dffcli.flow.light import LightFlowNet, grey_tensor
from dffcli.models.street.network import StreetSegmenter, normalise
from dffcli.training.objective import Batch
from dffcli.training.segment import PictureSet, SegmentObjective, SegmentSettings, confusion_of

GREY_REDUCTION = 2  # the flow sees views this much smaller, about what it sees of whole frames when it is used

Frozen = Literal["nothing", "features", "flow"]


class JointSegmenter(nn.Module):
    """N_feat, N_task and F in one module. Norms keep the statistics they have: batches are small and alike.

    Args:
        segmenter: trained on single pictures.
        flow: trained on pairs with known motion; a scale field is added where it has none.
        frozen: what is not to be trained.
    """

    def __init__(self, segmenter: StreetSegmenter, flow: LightFlowNet, *, frozen: Frozen = "nothing") -> None:
        super().__init__()
        self.segmenter = segmenter
        self.flow = with_scale(flow, segmenter.classes)
        if frozen == "features":
            self.segmenter.requires_grad_(False)
        elif frozen == "flow":
            self.flow.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As usual, but for the norms."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, keys: Tensor, key_greys: Tensor, current_greys: Tensor, is_pair: Tensor) -> Tensor:
        """Logits at stride 4 for the current frames.

        Args:
            keys: key pictures `[N, 3, H, W]` (a still is its own).
            key_greys: the same, grey and reduced, `[N, 1, H / 2, W / 2]`.
            current_greys: the current pictures, likewise.
            is_pair: whether a picture has a key frame of its own, `[N]`.
        """
        logits = self.segmenter.classify(self.segmenter.features(keys))  # [N, classes, h, w]
        if not bool(is_pair.any()):
            return logits
        rows = torch.nonzero(is_pair)[:, 0].tolist()
        fields, scale = self.flow(self.flow.encode(key_greys[rows]), self.flow.encode(current_greys[rows]))
        carried = [logits[row : row + 1].float() for row in range(len(logits))]
        for place, row in enumerate(rows):
            field = FlowField(
                fields[-1][place : place + 1].float(),
                scale_map=None if scale is None else scale[place : place + 1].float(),
            )
            (carried[row],) = warp((carried[row],), field)
        return torch.cat(carried)


def with_scale(flow: LightFlowNet, channels: int) -> LightFlowNet:
    """The same flow network with a scale field for so many channels; a new one is 1 everywhere."""
    if flow.scale_channels == channels:
        return flow
    wider = LightFlowNet(scale_channels=channels)
    known = {name: value for name, value in flow.state_dict().items() if not name.startswith("scale.")}
    wider.load_state_dict({**wider.state_dict(), **known})
    return wider


class JointObjective:
    """A segmenter and a flow network on pairs and stills.

    Args:
        module: both networks.
        sets: what it learns from; pictures that know the frames before them give pairs.
        validation: what the segmenter by itself is measured on.
        settings: what a batch is.
        max_offset: frames between key and labelled frame at most.
    """

    def __init__(
        self,
        module: JointSegmenter,
        *,
        sets: Sequence[PictureSet],
        validation: Mapping[str, Sequence[LabelledPicture]],
        settings: SegmentSettings,
        max_offset: int,
    ) -> None:
        if max_offset < 1:
            raise DataError(f"largest offset: expected at least 1 frame, got {max_offset}")
        self._module = module
        self._single = SegmentObjective(module.segmenter, sets=sets, validation=validation, settings=settings)
        self.max_offset = max_offset

    @property
    def module(self) -> nn.Module:
        """Both networks."""
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        """Views of labelled pictures, each with the same view of its key frame."""
        views = [self._view(step, index, seed=seed) for index in range(self._single.settings.batch_size)]
        keys, key_greys, current_greys, labels, loss_weight, is_pair = zip(*views, strict=True)
        return {
            "keys": torch.from_numpy(np.stack(keys)).contiguous(memory_format=torch.channels_last),
            "key_greys": torch.cat(key_greys),
            "current_greys": torch.cat(current_greys),
            "labels": torch.from_numpy(np.stack(labels).astype(np.int64)),
            "loss_weight": torch.tensor(loss_weight),
            "is_pair": torch.tensor(is_pair),
        }

    def _view(
        self, step: int, index: int, *, seed: int
    ) -> tuple[NDArray[np.float32], Tensor, Tensor, UInt8Array, float, bool]:
        view = self._single.view(step, index, seed=seed)
        chance = np.random.default_rng([seed, step, index, 1])
        earlier = view.picture.earlier[: self.max_offset]
        offset = int(chance.integers(0, len(earlier) + 1))
        key = view.image if offset == 0 else view.repeat(read_image(earlier[offset - 1]))
        return normalise(key), _grey(key), _grey(view.image), view.labels, view.loss_weight, offset > 0

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The task's losses at the labelled frames."""
        logits = self._module(batch["keys"], batch["key_greys"], batch["current_greys"], batch["is_pair"])
        return self._single.losses_of(logits, (), batch["labels"], batch["loss_weight"])

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Mean IoU, in percent, of the segmenter on single pictures."""
        if not isinstance(module, JointSegmenter):
            raise DataError(f"expected a joint network, got {type(module).__name__}")
        return {
            name: 100 * mean_iou(confusion_of(module.segmenter, pictures, classes=self._single.settings.classes))
            for name, pictures in self._single.validation.items()
        }


def _grey(image: UInt8Array) -> Tensor:
    """What the flow network is shown of a view, `[1, 1, H / 2, W / 2]`."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size_wh = (image.shape[1] // GREY_REDUCTION, image.shape[0] // GREY_REDUCTION)  # OpenCV order
    return grey_tensor(np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.uint8))
