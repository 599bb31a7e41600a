"""Names of outputs and what they ask for."""

import pytest

from dffcli.core.types import Task
from dffcli.errors import OutputError
from dffcli.formats.registry import FORMATS, check_fit, output_format, output_formats

BY_NAME = {
    "a.mp4": "video",
    "a.MKV": "video",
    "a.json": "coco",
    "a.results.json": "coco-results",
    "a.cocovid.json": "cocovid",
    "a.b.json": "coco",
    "a.ytvis.json": "youtube-vis",
    "a.label-studio.json": "label-studio",
    "a.xml": "cvat",
    "a.txt": "mot",
    "masks": "masks",
    "masks.v2/": "masks",
}


@pytest.mark.parametrize(("path", "name"), BY_NAME.items())
def test_a_name_says_its_format(path: str, name: str) -> None:
    assert output_format(path) == name
    assert name in FORMATS


@pytest.mark.parametrize(
    ("path", "format"), [("a.doc", None), ("a.json", "yolo"), ("folder", "cvat"), ("a.json", "nonsense"), ("a.", None)]
)
def test_a_name_that_does_not_fit_is_refused(path: str, format: str | None) -> None:
    if path == "a.":
        assert output_format(path) == "masks"
        return
    with pytest.raises(OutputError):
        output_format(path, format=format)


def test_the_format_is_for_what_is_not_a_video() -> None:
    assert output_formats(("a.mp4", "boxes"), format="yolo") == ["video", "yolo"]
    with pytest.raises(OutputError):
        output_formats(("a.mp4",), format="yolo")


@pytest.mark.parametrize("name", ["masks", "youtube-vis"])
def test_a_box_model_is_refused_where_masks_are_needed(name: str) -> None:
    with pytest.raises(OutputError, match=r"boxes alone.*maskrcnn"):
        check_fit("x", name, task=Task.DETECT, has_masks=False, model="ssd")
    check_fit("x", name, task=Task.DETECT, has_masks=True, model="maskrcnn")


def test_a_segmenter_is_refused_where_boxes_are_needed() -> None:
    with pytest.raises(OutputError, match="every pixel"):
        check_fit("x.txt", "mot", task=Task.SEGMENT, has_masks=False, model="street-seg")
