"""Feature network and flow network learned together, through the warp, for detection (section 4 of the paper).

A labelled frame, an unlabelled key frame drawn from those before it: the key's maps are carried to the labelled frame
along the flow between the two, and the task's loss there reaches both networks. A picture without frames before it is
its own key frame, and the warp is left out. The maps are class logits and distributions of distances, so there is no
scale field: what the paper's multiplies are features before the last layer.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dffcli.core.types import FlowField, UInt8Array
from dffcli.core.warp import warp
from dffcli.errors import DataError
from dffcli.flow.light import LightFlowNet, grey_tensor
from dffcli.models.coco_det.model import input_tensor
from dffcli.models.coco_det.network import CocoDetector
from dffcli.training.carried_detect import views_alike
from dffcli.training.detect import DetectObjective, samples_as_batch
from dffcli.training.objective import Batch

GREY_REDUCTION = 2  # the flow sees pictures this much smaller, about what it sees of whole frames when it is used

Frozen = Literal["nothing", "features", "flow"]


class JointDetector(nn.Module):
    """N_feat and F in one module.

    Args:
        detector: trained on single pictures.
        flow: trained on pairs with known motion.
        frozen: what is not to be trained; of frozen features the last layers still learn, as N_task does.
    """

    def __init__(self, detector: CocoDetector, flow: LightFlowNet, *, frozen: Frozen = "nothing") -> None:
        super().__init__()
        self.detector = detector
        self.flow = flow
        if frozen == "features":
            self.detector.requires_grad_(False)
            self.detector.pred.requires_grad_(True)
        elif frozen == "flow":
            self.flow.requires_grad_(False)
        if flow.scale is not None:
            flow.scale.requires_grad_(False)

    def forward(
        self, keys: Tensor, key_greys: Tensor, current_greys: Tensor, is_pair: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Class and distance logits of the current frames, as `CocoDetector` gives them.

        Args:
            keys: key pictures `[N, 3, H, W]` (a still is its own).
            key_greys: the same, grey and reduced, `[N, 1, H / 2, W / 2]`.
            current_greys: the current pictures, likewise.
            is_pair: whether a picture has a key frame of its own, `[N]`.
        """
        outputs = self.detector(keys)
        rows = torch.nonzero(is_pair)[:, 0].tolist()
        if not rows:
            return [(classes, distances) for classes, distances in outputs]
        fields, _ = self.flow(self.flow.encode(key_greys[rows]), self.flow.encode(current_greys[rows]))
        positions = {row: position for position, row in enumerate(rows)}
        carried = []
        for row in range(len(keys)):
            maps = tuple(values[row : row + 1].float() for pair in outputs for values in pair)
            if row in positions:
                maps = warp(maps, FlowField(fields[-1][positions[row] : positions[row] + 1].float()))
            carried.append(maps)
        joined = [torch.cat(values) for values in zip(*carried, strict=True)]
        return list(zip(joined[::2], joined[1::2], strict=True))


class JointDetectObjective:
    """A detector and a flow network on pairs and stills.

    Args:
        module: both networks.
        single: what the detector by itself learns and is measured on.
        max_offset: frames between key and labelled frame at most.
    """

    def __init__(self, module: JointDetector, *, single: DetectObjective, max_offset: int) -> None:
        if max_offset < 1:
            raise DataError(f"largest offset: expected at least 1 frame, got {max_offset}")
        self._module = module
        self._single = single
        self.max_offset = max_offset

    @property
    def module(self) -> nn.Module:
        """Both networks."""
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        """Labelled pictures, each with its key frame under the same scale, crop, mirror and light."""
        side = self._single.side(step, seed=seed)
        pairs = []
        for index in range(self._single.settings.batch_size):
            chance = np.random.default_rng([seed, step, index])
            number = self._single.draw(chance)
            offset = int(chance.integers(0, self.max_offset + 1))
            pairs.append(views_alike(self._single, number, offset, side, how=[seed, step, index, 1]))
        keys, currents = [views[0] for views in pairs], [views[-1] for views in pairs]
        return {
            "keys": torch.from_numpy(np.stack([key.image for key in keys])),
            "key_greys": torch.cat([_grey(key.image) for key in keys]),
            "current_greys": torch.cat([_grey(current.image) for current in currents]),
            "is_pair": torch.tensor([len(views) > 1 for views in pairs]),
        } | samples_as_batch(currents)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The task's losses at the labelled frames."""
        keys = input_tensor(batch["keys"])
        outputs = self._module(keys, batch["key_greys"], batch["current_greys"], batch["is_pair"])
        return self._single.losses_of(outputs, batch)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Average precision of the detector on single pictures."""
        if not isinstance(module, JointDetector):
            raise DataError(f"expected a joint network, got {type(module).__name__}")
        return self._single.validate(module.detector)


def _grey(image: UInt8Array) -> Tensor:
    """What the flow network is shown of a picture, `[1, 1, H / 2, W / 2]`."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size_wh = (image.shape[1] // GREY_REDUCTION, image.shape[0] // GREY_REDUCTION)  # OpenCV order
    return grey_tensor(np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.uint8))
