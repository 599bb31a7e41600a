"""Entries of the registry: torchvision's segmenters and detectors."""

from dffcli.core.task import Task
from dffcli.models.registry import ModelEntry

URL = "https://download.pytorch.org/models/"
LICENSE = "BSD-3-Clause (torchvision); weights trained on COCO images, which keep their Flickr terms of use"

SEGMENTER_SPLIT = (
    "behind the 1x1 classifier, which commutes with the warp: logits at stride {}; the head is the label map"
)
RETINA_SPLIT = "behind the heads: class logits and box regressions at strides 8 to 128; the task network decodes them"
FCOS_SPLIT = "behind the heads: class logits, side distances and centerness at strides 8 to 128, to be decoded"
SSD_SPLIT = "behind the heads: class logits and box regressions of six levels; the task network decodes them"
TWO_STAGE_SPLIT = (
    "behind the region proposal network: its outputs and the pyramid; the task network is the second stage, "
    "which sees fewer proposals on propagated frames"
)


def _segmenter(name: str, file: str, size: int, miou: float, split_point: str) -> ModelEntry:
    return ModelEntry(
        name=name,
        task=Task.SEGMENT,
        builder="dffcli.models.torchvision.segmenters:build",
        category_set="voc",
        split_point=split_point,
        weights_source="torchvision (COCO images with Pascal VOC's classes), downloaded on first use",
        weights_file=file,
        weights_bytes=size,
        license=LICENSE,
        takes_class_names=True,
        weights_url=URL + file,
        accuracy=f"mean IoU {miou} on COCO val2017 with VOC labels",
    )


def _detector(
    name: str, kind: str, file: str, size: int, box_ap: float, split_point: str, *, mask_ap: float = 0
) -> ModelEntry:
    masks = f", mask AP {mask_ap}" if mask_ap else ""
    return ModelEntry(
        name=name,
        task=Task.DETECT,
        builder=f"dffcli.models.torchvision.{kind}:build",
        category_set="coco",
        split_point=split_point,
        weights_source="torchvision (COCO), downloaded on first use",
        weights_file=file,
        weights_bytes=size,
        license=LICENSE,
        takes_class_names=True,
        gives_masks=bool(mask_ap),
        weights_url=URL + file,
        accuracy=f"box AP {box_ap}{masks} on COCO val2017",
    )


ENTRIES: tuple[ModelEntry, ...] = (
    _segmenter(
        "deeplabv3_resnet101", "deeplabv3_resnet101_coco-586e9e4e.pth", 244_545_000, 67.4, SEGMENTER_SPLIT.format(8)
    ),
    _segmenter(
        "deeplabv3_resnet50", "deeplabv3_resnet50_coco-cd0a2569.pth", 168_312_000, 66.4, SEGMENTER_SPLIT.format(8)
    ),
    _segmenter(
        "deeplabv3_mobilenet_v3_large",
        "deeplabv3_mobilenet_v3_large-fc3c493d.pth",
        44_356_000,
        60.3,
        SEGMENTER_SPLIT.format(16),
    ),
    _segmenter("fcn_resnet101", "fcn_resnet101_coco-7ecb50ca.pth", 217_797_000, 63.7, SEGMENTER_SPLIT.format(8)),
    _segmenter("fcn_resnet50", "fcn_resnet50_coco-1167a1af.pth", 141_567_000, 60.5, SEGMENTER_SPLIT.format(8)),
    _segmenter(
        "lraspp_mobilenet_v3_large",
        "lraspp_mobilenet_v3_large-d234d4ea.pth",
        13_097_000,
        57.9,
        SEGMENTER_SPLIT.format(8),
    ),
    _detector(
        "fasterrcnn_resnet50_fpn",
        "two_stage",
        "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
        167_503_000,
        37.0,
        TWO_STAGE_SPLIT,
    ),
    _detector(
        "fasterrcnn_resnet50_fpn_v2",
        "two_stage",
        "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
        175_221_000,
        46.7,
        TWO_STAGE_SPLIT,
    ),
    _detector(
        "fasterrcnn_mobilenet_v3_large_fpn",
        "two_stage",
        "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth",
        77_845_000,
        32.8,
        TWO_STAGE_SPLIT,
    ),
    _detector(
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "two_stage",
        "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth",
        77_845_000,
        22.8,
        TWO_STAGE_SPLIT,
    ),
    _detector(
        "maskrcnn_resnet50_fpn",
        "two_stage",
        "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        178_090_000,
        37.9,
        TWO_STAGE_SPLIT,
        mask_ap=34.6,
    ),
    _detector(
        "maskrcnn_resnet50_fpn_v2",
        "two_stage",
        "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        185_828_000,
        47.4,
        TWO_STAGE_SPLIT,
        mask_ap=41.8,
    ),
    _detector(
        "retinanet_resnet50_fpn", "dense", "retinanet_resnet50_fpn_coco-eeacb38b.pth", 136_595_000, 36.4, RETINA_SPLIT
    ),
    _detector(
        "retinanet_resnet50_fpn_v2",
        "dense",
        "retinanet_resnet50_fpn_v2_coco-5905b1c5.pth",
        153_131_000,
        41.5,
        RETINA_SPLIT,
    ),
    _detector("fcos_resnet50_fpn", "dense", "fcos_resnet50_fpn_coco-99b0c9b7.pth", 129_612_000, 39.2, FCOS_SPLIT),
    _detector("ssd300_vgg16", "dense", "ssd300_vgg16_coco-b556d3b4.pth", 142_594_000, 25.1, SSD_SPLIT),
    _detector(
        "ssdlite320_mobilenet_v3_large",
        "dense",
        "ssdlite320_mobilenet_v3_large_coco-a79551df.pth",
        14_070_000,
        21.3,
        SSD_SPLIT,
    ),
)
