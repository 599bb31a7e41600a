"""The strip of pictures in the README: what the bundled networks say of a street, on a key frame and between two."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import dffcli
from common import parser
from dffcli.core.types import UInt8Array
from dffcli.render.overlay import Overlay

CLIP = "test_video.mp4"  # of Udacity's CarND-Vehicle-Detection, MIT
WIDTH = 480  # pixels of one picture
TITLE = 26  # pixels of the line above it
GAP = 6


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures" / "strip.jpg")
    options = arguments.parse_args()
    clip = str(options.data / "clips" / CLIP)
    pictures = []
    for model, name in (("coco-det", "dff detect --track"), ("street-seg", "dff segment")):
        run = (
            dffcli.run(clip, model=model, schedule=10, track=True)
            if model == "coco-det"
            else dffcli.run(clip, model=model, schedule=10)
        )
        overlay = Overlay(dffcli.build_model(model).model.categories, opacity=0.5)
        for result in run:
            drawn = overlay.draw(result.frame.image, result.prediction)
            if result.frame.index in (10, 15):
                what = "key frame" if result.is_key else "propagated: no network ran"
                pictures.append(titled(drawn, f"{name}: {what}"))
    rows = [np.concatenate(pictures[start : start + 2], 1) for start in (0, 2)]
    strip = np.concatenate(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(options.out, strip.shape)


def titled(picture: UInt8Array, title: str) -> UInt8Array:
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    small = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)  # (w, h): OpenCV order
    page = np.full((height + TITLE + GAP, WIDTH + GAP, 3), 255, np.uint8)
    page[TITLE : TITLE + height, :WIDTH] = small
    cv2.putText(page, title, (2, TITLE - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return page


if __name__ == "__main__":
    main()
