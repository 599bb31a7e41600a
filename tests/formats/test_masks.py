"""Masks as pictures, read back with PIL and OpenCV."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dffcli.categories import Category
from dffcli.core.types import Task
from dffcli.errors import OutputError, ShapeError
from dffcli.formats.palette import cityscapes_table, voc_palette
from dffcli.formats.png import encode_png
from tests.formats.samples import STUFF, THINGS, box_records, map_records, sequence_of, write


def test_the_voc_palette_begins_as_published() -> None:
    expected = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]
    assert [tuple(color) for color in voc_palette()[:7].tolist()] == expected
    assert voc_palette()[20].tolist() == [0, 64, 128]
    assert voc_palette()[255].tolist() == [224, 224, 192]


def test_masks_are_indexed_pictures_in_the_colours_of_their_classes(tmp_path: Path) -> None:
    records = map_records()
    folder = write(tmp_path / "masks", records, sequence_of(Task.SEGMENT))
    assert sorted(path.name for path in folder.glob("*.png")) == [f"{index:06d}.png" for index in range(4)]
    with Image.open(folder / "000002.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), records[2].labels)
        assert image.convert("RGB").getpixel((0, 0)) == STUFF[0].color
    table = json.loads((folder / "classes.json").read_text())
    assert table["classes"][2] == {"id": 5, "name": "car", "color": [0, 0, 142]}
    assert table["info"]["random_weights"] is True
    rows = list(csv.DictReader((folder / "frames.csv").read_text().splitlines()))
    assert [row["time_exact"] for row in rows[:2]] == ["0", "1001/30000"]


def test_the_voc_map_can_be_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "masks", map_records(1), sequence_of(Task.SEGMENT), mask_ids="voc")
    with Image.open(folder / "000000.png") as image:
        assert image.getpalette() == voc_palette().ravel().tolist()
        assert image.getpixel((63, 47)) == 255


def test_cityscapes_label_ids_follow_the_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "masks", map_records(1), sequence_of(Task.SEGMENT), mask_ids="cityscapes")
    with Image.open(folder / "street_000000_000000_gtFine_labelIds.png") as image:
        assert image.mode == "L"
        assert image.getpixel((0, 0)) == 23  # sky
        assert image.getpixel((0, 30)) == 7  # road
        assert image.getpixel((12, 22)) == 26  # car
        assert image.getpixel((63, 47)) == 0  # unlabelled


def test_camvid_names_have_their_cityscapes_counterparts() -> None:
    names = ("pavement", "tree", "sign", "pedestrian", "bicyclist")
    table = cityscapes_table(Category(number, name, (0, 0, 0)) for number, name in enumerate(names))
    assert table[:5].tolist() == [8, 21, 20, 24, 25]


def test_classes_unknown_to_cityscapes_are_refused() -> None:
    with pytest.raises(OutputError, match="cityscapes"):
        cityscapes_table((Category(0, "cat", (0, 0, 0)),))


def test_raw_ids_have_no_palette(tmp_path: Path) -> None:
    folder = write(tmp_path / "masks", map_records(1), sequence_of(Task.SEGMENT), mask_ids="raw")
    with Image.open(folder / "000000.png") as image:
        assert image.mode == "L"
        assert image.getpixel((12, 22)) == 5


def test_instances_are_numbered_from_the_best(tmp_path: Path) -> None:
    records = box_records(masks=True, tracked=False)
    folder = write(tmp_path / "masks", records, sequence_of(Task.DETECT))
    with Image.open(folder / "000000.png") as image:
        pixels = np.asarray(image)
        assert image.mode == "P"
    for row, item in enumerate(records[0].objects):
        assert item.mask is not None
        np.testing.assert_array_equal(pixels == row + 1, item.mask.array)
    rows = list(csv.DictReader((folder / "instances.csv").read_text().splitlines()))
    assert (rows[1]["instance"], rows[1]["category"], rows[1]["score"]) == ("2", THINGS[1].name, "0.5000")


def test_tracked_instances_are_their_tracks(tmp_path: Path) -> None:
    folder = write(tmp_path / "masks", box_records(masks=True), sequence_of(Task.DETECT))
    pixels = cv2.imread(str(folder / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    assert set(np.unique(pixels)) == {0, 3, 7}


def test_boxes_alone_are_refused_with_what_would_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="maskrcnn"):
        write(tmp_path / "masks", box_records(), sequence_of(Task.DETECT))
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 7), (37, 53)])
def test_a_png_holds_what_it_was_given(tmp_path: Path, kind: type, shape: tuple[int, int]) -> None:
    labels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind)
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(labels))
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), labels)
    with Image.open(path) as image:
        image.verify()


def test_a_png_of_other_things_is_refused() -> None:
    with pytest.raises(ShapeError):
        encode_png(np.zeros((2, 2), np.int64))  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        encode_png(np.zeros((2, 2), np.uint16), palette=voc_palette())
