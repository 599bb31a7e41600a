"""What other tools make of our files: motmetrics, supervision; and the letter of formats whose tools are too heavy.

`benchmarks/read_back.py` asks datumaro, which wants other versions of what we stand on. Label Studio and
YouTube-VIS are held to the letter of their formats here.
"""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import motmetrics
import numpy as np
import pytest
import supervision as sv

from dffcli.core.types import Task
from dffcli.formats.mot.layout import SEQUENCE_FILE
from tests.formats.samples import SIZE, box_records, map_records, sequence_of, write


@pytest.mark.filterwarnings("ignore")  # motmetrics is older than the pandas it runs on
def test_motmetrics_finds_the_same_boxes_and_tracks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", box_records(), sequence_of(Task.DETECT))
    table = motmetrics.io.loadtxt(str(path), fmt=motmetrics.io.Format.MOT16)
    assert sorted(set(table.index.get_level_values("Id"))) == [3, 7]
    first = table.loc[(1, 7)]
    assert [first["X"], first["Y"], first["Width"], first["Height"]] == [3.25, 9.5, 8.0, 20.0]  # it takes a pixel off
    assert first["ClassId"] == 1
    accumulator = motmetrics.utils.compare_to_groundtruth(table, table, "euc", distth=0.5)
    summary = motmetrics.metrics.create().compute(accumulator, metrics=["idf1", "mota", "num_switches"])
    assert summary.iloc[0].tolist() == [1.0, 1.0, 0]


def test_a_mot_folder_describes_its_sequence(tmp_path: Path) -> None:
    folder = write(tmp_path / "seq", box_records(), sequence_of(Task.DETECT), format="mot")
    text = (folder / SEQUENCE_FILE).read_text()
    for line in ("name=street.mp4", "frameRate=30", "seqLength=6", "imWidth=64", "imHeight=48"):
        assert line in text.splitlines()
    assert (folder / "gt" / "labels.txt").read_text() == "person\nunused2\ncar & van\n"
    assert (folder / "gt" / "gt.txt").read_text().splitlines()[0] == "1,7,4.25,10.50,8.00,20.00,0.9000,1,1"


def test_untracked_boxes_are_a_detection_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "seq", box_records(tracked=False), sequence_of(Task.DETECT), format="mot")
    line = (folder / "det" / "det.txt").read_text().splitlines()[0]
    assert line == "1,-1,4.25,10.50,8.00,20.00,0.9000,1,1"


def test_supervision_reads_the_yolo_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "yolo", box_records(), sequence_of(Task.DETECT), format="yolo")
    (folder / "images").mkdir()
    for index in range(6):
        cv2.imwrite(str(folder / "images" / f"{index:06d}.jpg"), np.zeros((*SIZE, 3), np.uint8))
    dataset = sv.DetectionDataset.from_yolo(str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml"))
    assert dataset.classes == ["person", "car & van"]
    assert len(dataset) == 6
    found = next(boxes for path, _, boxes in dataset if Path(path).stem == "000001")
    np.testing.assert_allclose(found.xyxy[0], [6.25, 10.5, 14.25, 30.5], atol=0.01)
    assert found.class_id.tolist() == [0, 1]


def test_yolo_predictions_add_confidence_and_track(tmp_path: Path) -> None:
    folder = write(tmp_path / "yolo", box_records(), sequence_of(Task.DETECT), format="yolo-results")
    line = (folder / "labels" / "000000.txt").read_text().splitlines()[1].split()
    assert (line[0], line[5], line[6]) == ("1", "0.5000", "3")


def test_cvat_tracks_hold_every_box_as_key_frame_and_end_outside(tmp_path: Path) -> None:
    root = ElementTree.parse(write(tmp_path / "a.xml", box_records(), sequence_of(Task.DETECT))).getroot()
    assert root.findtext("version") == "1.1"
    task = root.find("meta/task")
    assert task is not None
    assert int(task.findtext("size") or 0) == 6
    assert task.findtext("mode") == "interpolation"
    assert task.findtext("original_size/width") == "64"
    assert [label.findtext("name") for label in task.iter("label")] == ["person", "car & van"]
    person, car = root.findall("track")
    assert (person.get("label"), car.get("label")) == ("person", "car & van")
    boxes = car.findall("box")
    assert [(box.get("frame"), box.get("outside")) for box in boxes] == [
        ("0", "0"), ("1", "0"), ("2", "1"), ("4", "0"), ("5", "0")
    ]  # fmt: skip
    assert all(box.get("keyframe") == "1" for box in boxes)
    assert [boxes[0].get(side) for side in ("xtl", "ytl", "xbr", "ybr")] == ["30.00", "5.00", "50.75", "15.00"]


def test_untracked_cvat_shapes_last_one_frame(tmp_path: Path) -> None:
    root = ElementTree.parse(write(tmp_path / "a.xml", box_records(2, tracked=False), sequence_of(Task.DETECT)))
    spans = [[(box.get("frame"), box.get("outside")) for box in track] for track in root.findall("track")]
    assert spans == [[("0", "0"), ("1", "1")]] * 2 + [[("1", "0")]] * 2


def test_cvat_masks_are_runs_inside_their_box(tmp_path: Path) -> None:
    root = ElementTree.parse(write(tmp_path / "a.xml", map_records(1), sequence_of(Task.SEGMENT)))
    car = next(track for track in root.findall("track") if track.get("label") == "car")
    mask = car.find("mask")
    assert mask is not None
    assert [mask.get(key) for key in ("left", "top", "width", "height")] == ["10", "20", "12", "10"]
    assert mask.get("rle") == "0, 120"


def test_label_studio_regions_are_percent_and_pause_in_gaps(tmp_path: Path) -> None:
    (task,) = json.loads(write(tmp_path / "a.label-studio.json", box_records(), sequence_of(Task.DETECT)).read_text())
    _, car = task["predictions"][0]["result"]
    assert (car["type"], car["from_name"], car["to_name"]) == ("videorectangle", "box", "video")
    value = car["value"]
    assert value["labels"] == ["car & van"]
    assert value["framesCount"] == 6
    assert value["duration"] == pytest.approx(6 * 1001 / 30000, abs=1e-5)
    assert [(entry["frame"], entry["enabled"]) for entry in value["sequence"]] == [
        (1, True), (2, False), (5, True), (6, False)
    ]  # fmt: skip
    entry = value["sequence"][0]
    assert entry["x"] == pytest.approx(100 * 30 / 64, abs=1e-3)
    assert entry["height"] == pytest.approx(100 * 10 / 48, abs=1e-3)


def test_youtube_vis_has_a_mask_or_null_for_every_frame(tmp_path: Path) -> None:
    data = json.loads(
        write(tmp_path / "a.youtube-vis.json", box_records(masks=True), sequence_of(Task.DETECT)).read_text()
    )
    (video,) = data["videos"]
    assert video["length"] == len(video["file_names"]) == 6
    assert {entry["category_id"] for entry in data["annotations"]} == {1, 3}
    car = next(entry for entry in data["annotations"] if entry["category_id"] == 3)
    assert [mask is None for mask in car["segmentations"]] == [False, False, True, True, False, False]
    assert [box is None for box in car["bboxes"]] == [area is None for area in car["areas"]]
    assert len(car["areas"]) == 6
