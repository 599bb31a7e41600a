"""The rendered scene as files: a video, and its ground truth in the usual formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from dffcli.core.types import Float32Array, SourceInfo
from dffcli.errors import OutputError
from dffcli.evaluation.scene import RATE, Scene
from dffcli.video.writer import VideoWriter

CRF = 14  # nearly without loss: what is measured is flow, not compression
FLO_MAGIC = b"PIEH"  # Middlebury's; the float 202021.25
HIDDEN = 1e9  # Middlebury's mark of an unknown vector
CATEGORIES = {"person": 1, "car": 3}  # COCO's ids
TIME_BASE = Fraction(1, 12800)  # seconds


def write_clip(scene: Scene, path: Path, *, on_frame: Callable[[int], None] = lambda _index: None) -> None:
    """Write the pictures as H.264.

    Raises:
        OutputError: it cannot be written.
    """
    info = SourceInfo(path.stem, scene.size, TIME_BASE, Fraction(RATE), scene.frames)
    with VideoWriter(path, info=info, crf=CRF) as writer:
        for index in range(scene.frames):
            writer.write(scene.image(index), Fraction(index, RATE), Fraction(1, RATE))
            on_frame(index)


def write_truth(scene: Scene, folder: Path) -> None:
    """Write `masks/000000.png` (CamVid's ids), `boxes.json` (CocoVID) and `flow/000001.flo` (to the frame before).

    Raises:
        OutputError: a file cannot be written.
    """
    try:
        for name in ("masks", "flow"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(scene.frames):
            _write_png(folder / "masks" / f"{index:06d}.png", scene.labels(index))
            if index:
                displacement, seen = scene.flow(index - 1, index)
                (folder / "flow" / f"{index:06d}.flo").write_bytes(flo_bytes(np.where(seen, displacement, HIDDEN)))
        (folder / "boxes.json").write_text(json.dumps(coco_video(scene)) + "\n")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _write_png(path: Path, labels: np.ndarray) -> None:
    done, data = cv2.imencode(".png", labels)
    if not done:
        raise OutputError(f"{path}: cannot be encoded as PNG")
    path.write_bytes(data.tobytes())


def flo_bytes(displacement: Float32Array) -> bytes:
    """Middlebury's format of `(dx, dy)`, `[2, H, W]`."""
    h, w = displacement.shape[1:]
    vectors = np.ascontiguousarray(displacement.transpose(1, 2, 0), dtype="<f4")  # [H, W, 2]
    return FLO_MAGIC + np.array([w, h], "<i4").tobytes() + vectors.tobytes()


def coco_video(scene: Scene, *, name: str = "clip") -> dict[str, object]:
    """The visible boxes as CocoVID has them, tracks as `instance_id`."""
    h, w = scene.size
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for index in range(scene.frames):
        picture = {"id": index + 1, "video_id": 1, "frame_id": index, "file_name": f"{name}/{index:06d}.jpg"}
        images.append(picture | {"height": h, "width": w})
        for box in scene.boxes(index):
            x1, y1, x2, y2 = box.corners
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "video_id": 1,
                    "category_id": CATEGORIES[box.name],
                    "instance_id": box.track,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": box.pixels,
                    "iscrowd": 0,
                }
            )
    return {
        "videos": [{"id": 1, "name": name, "height": h, "width": w}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in CATEGORIES.items()],
    }
