"""Entries of the registry: torchvision's segmenters and detectors."""

from dffcli.models.registry import ModelEntry
from dffcli.types import Task

URL = "https://download.pytorch.org/models/"
LICENSE = "BSD-3-Clause (torchvision); weights trained on COCO images, which keep their Flickr terms of use"

DEEPLAB_CUT = "right before the classifier: 256 channels at stride {}; the task network is one 1x1 convolution"
FCN_CUT = "right before the classifier: 512 channels at stride 8; the task network is one 1x1 convolution"
LRASPP_CUT = (
    "at the logits, 21 channels at stride 8 (beyond the backbone all is linear); nothing is left but the label map"
)


def _segmenter(name: str, file: str, size: int, miou: float, cut: str) -> ModelEntry:
    return ModelEntry(
        name=name,
        task=Task.SEGMENT,
        builder="dffcli.models.torchvision_segmenters:build",
        category_set="voc",
        cut=cut,
        weights_source="torchvision (COCO images with Pascal VOC's classes), downloaded on first use",
        weights_file=file,
        weights_bytes=size,
        license=LICENSE,
        weights_url=URL + file,
        accuracy=f"mean IoU {miou} on COCO val2017 with VOC labels",
    )


ENTRIES: tuple[ModelEntry, ...] = (
    _segmenter(
        "deeplabv3_resnet101", "deeplabv3_resnet101_coco-586e9e4e.pth", 244_545_000, 67.4, DEEPLAB_CUT.format(8)
    ),
    _segmenter("deeplabv3_resnet50", "deeplabv3_resnet50_coco-cd0a2569.pth", 168_312_000, 66.4, DEEPLAB_CUT.format(8)),
    _segmenter(
        "deeplabv3_mobilenet_v3_large",
        "deeplabv3_mobilenet_v3_large-fc3c493d.pth",
        44_356_000,
        60.3,
        DEEPLAB_CUT.format(16),
    ),
    _segmenter("fcn_resnet101", "fcn_resnet101_coco-7ecb50ca.pth", 217_797_000, 63.7, FCN_CUT),
    _segmenter("fcn_resnet50", "fcn_resnet50_coco-1167a1af.pth", 141_567_000, 60.5, FCN_CUT),
    _segmenter("lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large-d234d4ea.pth", 13_097_000, 57.9, LRASPP_CUT),
)
