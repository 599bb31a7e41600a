# /// script
# requires-python = ">=3.11"
# dependencies = ["datumaro==1.13.*"]
# ///
"""Let datumaro read what dff writes: CVAT, COCO, MOT and YOLO, boxes and masks.

It wants other versions of OpenCV, pandas and pillow than dff does, so it runs apart from dff's environment:

    uv run python -m tests.formats.samples /tmp/samples
    uv run --no-project benchmarks/read_back.py /tmp/samples
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from PIL import Image

FRAMES = 6
BOXES = 10
FIRST_BOX = (4.25, 10.5, 8.0, 20.0)


def stills(folder: Path, *, first: int) -> None:
    """Empty pictures, which some importers insist on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + FRAMES):
        Image.new("RGB", (64, 48)).save(folder / f"{number:06d}.jpg")


def as_coco_folder(file: Path, work: Path) -> Path:
    """The layout in which datumaro looks for COCO annotations."""
    folder = work / file.stem
    (folder / "annotations").mkdir(parents=True)
    shutil.copy(file, folder / "annotations" / "instances_train.json")
    stills(folder / "images" / "train", first=0)
    return folder


def check(name: str, path: Path, form: str, *, kind: AnnotationType, count: int) -> bool:
    """Whether a file has as many annotations as were written, and the first box where it was."""
    found = [
        (item.id, annotation)
        for item in Dataset.import_from(str(path), form)
        for annotation in item.annotations
        if annotation.type == kind and not annotation.attributes.get("outside")  # where a track pauses
    ]
    boxes = [annotation.get_bbox() for _, annotation in found]
    is_there = kind is not AnnotationType.bbox or any(
        all(abs(one - other) < 0.01 for one, other in zip(box, FIRST_BOX, strict=True)) for box in boxes
    )
    is_good = len(found) == count and is_there
    print(f"{'good' if is_good else 'BAD '}  {name}: {len(found)} of {count} annotations as {form}")
    return is_good


def main() -> int:
    samples = Path(sys.argv[1])
    boxes, masks = AnnotationType.bbox, AnnotationType.mask
    stills(samples / "mot" / "img1", first=1)
    stills(samples / "yolo" / "images", first=0)
    with TemporaryDirectory() as name:
        work = Path(name)
        plain, video, instances = (
            as_coco_folder(samples / file, work) for file in ("boxes.json", "boxes.cocovid.json", "instances.json")
        )
        results = [
            check("CVAT for video", samples / "boxes.xml", "cvat", kind=boxes, count=BOXES),
            check("COCO", plain, "coco_instances", kind=boxes, count=BOXES),
            check("CocoVID", video, "coco_instances", kind=boxes, count=BOXES),
            check("COCO with instance masks", instances, "coco_instances", kind=masks, count=BOXES),
            check("MOT", samples / "mot", "mot_seq", kind=boxes, count=BOXES),
            check("YOLO", samples / "yolo", "yolo", kind=boxes, count=BOXES),
        ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
