"""Entry of the registry: the bundled detector."""

from dffcli.core.task import Task
from dffcli.models.registry import ModelEntry

ENTRIES: tuple[ModelEntry, ...] = (
    ModelEntry(
        name="coco-det",
        task=Task.DETECT,
        builder="dffcli.models.coco_det.build:build",
        category_set="coco",
        split_point="after the last convolutions: 80 class logits and 4 distances at strides 8, 16 and "
        "32; the task network chooses the best cells, then NMS",
        weights_source="bundled; NanoDet-g (Apache-2.0), see weights/README.md",
        weights_file="coco-det.safetensors",
        weights_bytes=7_590_200,
        license="Apache-2.0 (weights/licenses/nanodet-g.txt); trained on COCO, see weights/README.md",
        is_bundled=True,
        accuracy="AP50 48 on 83 pictures of COCO val2017 (person 64, vehicles 55, animals 84, rooms and food 35)",
    ),
)
