"""Entry of the registry: the bundled street segmenter."""

from dffcli.core.task import Task
from dffcli.models.registry import ModelEntry

ENTRIES: tuple[ModelEntry, ...] = (
    ModelEntry(
        name="street-seg",
        task=Task.SEGMENT,
        builder="dffcli.models.street.segmenter_model:build",
        category_set="camvid",
        split_point="after the 1x1 classifier, which commutes with the warp: logits at stride 4; the head is "
        "the label map",
        weights_source="bundled; made by `dff train segment` from NanoDet-g's backbone (weights/README.md)",
        weights_file="street-seg.safetensors",
        weights_bytes=7_517_532,
        license="MIT (code); backbone Apache-2.0 (weights/licenses/nanodet-g.txt); trained on CamVid and other "
        "research data, see weights/README.md",
        is_bundled=True,
    ),
)
