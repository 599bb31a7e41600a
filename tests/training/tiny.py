"""Tiny data sets and networks for the tests of training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from dffcli.models.street.network import StreetSegmenter, StreetShape

SHAPE = StreetShape(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1))


def tiny_segmenter(classes: int = 3) -> StreetSegmenter:
    torch.manual_seed(2)
    return StreetSegmenter(classes=classes, shape=SHAPE, width=8, out_width=8)


def scene(rng: np.random.Generator, *, size: tuple[int, int] = (64, 80)) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a blue sky over a grey ground with a red box, and its classes 0, 1, 2."""
    h, w = size
    horizon = int(rng.integers(h // 3, h // 2))
    mask = np.zeros(size, np.uint8)
    mask[horizon:] = 1
    left, top = int(rng.integers(0, w // 2)), int(rng.integers(horizon - 8, h - 24))
    mask[top : top + 20, left : left + 24] = 2
    colors = np.array([[90, 140, 230], [110, 110, 110], [210, 40, 40]], np.float32)
    image = colors[mask] + rng.normal(0, 8, (*size, 3))
    return np.clip(image, 0, 255).astype(np.uint8), mask


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def write_camvid(root: Path, *, count: int = 4, split: str = "train", size: tuple[int, int] = (64, 80)) -> Path:
    rng = np.random.default_rng(len(split))
    for index in range(count):
        image, mask = scene(rng, size=size)
        write_image(root / split / f"f_{index:03d}.png", image)
        write_image(root / f"{split}annot" / f"f_{index:03d}.png", mask)
    return root
