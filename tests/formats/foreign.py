"""Small files as other tools write them, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dffcli.formats.convert import Converted, ConvertOptions, convert
from dffcli.formats.reading import Given
from dffcli.formats.sink import OutputOptions

CATEGORIES = [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}]


def coco_file(path: Path, annotations: Iterable[dict[str, Any]], images: Any = 1, **more: Any) -> Path:
    """A COCO file of 64 x 48 pictures; annotations are of class 1 and on picture 1 unless they say otherwise."""
    if isinstance(images, int):
        images = [f"{number}.jpg" for number in range(images)]
    listed = [
        image if isinstance(image, dict) else {"id": number, "file_name": image, "width": 64, "height": 48}
        for number, image in enumerate(images, start=1)
    ]
    common = {"image_id": 1, "category_id": 1}
    entries = [{"id": number, **common, **entry} for number, entry in enumerate(annotations, start=1)]
    data = {"images": listed, "annotations": entries, "categories": CATEGORIES} | more
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def cvat_file(path: Path, body: str, *, size: int = 10, meta: str = "") -> Path:
    """A CVAT file of one task of 64 x 48 pictures."""
    labels = "<label><name>car</name><attributes/></label><label><name>person</name></label>"
    path.write_text(
        f"<annotations><version>1.1</version><meta><task><id>1</id><name>clip</name><size>{size}</size>"
        f"<start_frame>0</start_frame><stop_frame>{size - 1}</stop_frame><frame_filter></frame_filter>"
        f"<labels>{labels}</labels><original_size><width>64</width><height>48</height></original_size>"
        f"</task>{meta}</meta>{body}</annotations>",
        encoding="utf-8",
    )
    return path


def box(frame: int, x: float, *, outside: int = 0, keyframe: int = 1, more: str = "") -> str:
    """A box of 10 x 10 pixels in a CVAT track."""
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" xtl="{x}" ytl="5" '
        f'xbr="{x + 10}" ybr="15" z_order="0" {more}></box>'
    )


def task(results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A Label Studio task with one annotation."""
    return {"id": 1, "data": {"video": "v.mp4"}, "annotations": [{"id": 1, "result": results}]} | more


def region(*entries: tuple[int, float, bool], label: str = "car", **more: Any) -> dict[str, Any]:
    """A track of Label Studio's: frame (from 1), left side in percent, whether it goes on."""
    sequence = [
        {"frame": frame, "enabled": goes_on, "x": x, "y": 10, "width": 10, "height": 10, "rotation": 0, "time": 0}
        for frame, x, goes_on in entries
    ]
    value = {"framesCount": 10, "duration": 0.4, "labels": [label], "sequence": sequence}
    return {"id": "x", "type": "videorectangle", "from_name": "box", "to_name": "video", "value": value} | more


def yolo_folder(path: Path, labels: dict[str, str], *, names: str = "car\nperson\n") -> Path:
    """A folder of label files by their paths, with classes.txt."""
    for name, text in labels.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    if names:
        (path / "classes.txt").write_text(names, encoding="utf-8")
    return path


SIZE_GIVEN = Given(size=(48, 64))


def converted(
    source: Path, name: str = "out.json", *, given: Given | None = None, format: str | None = None, **options: Any
) -> tuple[Converted, Path]:
    """What a conversion says of itself, and where it wrote."""
    target = source.parent / name
    output = options.pop("output", OutputOptions())
    output = replace(output, format=format, overwrite=True)
    done = convert(str(source), str(target), ConvertOptions(given=given or Given(), output=output, **options))
    return done, target


def as_coco(source: Path, *, given: Given | None = None, **options: Any) -> dict[str, Any]:
    """The COCO file made from a source."""
    data: dict[str, Any] = json.loads(converted(source, given=given, **options)[1].read_text())
    return data


def objects(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Annotations of a COCO file with the frame and the class's name in them."""
    frames = {image["id"]: image["frame_id"] for image in data["images"]}
    names = {category["id"]: category["name"] for category in data["categories"]}
    return [
        {**entry, "frame": frames[entry["image_id"]], "name": names[entry["category_id"]]}
        for entry in data["annotations"]
    ]
