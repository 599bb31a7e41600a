"""Video to train the detector on: clips and DAVIS sequences as CocoVID, where a few frames have a teacher's boxes.

Writes `labelled.json` (the teacher's boxes on the frames that have them; the frames before each serve as key frames)
and `unlabelled.json` (the same pictures, nothing looked for on them: they teach only what the network itself answers).
What the bundled detector is judged on is left out.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from common import parser
from dffcli.core.types import UInt8Array
from dffcli.video.reader import open_source

LONG_SIDE = 640  # pixels of the pictures that are written
REACH = 9  # frames before a labelled one that are written
CLIPS = ("car-detection", "bikes", "05_default_juggle", "01_dog")
DAVIS = ("dog", "drift-straight", "horsejump-high", "libby")


def sources(data: Path) -> Iterator[tuple[str, str]]:
    """Name that the teacher's pictures begin with, and the source they are from."""
    for name in CLIPS:
        yield f"v-{name}", str(data / "clips" / f"{name}.mp4")
    for name in DAVIS:
        yield f"davis-{name}", str(data / "davis" / "JPEGImages" / "480p" / name)


def reduced(image: UInt8Array) -> UInt8Array:
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def likeness(image: UInt8Array, taught: Path) -> float:
    """Mean difference in grey levels between a frame and the teacher's picture of it."""
    other = np.asarray(cv2.imread(str(taught), cv2.IMREAD_GRAYSCALE), np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (other.shape[1], other.shape[0]), interpolation=cv2.INTER_AREA)
    return float(np.abs(small.astype(np.float32) - other).mean())


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("target", type=Path)
    options = arguments.parse_args()
    teacher = json.loads((options.data / "street-det" / "annotations.json").read_text())
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in teacher["annotations"]:
        rows[row["image_id"]].append(row)
    (options.target / "images").mkdir(parents=True, exist_ok=True)
    videos, images, annotations = [], [], []
    for number, (name, source) in enumerate(sources(options.data), 1):
        pattern = re.compile(rf"{re.escape(name)}_(\d+)\.jpg")
        taught = {int(m[1]): image for image in teacher["images"] if (m := pattern.fullmatch(image["file_name"]))}
        wanted = {index - back for index in taught for back in range(REACH + 1)}
        videos.append({"id": number, "name": name})
        differences = []
        with open_source(source) as frames:
            for frame in frames:
                if frame.index not in wanted:
                    continue
                picture = reduced(frame.image)
                file_name = f"{name}_{frame.index:05d}.jpg"
                bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(options.target / "images" / file_name), bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
                image = {"id": len(images) + 1, "file_name": file_name, "video_id": number, "frame_id": frame.index}
                image |= {"height": picture.shape[0], "width": picture.shape[1]}
                labelled = taught.get(frame.index)
                images.append(image | {"is_vid_train_frame": labelled is not None})
                if labelled is None:
                    continue
                differences.append(likeness(picture, options.data / "street-det" / "images" / labelled["file_name"]))
                scale = picture.shape[1] / labelled["width"]
                for row in rows[labelled["id"]]:
                    box = [value * scale for value in row["bbox"]]
                    annotations.append(row | {"id": len(annotations) + 1, "image_id": image["id"], "bbox": box})
        print(name, len(taught), "labelled,", sum(i["video_id"] == number for i in images), "written,", end=" ")
        print(f"grey levels between them and the teacher's pictures: {max(differences):.1f} at most")
    content = {"videos": videos, "images": images}
    labelled = content | {"annotations": annotations, "categories": teacher["categories"]}
    (options.target / "labelled.json").write_text(json.dumps(labelled))
    alone = [image | {"is_vid_train_frame": True} for image in images]
    unlabelled = {"videos": videos, "images": alone, "annotations": [], "categories": []}
    (options.target / "unlabelled.json").write_text(json.dumps(unlabelled))


if __name__ == "__main__":
    main()
