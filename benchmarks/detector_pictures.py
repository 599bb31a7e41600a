"""Frames that show what the bundled detector finds, misses and makes up, as `dff detect` draws them.

Only footage whose terms allow it is shown: sample-videos by Intel (car-detection.mp4, CC BY 4.0), Udacity's
CarND-Vehicle-Detection (test_video.mp4, MIT) and DAVIS 2016 (BSD). The frames were chosen by eye, half of them for
their faults; none of the pictures is touched up.
"""

from __future__ import annotations

from pathlib import Path

import cv2

from common import parser
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Detections
from dffcli.flow import build_flow
from dffcli.models.registry import build_model
from dffcli.render.overlay import Overlay
from dffcli.video.reader import open_source

TARGET = Path(__file__).parents[1] / "docs" / "pictures" / "detector"
WIDTH = 560  # pixels
SCORE = 0.5  # what `dff detect` shows unless told otherwise
FRAMES = {
    "clips/test_video.mp4": (6, 30),
    "clips/car-detection.mp4": (90, 210),
    "davis/JPEGImages/480p/car-roundabout": (9, 66),
    "davis/JPEGImages/480p/car-shadow": (16,),
    "davis/JPEGImages/480p/parkour": (13, 65),
    "davis/JPEGImages/480p/horsejump-high": (21,),
    "davis/JPEGImages/480p/drift-straight": (7, 35),
}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--target", type=Path, default=TARGET)
    options = arguments.parse_args()
    model = build_model("coco-det").model
    overlay = Overlay(model.categories, opacity=0.5)
    options.target.mkdir(parents=True, exist_ok=True)
    for source, wanted in FRAMES.items():
        with open_source(str(options.data / source)) as frames:
            taken = [frame for frame in frames if frame.index in wanted]
        for index, frame in zip(wanted, taken, strict=True):
            (result,) = Engine(model, build_flow("none"), FixedInterval(1)).run([frame])
            found = result.prediction
            assert isinstance(found, Detections)
            drawn = overlay.draw(frame.image, found.select(found.scores >= SCORE))
            height = round(drawn.shape[0] * WIDTH / drawn.shape[1])
            small = cv2.resize(drawn, (WIDTH, height), interpolation=cv2.INTER_AREA)
            path = options.target / f"{Path(source).stem}-{index}.jpg"
            cv2.imwrite(str(path), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
            print(
                path.name,
                ", ".join(f"{i}:{s:.2f}" for i, s in zip(found.category_ids, found.scores, strict=True) if s >= SCORE),
            )


if __name__ == "__main__":
    main()
