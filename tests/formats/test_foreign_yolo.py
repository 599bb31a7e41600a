"""YOLO folders as other tools write them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dffcli.errors import DataError, OutputError
from tests.formats.foreign import SIZE_GIVEN, as_coco, coco_file, converted, objects, yolo_folder

LINE = "0 0.5 0.5 0.25 0.5\n"  # 16 x 24 pixels in the middle of 64 x 48
PLACED = [24, 12, 16, 24]

NAMES = {
    "a list in brackets": ("nc: 2\nnames: ['light, red', 'person']\n", "light, red"),
    "a table out of order": ("names:\n  1: person\n  0: car\n", "car"),
    "a comment": ("names:\n  0: car  # the car\n  1: person\n", "car"),
    "a list without indent": ("names:\n- car\n- person\nnc: 2\n", "car"),
    "a list of training folders beside": ("train:\n  - images/a\nval: images/v\nnames:\n  0: car\n", "car"),
    "other lists beside": ("flip_idx:\n  - 0\n  - 2\nnames:\n  0: car\n", "car"),
    "a word that YAML takes for a truth": ("names: [no, yes]\n", "no"),
    "a number": ("names: {0: 007}\n", "007"),
    "quotes": ('names: ["a: b", c]\n', "a: b"),
    "a gap": ("names:\n  0: car\n  2: person\n", "car"),
    "a byte order mark": ("\ufeffnames: [car]\n", "car"),
    "another document's depth": ("roboflow:\n  a: {b: [1, {c: d}]}\nnames: [car]\n", "car"),
}


@pytest.mark.parametrize("name", NAMES)
def test_class_names_are_read_as_yaml(tmp_path: Path, name: str) -> None:
    text, wanted = NAMES[name]
    folder = yolo_folder(tmp_path / "y", {"labels/a.txt": LINE, "data.yaml": text}, names="")
    assert objects(as_coco(folder, given=SIZE_GIVEN))[0]["name"] == wanted


def test_gaps_blanks_and_doubles_keep_their_numbers(tmp_path: Path) -> None:
    labels = {"labels/a.txt": LINE.replace("0 ", "2 ", 1)}
    for number, names in enumerate(("car\n\nperson\n", "car\ncar\nperson\n", "\ufeffcar\r\nx\r\nperson\r\n")):
        folder = yolo_folder(tmp_path / str(number), labels, names=names)
        assert objects(as_coco(folder, given=SIZE_GIVEN))[0]["name"] == "person"
    labels["data.yaml"] = "names:\n  0: car\n  2: person\n"
    assert objects(as_coco(yolo_folder(tmp_path / "g", labels, names=""), given=SIZE_GIVEN))[0]["name"] == "person"


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("0 .5 .5 .1 .1 1\n0 .5 .5 .1 .1 2\n", [(None, 1), (None, 2)]),
        ("0 .5 .5 .1 .1 1\n", [(None, 1)]),
        ("0 .5 .5 .1 .1 1.0\n0 .5 .5 .1 .1 0.25\n", [(1.0, None), (0.25, None)]),
        ("0 .5 .5 .1 .1 1\n0 .5 .5 .1 .1 0.25\n", [(1.0, None), (0.25, None)]),
        ("0 .5 .5 .1 .1 0.25 7\n0 .5 .5 .1 .1 0.5 8\n", [(0.25, 7), (0.5, 8)]),
    ],
)
def test_the_sixth_column_is_a_track_if_it_is_whole_everywhere(tmp_path: Path, lines: str, wanted: object) -> None:
    data = as_coco(yolo_folder(tmp_path / "y", {"labels/a.txt": lines}), given=SIZE_GIVEN)
    assert [(entry.get("score"), entry.get("track_id")) for entry in data["annotations"]] == wanted


def test_a_sixth_column_that_is_neither_is_refused(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "y", {"labels/a.txt": "0 .5 .5 .1 .1 7\n", "labels/b.txt": "0 .5 .5 .1 .1 .5\n"})
    with pytest.raises(DataError, match=r"a\.txt, line 1: confidence: expected a number up to 1, got 7"):
        as_coco(folder, given=SIZE_GIVEN)


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (["clip_1", "clip_5", "clip_12"], [0, 4, 11]),  # Ultralytics counts from 1 and leaves empty frames out
        (["frame_000000", "frame_000010"], [0, 10]),
        (["000005", "000002"], [5, 2]),
        (["street", "alley"], [1, 0]),
    ],
)
def test_files_are_the_frames_their_names_say(tmp_path: Path, names: list[str], frames: list[int]) -> None:
    lines = {f"labels/{name}.txt": f"0 .5 .5 .1 0.{place + 1}\n" for place, name in enumerate(names)}
    data = as_coco(yolo_folder(tmp_path / "y", lines), given=SIZE_GIVEN)
    found = {item["bbox"][3]: item["frame"] for item in objects(data)}
    assert [found[round(4.8 * (place + 1), 2)] for place in range(len(names))] == frames
    assert {image["file_name"] for image in data["images"]} == {f"{name}.jpg" for name in names}


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["labels/train/a.txt", "labels/val/b.txt"], ["train/a.jpg", "val/b.jpg"]),
        (["train/labels/a.txt", "valid/labels/b.txt"], ["train/a.jpg", "valid/b.jpg"]),
        (["a.txt", "b.txt"], ["a.jpg", "b.jpg"]),
        (["labels/deep/er/a.txt"], ["deep/er/a.jpg"]),
    ],
)
def test_every_layout_is_found(tmp_path: Path, paths: list[str], names: list[str]) -> None:
    folder = yolo_folder(tmp_path / "y", dict.fromkeys(paths, LINE))
    data = as_coco(folder, given=SIZE_GIVEN)
    assert [image["file_name"] for image in data["images"]] == names
    assert [entry["bbox"] for entry in data["annotations"]] == [PLACED] * len(paths)


def test_darknet_lists_name_pictures_without_labels(tmp_path: Path) -> None:
    folder = yolo_folder(
        tmp_path / "y",
        {
            "obj_train_data/sub/a.txt": LINE,
            "train.txt": "data/obj_train_data/sub/a.PNG\ndata/obj_train_data/sub/b.PNG\n",
            "obj.data": "classes = 2\nnames = data/obj.names\n",
            "obj.names": "car\nperson\n",
        },
        names="",
    )
    data = as_coco(folder, given=SIZE_GIVEN)
    assert [image["file_name"] for image in data["images"]] == ["sub/a.PNG", "sub/b.PNG"]
    assert len(data["annotations"]) == 1


def test_sizes_and_suffixes_are_those_of_the_pictures(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "y", {"labels/a.txt": LINE, "labels/b.txt": LINE})
    (folder / "images").mkdir()
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((48, 64, 3), np.uint8))
    cv2.imwrite(str(folder / "images" / "b.jpg"), np.zeros((96, 128, 3), np.uint8))
    cv2.imwrite(str(folder / "images" / "empty.jpg"), np.zeros((10, 20, 3), np.uint8))
    data = as_coco(folder)
    assert [(image["file_name"], image["width"]) for image in data["images"]] == [
        ("a.png", 64), ("b.jpg", 128), ("empty.jpg", 20)
    ]  # fmt: skip
    assert [entry["bbox"] for entry in data["annotations"]] == [PLACED, [48, 24, 32, 48]]


@pytest.mark.parametrize(
    ("line", "points", "said"),
    [
        ("0 .25 .25 .75 .25 .75 .75 .25 .75", 4, {}),
        ("0 .25 .25 .75 .25 .75 .75", 3, {}),
        ("0 .25 .25 .75 .25 .75 .75 .25 .75 .25 .5", 5, {}),
        ("0 .25 .25 .75 .25 .75 .75 .25 .75 0.5", 4, {"score": 0.5}),
        ("0 .25 .25 .75 .25 .75 .75 .25 .75 3", 4, {"track_id": 3}),
    ],
)
def test_outlines_are_polygons(tmp_path: Path, line: str, points: int, said: dict[str, float]) -> None:
    (entry,) = as_coco(yolo_folder(tmp_path / "y", {"labels/a.txt": line}), given=SIZE_GIVEN)["annotations"]
    (polygon,) = entry["segmentation"]
    assert polygon[:6] == [16, 12, 48, 12, 48, 36]
    assert len(polygon) == 2 * points
    assert entry["bbox"] == [16, 12, 32, 24]
    assert {key: entry[key] for key in ("score", "track_id") if key in entry} == said


def test_keypoints_are_named_as_lost(tmp_path: Path) -> None:
    labels = {"labels/a.txt": "0 .5 .5 .25 .5 .1 .1 2 .2 .2 1\n", "data.yaml": "kpt_shape: [2, 3]\nnames: [car]\n"}
    done, target = converted(yolo_folder(tmp_path / "y", labels, names=""), given=SIZE_GIVEN)
    assert json.loads(target.read_text())["annotations"][0]["bbox"] == PLACED
    assert done.account.losses["keypoints"].count == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("5 .5 .5 .1 .1", "a class with a name, got 5"),
        ("0 .5 .5 .1", "expected class cx cy width height"),
        ("0 .5 .5 -.1 .1", "from 0"),
        ("0 nan .5 .1 .1", "expected a number"),
        ("0.5 .5 .5 .1 .1", "expected a whole number"),
        ("0 1e300 .5 .1 .1", "expected a number up to 10"),
    ],
)
def test_a_line_that_is_none_is_refused_by_its_place(tmp_path: Path, line: str, said: str) -> None:
    folder = yolo_folder(tmp_path / "y", {"labels/a.txt": f"{LINE}{line}\n"})
    with pytest.raises(DataError, match=rf"a\.txt, line 2: .*{said}"):
        as_coco(folder, given=SIZE_GIVEN)


def test_folders_of_pictures_keep_their_label_files_apart(tmp_path: Path) -> None:
    entries = [{"bbox": [1, 1, 10, 10]}, {"image_id": 2, "bbox": [20, 20, 10, 10]}]
    source = coco_file(tmp_path / "a.json", entries, ["cam1/000001.jpg", "cam2/000001.jpg"])
    _, folder = converted(source, "y", format="yolo")
    assert len((folder / "labels" / "cam1" / "000001.txt").read_text().splitlines()) == 1
    assert len((folder / "labels" / "cam2" / "000001.txt").read_text().splitlines()) == 1


@pytest.mark.parametrize("names", [["a.jpg", "a.png"], ["A.jpg", "a.jpg"], ["x/a.jpg", "./x/a.png"]])
def test_pictures_that_ask_for_one_label_file_are_refused(tmp_path: Path, names: list[str]) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": [1, 1, 2, 2]}], names)
    with pytest.raises(OutputError, match="would both have the file"):
        converted(source, "y", format="yolo")
    assert not (tmp_path / "y").exists()


def test_names_never_lead_out_of_the_folder(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": [1, 1, 2, 2]}], ["../../up.jpg", "/etc/root.jpg"])
    done, folder = converted(source, "y", format="yolo")
    assert sorted(path.name for path in (folder / "labels").rglob("*.txt")) == ["root.txt", "up.txt"]
    assert "names-made-safe" in done.account.changes


def test_what_lies_outside_the_picture_is_said(tmp_path: Path) -> None:
    entries = [{"bbox": [60, 10, 10, 10]}, {"bbox": [100, 10, 10, 10]}]
    done, folder = converted(coco_file(tmp_path / "a.json", entries), "y", format="yolo")
    assert (folder / "labels" / "0.txt").read_text() == "0 0.968750 0.312500 0.062500 0.208333\n"
    assert (done.account.losses["edges"].count, done.account.losses["outside"].count) == (1, 1)


def test_predictions_with_outlines_come_back(tmp_path: Path) -> None:
    polygon = [[10, 10, 30, 10, 20, 30]]
    entries = [
        {"bbox": [10, 10, 20, 20], "segmentation": polygon, "score": 0.5, "track_id": 4},
        {"bbox": [10, 10, 20, 20], "segmentation": polygon, "score": 0.25},
        {"bbox": [1, 2, 3, 4], "score": 0.75},
    ]
    _, folder = converted(coco_file(tmp_path / "a.json", entries), "y", format="yolo-results")
    found = as_coco(folder)["annotations"]
    assert [entry.get("track_id") for entry in found] == [4, None, None]
    assert [entry["score"] for entry in found] == [0.5, 0.25, 0.75]
    assert [len(entry["segmentation"]) for entry in found] == [1, 1, 0]
    assert found[0]["segmentation"][0] == pytest.approx(polygon[0], abs=0.01)
