"""Which network a weights file is of, told from the names of its tensors, before torch is loaded."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from pathlib import Path

NAMES_LIMIT = 64_000_000  # bytes of a file that are looked through for names
NAME = re.compile(rb"[A-Za-z_][\w]*(?:\.[\w]+)+")
PUBLISHED = ("street-seg", "coco-det")


def recognise(path: Path) -> str | None:
    """The name that `--model` takes for the network a file holds; None where no network dff knows has such names.

    Two networks with the same tensors (Faster R-CNN on MobileNet at its two input sizes) cannot be told apart: the
    first of them is named.
    """
    try:
        kind, names = _safetensors_names(path) if path.suffix == ".safetensors" else (None, _pickle_names(path))
    except (OSError, ValueError, struct.error, zipfile.BadZipFile, KeyError, RecursionError):
        return None  # what is wrong with the file is said where it is read
    if kind in PUBLISHED:
        return kind
    return _torchvision_name(" " + " ".join(names) + " ")


def _torchvision_name(names: str) -> str | None:
    """From all names between blanks; what stands before a known part (`module.`, `model.`) does not matter."""

    def has(part: str) -> bool:
        return part in names

    resnet = "resnet50" if has("body.layer4.") else None
    mobile = "mobilenet_v3_large" if has("body.16.") else None
    if has("roi_heads.box_predictor."):
        kind = "maskrcnn" if has("roi_heads.mask_predictor.") else "fasterrcnn"
        if mobile and kind == "fasterrcnn":
            return "fasterrcnn_mobilenet_v3_large_fpn"
        second = "_v2" if has("rpn.head.conv.1.") else ""
        return f"{kind}_{resnet}_fpn{second}" if resnet else None
    if has("head.classification_head.cls_logits."):
        if has("head.regression_head.bbox_ctrness."):
            return f"fcos_{resnet}_fpn" if resnet else None
        second = "_v2" if has("head.classification_head.conv.0.1.") else ""
        return f"retinanet_{resnet}_fpn{second}" if resnet else None
    if has("head.classification_head.module_list.0.0."):
        return "ssdlite320_mobilenet_v3_large"
    if has("head.classification_head.module_list.0."):
        return "ssd300_vgg16"
    if has("classifier.low_classifier."):
        return "lraspp_mobilenet_v3_large"
    if has("classifier.4.") and has("backbone."):
        kind = "deeplabv3" if has("classifier.0.convs.") else "fcn"
        if has("backbone.layer3."):
            return f"{kind}_resnet101" if has("backbone.layer3.22.") else f"{kind}_resnet50"
        return "deeplabv3_mobilenet_v3_large" if kind == "deeplabv3" and has("backbone.16.") else None
    return None


def _safetensors_names(path: Path) -> tuple[str | None, list[str]]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > NAMES_LIMIT:
            raise ValueError("header too long")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", None) or {}
    return metadata.get("kind"), [str(name) for name in header]


def _pickle_names(path: Path) -> list[str]:
    """Everything in the pickle that looks like a tensor's name; nothing of it is run."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inner = next(name for name in [*archive.namelist(), ""] if name.endswith("data.pkl") or not name)
            with archive.open(inner) as file:
                data = file.read(NAMES_LIMIT)
    else:
        with path.open("rb") as file:
            data = file.read(NAMES_LIMIT)
    return sorted({match.decode() for match in NAME.findall(data)})
