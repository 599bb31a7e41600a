"""ImageNet VID and DET as they are distributed: a folder of XML files beside a folder of pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence

VID_NAMES = {
    "n02691156": "airplane",
    "n02419796": "antelope",
    "n02131653": "bear",
    "n02834778": "bicycle",
    "n01503061": "bird",
    "n02924116": "bus",
    "n02958343": "car",
    "n02402425": "cattle",
    "n02084071": "dog",
    "n02121808": "domestic cat",
    "n02503517": "elephant",
    "n02118333": "fox",
    "n02510455": "giant panda",
    "n02342885": "hamster",
    "n02374451": "horse",
    "n02129165": "lion",
    "n01674464": "lizard",
    "n02484322": "monkey",
    "n03790512": "motorcycle",
    "n02324045": "rabbit",
    "n02509815": "red panda",
    "n02411705": "sheep",
    "n01726692": "snake",
    "n02355227": "squirrel",
    "n02129604": "tiger",
    "n04468005": "train",
    "n01662784": "turtle",
    "n04530566": "watercraft",
    "n02062744": "whale",
    "n02391049": "zebra",
}
"""ImageNet VID's 30 categories: WordNet id to name, in the challenge's order."""

PICTURE_SUFFIX = ".JPEG"


def is_imagenet_layout(folder: Path) -> bool:
    """Whether the folder has `Annotations/` and `Data/`."""
    return (folder / "Annotations").is_dir() and (folder / "Data").is_dir()


def read_imagenet(folder: Path) -> DetectionData:
    """Every XML file under `Annotations/` with its picture at the same place under `Data/`.

    Under a path with `VID` in it a folder of files is a video, its frames in the order of their names, and a frame
    without objects is a labelled one; elsewhere every file is a still. Categories are VID's 30, numbered from 1, by
    their WordNet id or name; objects of other categories (DET has 200) are dropped.

    Raises:
        DataError: no XML file there, one that cannot be read, or a picture is missing.
    """
    annotations, data = folder / "Annotations", folder / "Data"
    files = sorted(annotations.rglob("*.xml"))
    if not files:
        raise DataError(f"{annotations}: no XML files there")
    ids = {name: number for number, name in enumerate(VID_NAMES.values(), 1)}
    ids |= {wordnet: number for number, wordnet in enumerate(VID_NAMES, 1)}
    groups: dict[str, list[LabelledFrame]] = {}
    for file in files:
        relative = file.relative_to(annotations)
        picture = (data / relative).with_suffix(PICTURE_SUFFIX)
        if not picture.is_file():
            raise DataError(f"{file}: its picture {picture} is missing")
        is_video = "VID" in folder.name or "VID" in relative.parts
        name = relative.parent if is_video else relative.with_suffix("")
        groups.setdefault(str(name), []).append(LabelledFrame(picture, _labels(file, ids)))
    sequences = tuple(LabelledSequence(name, tuple(frames)) for name, frames in groups.items())
    return DetectionData(sequences, tuple(enumerate(VID_NAMES.values(), 1)))


def _labels(file: Path, ids: dict[str, int]) -> BoxLabels:
    boxes, categories, tracks = [], [], []
    try:
        for item in ET.parse(file).getroot().iter("object"):
            category = ids.get((item.findtext("name") or "").strip())
            if category is None:
                continue
            corners = [float(item.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")]
            boxes.append([corners[0], corners[1], corners[2] + 1, corners[3] + 1])  # the last pixel belongs to it
            categories.append(category)
            tracks.append(int(item.findtext("trackid") or -1))
    except (ET.ParseError, ValueError) as error:
        raise DataError(f"{file}: not an ImageNet annotation: {error}") from error
    return BoxLabels.from_rows(boxes, categories, track_ids=tracks)
