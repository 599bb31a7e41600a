"""ImageNet VID and DET as they are distributed: a folder of XML files beside a folder of pictures. Only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse

from dffcli.categories import IMAGENET_VID
from dffcli.core.types import Task
from dffcli.errors import DataError
from dffcli.formats.numbers import MAX_ID, picture_size, printable, real, whole
from dffcli.formats.pictures import size_of_picture
from dffcli.formats.reading import Annotated, Reading, sequence_read, understanding
from dffcli.formats.record import Annotation, FrameRecord, Sequence

PICTURE_SUFFIX = ".JPEG"
_WORDNET = (
    "n02691156|n02419796|n02131653|n02834778|n01503061|n02924116|n02958343|n02402425|n02084071|n02121808|n02503517|"
    "n02118333|n02510455|n02342885|n02374451|n02129165|n01674464|n02484322|n03790512|n02324045|n02509815|n02411705|"
    "n01726692|n02355227|n02129604|n04468005|n01662784|n04530566|n02062744|n02391049"
)
WORDNET = tuple(_WORDNET.split("|"))
"""ImageNet VID's 30 categories by their WordNet ids, in the challenge's order."""

_IDS = {item.name: item.id for item in IMAGENET_VID} | {name: number for number, name in enumerate(WORDNET, 1)}


def is_imagenet_layout(folder: Path) -> bool:
    """Whether the folder has `Annotations/` and `Data/`."""
    return (folder / "Annotations").is_dir() and (folder / "Data").is_dir()


def read(reading: Reading) -> list[Annotated]:
    """Every XML file under `Annotations/` with its picture at the same place under `Data/`.

    Under a path with `VID` in it a folder of files is a video, its frames in the order of their names, and a frame
    without objects is a labelled one; elsewhere every file is a still. Categories are VID's 30, numbered from 1, by
    their WordNet id or name; objects of other categories (DET has 200) are lost, and counted.

    Args:
        reading: the folder, and what the user says of it.

    Raises:
        DataError: no XML file there, one that cannot be read, or a picture is missing.
    """
    path = reading.path
    with understanding(path):
        annotations, data = path / "Annotations", path / "Data"
        files = sorted(annotations.rglob("*.xml"))
        if not files:
            raise DataError(f"{annotations}: no XML files there")
        reading.check("files", len(files), reading.budget.files)
        groups: dict[str, list[tuple[Path, Path]]] = {}
        videos: set[str] = set()
        for file in files:
            relative = file.relative_to(annotations)
            picture = (data / relative).with_suffix(PICTURE_SUFFIX)
            if not picture.is_file():
                raise DataError(f"{file}: its picture {picture} is missing")
            is_video = "VID" in path.name or "VID" in relative.parts
            name = relative.parent if is_video else relative.with_suffix("")
            groups.setdefault(name.as_posix(), []).append((file, picture.relative_to(data)))
            if is_video:
                videos.add(name.as_posix())
        return [_annotated(reading, name, members, is_video=name in videos) for name, members in groups.items()]


def _annotated(reading: Reading, name: str, members: list[tuple[Path, Path]], *, is_video: bool) -> Annotated:
    size = _size(_root(reading, members[0][0]), reading.path / "Data" / members[0][1])
    sequence = sequence_read(
        name,
        size,
        Task.DETECT,
        IMAGENET_VID,
        rate=reading.given.rate,
        frame_names=tuple(picture.as_posix() for _, picture in members),
        is_video=is_video,
    )
    return Annotated(sequence, _records(reading, sequence, members))


def _records(reading: Reading, sequence: Sequence, members: list[tuple[Path, Path]]) -> Iterator[FrameRecord]:
    for index, (file, picture) in enumerate(members):
        with understanding(file):
            root = _root(reading, file)
            found = [_object(item, reading, file) for item in root.iter("object")]
            objects = tuple(item for item in found if item is not None)
            size = _size(root, reading.path / "Data" / picture)
        place = reading.path / "Data" / picture
        yield FrameRecord(index, size, index / sequence.rate, objects, name=picture.as_posix(), picture=place)


def _root(reading: Reading, file: Path) -> Element:
    with understanding(file):
        root: Element = parse(reading.check_file(file), forbid_dtd=True).getroot()
    return root


def _size(root: Element, picture: Path) -> tuple[int, int]:
    if root.findtext("size/width") and root.findtext("size/height"):
        return picture_size(root.findtext("size/height"), root.findtext("size/width"))
    return size_of_picture(picture)


def _object(item: Element, reading: Reading, file: Path) -> Annotation | None:
    name = printable(item.findtext("name") or "")
    category = _IDS.get(name)
    if category is None:
        what = "objects of categories that are not among ImageNet VID's 30"
        reading.account.lose_object("other-categories", what, f"{file.name}, {name}")
        return None
    x1, y1, x2, y2 = (real(item.findtext(f"bndbox/{side}"), what=side) for side in ("xmin", "ymin", "xmax", "ymax"))
    track = item.findtext("trackid")
    return Annotation(
        category,
        (x1, y1, x2 + 1, y2 + 1),  # the last pixel belongs to it
        track=whole(track, what="trackid", most=MAX_ID) if track else None,
    )
