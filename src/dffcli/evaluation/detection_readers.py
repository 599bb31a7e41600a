"""Detection data sets from their files, whatever their layout: `read_detection_data(path)`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.evaluation.imagenet_vid import is_imagenet_layout, read_imagenet

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
PERSON = (1, "person")


def read_detection_data(path: Path, *, images: Path | None = None, names: Sequence[str] = ()) -> DetectionData:
    """Read a data set, finding out what it is.

    Args:
        path: a COCO or CocoVID JSON file, or a folder in ImageNet VID/DET's layout, MOTChallenge's (`gt/gt.txt` and
            `img1/`) or YOLO's (`images/` and `labels/`).
        images: the folder a JSON file's `file_name`s are relative to; by default `images/` beside it where there is
            one, else the folder it lies in.
        names: class names of a YOLO folder, in their order.

    Raises:
        DataError: it is none of these, or broken.
    """
    if path.is_file():
        default = path.parent / "images"
        return read_coco(path, images or (default if default.is_dir() else path.parent))
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    if (path / "gt" / "gt.txt").is_file():
        return read_mot(path)
    if (path / "labels").is_dir():
        return read_yolo(path / "labels", images or path / "images", names=names)
    if is_imagenet_layout(path):
        return read_imagenet(path)
    raise DataError(
        f"{path}: expected a COCO JSON file, or a folder with Annotations/ and Data/ (ImageNet), "
        "gt/gt.txt (MOT), or labels/ and images/ (YOLO)"
    )


def read_coco(path: Path, images: Path) -> DetectionData:
    """COCO JSON, or CocoVID JSON where it has `videos` (pictures then have `video_id` and `frame_id`).

    A `score` beside a box is taken as the labeller's confidence; `iscrowd` or `ignore` make a box ignored.

    Raises:
        DataError: the file is missing or not COCO JSON.
    """
    content = _load_json(path)
    try:
        categories = tuple((int(c["id"]), str(c["name"])) for c in content["categories"])
        rows: dict[Any, list[dict[str, Any]]] = {}
        for row in content.get("annotations", ()):
            rows.setdefault(row["image_id"], []).append(row)
        videos: dict[Any, list[dict[str, Any]]] = {v["id"]: [] for v in content.get("videos", ())}
        names = {v["id"]: str(v.get("name", v["id"])) for v in content.get("videos", ())}
        stills = []
        for image in content["images"]:
            if image.get("video_id") is None:
                stills.append(image)
            else:
                videos[image["video_id"]].append(image)
        sequences = [
            LabelledSequence(str(i["file_name"]), (_coco_frame(i, rows.pop(i["id"], []), images),)) for i in stills
        ]
        for video, members in videos.items():
            members.sort(key=lambda image: int(image.get("frame_id", image["id"])))
            frames = tuple(_coco_frame(image, rows.pop(image["id"], []), images) for image in members)
            sequences.append(LabelledSequence(names[video], frames))
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not COCO JSON: {type(error).__name__}: {error}") from error
    if rows:
        raise DataError(f"{path}: annotations belong to picture {next(iter(rows))}, which `images` does not have")
    if not sequences:
        raise DataError(f"{path}: holds no pictures")
    return DetectionData(tuple(sequences), categories)


def _coco_frame(image: dict[str, Any], rows: list[dict[str, Any]], images: Path) -> LabelledFrame:
    boxes = [[float(v) for v in row["bbox"]] for row in rows]
    if any(len(box) != 4 for box in boxes):
        raise ValueError(f"a box of picture {image['id']} has not four numbers")
    labels = BoxLabels.from_rows(
        [[x, y, x + w, y + h] for x, y, w, h in boxes],
        [row["category_id"] for row in rows],
        confidences=[row.get("score", 1.0) for row in rows],
        is_ignored=[bool(row.get("iscrowd") or row.get("ignore")) for row in rows],
        track_ids=[row.get("instance_id", row.get("track_id", -1)) for row in rows],
    )
    is_labelled = bool(image.get("is_vid_train_frame", True))
    return LabelledFrame(images / str(image["file_name"]), labels if is_labelled else None)


def read_yolo(labels: Path, images: Path, *, names: Sequence[str] = ()) -> DetectionData:
    """YOLO's layout: a picture `images/X.jpg`, its boxes `labels/X.txt` (class, then centre and size as shares).

    A picture without a text file has no objects; folders within `images` (train, val) are repeated within `labels`.

    Raises:
        DataError: a line is not five numbers, or a class has no name.
    """
    pictures = sorted(p for p in images.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise DataError(f"{images}: no pictures there")
    sequences, highest = [], -1
    for picture in pictures:
        source = labels / picture.relative_to(images).with_suffix(".txt")
        rows = _number_rows(source, columns=5) if source.is_file() else []
        if rows:
            height, width = _picture_size(picture)
            highest = max(highest, *(int(row[0]) for row in rows))
        boxes = [
            [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
            for _, x, y, w, h in rows
        ]
        found = BoxLabels.from_rows(boxes, [int(row[0]) for row in rows])
        sequences.append(LabelledSequence(str(picture.relative_to(images)), (LabelledFrame(picture, found),)))
    if names and highest >= len(names):
        raise DataError(f"{labels}: class {highest} occurs, but only {len(names)} names are given")
    if not names:
        raise DataError(f"{labels}: the classes need names: give a file with one a line (names=FILE)")
    return DetectionData(tuple(sequences), tuple(enumerate(names)))


def read_mot(folder: Path) -> DetectionData:
    """MOTChallenge's layout: `img1/000001.jpg` ... and `gt/gt.txt` (frame, id, x, y, w, h, counts, class ...).

    Persons only. Rows whose seventh number is 0 are ignored regions.

    Raises:
        DataError: a line is not numbers, or names a frame that is not there.
    """
    path = folder / "gt" / "gt.txt"
    pictures = sorted(p for p in (folder / "img1").glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise DataError(f"{folder / 'img1'}: no pictures there")
    numbers = {_frame_number(picture): picture for picture in pictures}
    rows: dict[int, list[list[float]]] = {number: [] for number in numbers}
    for row in _number_rows(path, columns=6, at_least=True):
        if int(row[0]) not in rows:
            raise DataError(f"{path}: frame {int(row[0])} is labelled, but {folder / 'img1'} has no such picture")
        rows[int(row[0])].append(row)
    frames = []
    for number in sorted(numbers):
        mine = rows[number]
        labels = BoxLabels.from_rows(
            [[r[2], r[3], r[2] + r[4], r[3] + r[5]] for r in mine],
            [PERSON[0]] * len(mine),
            is_ignored=[len(r) > 6 and r[6] == 0 for r in mine],
            track_ids=[int(r[1]) for r in mine],
        )
        frames.append(LabelledFrame(numbers[number], labels))
    return DetectionData((LabelledSequence(folder.name, tuple(frames)),), (PERSON,))


def _frame_number(picture: Path) -> int:
    try:
        return int(picture.stem)
    except ValueError as error:
        raise DataError(f"{picture}: expected a name that is a frame number, such as 000001.jpg") from error


def _number_rows(path: Path, *, columns: int, at_least: bool = False) -> list[list[float]]:
    """Rows of numbers, separated by commas or blanks."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(value) for value in line.replace(",", " ").split()]
        except ValueError as error:
            raise DataError(f"{path}:{number}: expected {columns} numbers, got {line[:40]!r}") from error
        if len(row) < columns or (len(row) > columns and not at_least):
            raise DataError(f"{path}:{number}: expected {columns} numbers, got {len(row)}")
        rows.append(row)
    return rows


def _picture_size(path: Path) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path}: not a readable picture") from error


def _load_json(path: Path) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict) or not {"images", "categories"} <= content.keys():
        raise DataError(f"{path}: expected COCO JSON with `images`, `annotations` and `categories`")
    return content
