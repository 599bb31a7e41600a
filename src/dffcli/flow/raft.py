"""RAFT, torchvision's learned optical flow, for machines with a GPU."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dffcli.core.types import FlowField, PreparedImage
from dffcli.flow import Load
from dffcli.flow.grey import grey_picture, photometric_error

LONG_SIDE = 512  # pixels
SMALLEST_SIDE = 128  # pixels; RAFT's correlation pyramid needs 16 cells at stride 8
STRIDE = 8  # pixels


class RaftFlow:
    """RAFT (Teed and Deng, ECCV 2020).

    Args:
        name: "raft_small" or "raft_large".
        network: torchvision's network, in evaluation mode.
        updates: recurrent refinements; torchvision's own default is 12.
    """

    def __init__(self, name: str, network: nn.Module, *, device: str, updates: int = 12) -> None:
        self.name = name
        self._network = network.to(device).eval()
        self._device = device
        self._updates = updates

    @torch.inference_mode()
    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on a picture reduced to a multiple of RAFT's stride."""
        fields = self._network(self._picture(current), self._picture(key), num_flow_updates=self._updates)
        displacement: Tensor = fields[-1].float().cpu()  # [1, 2, h, w]
        vectors = displacement[0].permute(1, 2, 0).numpy()
        size_wh = vectors.shape[1], vectors.shape[0]  # OpenCV order
        key_grey, current_grey = (
            np.asarray(cv2.resize(grey_picture(image, long_side=LONG_SIDE), size_wh), np.uint8)
            for image in (key, current)
        )
        return FlowField(displacement, photometric_error=photometric_error(key_grey, current_grey, vectors))

    def _picture(self, image: PreparedImage) -> Tensor:
        """RGB in -1..1 on a grid that spans the padded input, `[1, 3, h, w]`."""
        if "raft" not in image.cache:
            ratio = min(1.0, LONG_SIDE / max(image.padded_size))
            h, w = (max(SMALLEST_SIDE, round(side * ratio / STRIDE) * STRIDE) for side in image.padded_size)
            content_h = max(1, round(h * image.content_size[0] / image.padded_size[0]))
            content_w = max(1, round(w * image.content_size[1] / image.padded_size[1]))
            content = cv2.resize(image.frame.image, (content_w, content_h), interpolation=cv2.INTER_AREA)
            padded = cv2.copyMakeBorder(content, 0, h - content_h, 0, w - content_w, cv2.BORDER_REPLICATE)
            picture = torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1).unsqueeze(0)  # [1, 3, h, w]
            image.cache["raft"] = picture.to(self._device, torch.float32) / 127.5 - 1
        prepared: Tensor = image.cache["raft"]
        return prepared


def build(name: str, *, device: str, load: Load | None = None) -> RaftFlow:
    """Torchvision's RAFT (the registry's builder).

    Args:
        name: "raft_small" or "raft_large".
        device: where it runs.
        load: fills a network of that name with its weights; random if absent.
    """
    from torchvision.models import optical_flow

    network: nn.Module = getattr(optical_flow, name)(weights=None)
    if load is not None:
        load(name, network)
    return RaftFlow(name, network, device=device)
