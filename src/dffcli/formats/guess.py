"""Which format a file or folder is in, by its suffix and a look inside."""

from __future__ import annotations

from dffcli.errors import DataError
from dffcli.formats.coco.write import ANNOTATIONS_FILE
from dffcli.formats.imagenet import is_imagenet_layout
from dffcli.formats.reading import Reading
from dffcli.formats.sink import CLASSES_FILE
from dffcli.formats.tables import read_classes


def guess_format(reading: Reading) -> str:
    """The name of a format.

    Raises:
        DataError: it is none that is known.
    """
    path = reading.path
    if path.is_dir():
        return _of_folder(reading)
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return "cvat"
    if suffix == ".txt":
        return "mot"
    if suffix == ".json":
        return _of_json(reading)
    raise DataError(f"{path}: expected .json, .xml, .txt or a folder, got {suffix!r}")


def _of_folder(reading: Reading) -> str:
    path = reading.path
    if (path / CLASSES_FILE).is_file() and "mask_ids" in read_classes(path)[1]:
        return "masks"
    if any((path / kind / f"{kind}.txt").is_file() for kind in ("gt", "det")):
        return "mot"
    if (path / ANNOTATIONS_FILE).is_file():
        return "coco"
    if is_imagenet_layout(path):
        return "imagenet"
    is_yolo = (path / "labels").is_dir() or any(path.glob("*/labels")) or any(path.glob("obj*_data"))
    if is_yolo or any(path.glob("*.txt")):
        return "yolo"
    raise DataError(f"{path}: expected a folder of masks, YOLO labels, a MOT sequence or ImageNet's layout")


def _of_json(reading: Reading) -> str:
    data = reading.json()
    first = data[0] if isinstance(data, list) and data else data
    if isinstance(first, dict):
        if isinstance(data, list) and {"annotator", "annotation_id", "lead_time"} & first.keys():
            raise DataError(f"{reading.path}: Label Studio's JSON_MIN leaves out sizes and types: export as JSON")
        if "data" in first or "predictions" in first or "completions" in first:
            return "label-studio"
    if isinstance(data, list):
        return "coco-results"
    if isinstance(data, dict) and data.get("videos"):
        return "cocovid" if "images" in data else "youtube-vis"
    return "coco"
