"""Twelve pictures of two clips, as two street segmenters see them: docs/street-seg.jpg.

The clips are car-detection.mp4 (Intel IoT Developer Kit sample videos, CC BY 4.0) and test_video.mp4 (Udacity
CarND-Vehicle-Detection, MIT). Neither network was trained on frames of either.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from common import parser
from dffcli.categories import CAMVID
from dffcli.core.types import Frame, SegmentationMap, UInt8Array
from dffcli.models.registry import BuiltModel, build_model
from dffcli.render.overlay import Overlay
from dffcli.video.reader import open_source

CLIPS = ("car-detection.mp4", "test_video.mp4")
PICTURES_OF_A_CLIP = 6
TILE_WH = (288, 162)  # pixels, OpenCV order
GAP = 4  # pixels
TARGET = Path(__file__).parents[1] / "docs" / "street-seg.jpg"


def chosen_frames(path: Path, *, count: int) -> list[Frame]:
    """Frames at even distances, the first and the last left out."""
    with open_source(str(path)) as source:
        frames = sum(1 for _ in source)
    wanted = {round((place + 0.5) * frames / count) for place in range(count)}
    with open_source(str(path)) as source:
        return [frame for frame in source if frame.index in wanted]


def painted(built: BuiltModel, frame: Frame) -> UInt8Array:
    """The frame with the network's classes over it at 50 %."""
    prepared = built.model.prepare(frame)
    found = built.model.head(built.model.features(prepared), prepared, is_key=True)
    if not isinstance(found, SegmentationMap):
        raise TypeError("expected a segmenter")
    return Overlay(CAMVID, opacity=0.5, legend=False).draw(frame.image, found)


def tile(image: UInt8Array) -> UInt8Array:
    """A small copy with a white edge."""
    small = cv2.resize(image, TILE_WH, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(small, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--networks", type=Path, nargs=2, required=True, help="before and after")
    arguments.add_argument("--target", type=Path, default=TARGET)
    options = arguments.parse_args()
    models = [build_model("street-seg", weights=path) for path in options.networks]
    columns = []
    for clip in CLIPS:
        rows = []
        for frame in chosen_frames(options.data / "clips" / clip, count=PICTURES_OF_A_CLIP):
            rows.append(np.hstack([tile(painted(built, frame)) for built in models]))
        columns.append(np.vstack(rows))
    sheet = np.hstack(columns)
    cv2.imwrite(str(options.target), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    print(options.target, options.target.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
