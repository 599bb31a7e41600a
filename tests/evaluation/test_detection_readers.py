"""Tiny data sets in every layout, whole and broken."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dffcli.errors import DataError
from dffcli.evaluation.detection_readers import read_detection_data
from dffcli.evaluation.detection_source import parse_detection_source


def write_picture(path: Path, size: tuple[int, int] = (20, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))
    return path


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def coco(**changes: object) -> dict[str, object]:
    return {
        "images": [{"id": 5, "file_name": "a.jpg"}, {"id": 6, "file_name": "b.jpg"}],
        "categories": [{"id": 3, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 3, "bbox": [1, 2, 10, 5], "score": 0.4},
            {"id": 2, "image_id": 5, "category_id": 3, "bbox": [0, 0, 4, 4], "iscrowd": 1},
        ],
    } | changes


def test_coco_stills_have_corners_confidences_and_crowds(tmp_path: Path) -> None:
    data = read_detection_data(write_json(tmp_path / "a.json", coco()))
    first, second = (s.frames[0] for s in data.sequences)
    assert first.path == tmp_path / "a.jpg"
    assert first.labels is not None
    assert second.labels is not None
    assert first.labels.boxes.tolist() == [[1, 2, 11, 7], [0, 0, 4, 4]]
    assert first.labels.confidences.tolist() == pytest.approx([0.4, 1.0])
    assert first.labels.is_ignored.tolist() == [False, True]
    assert len(second.labels) == 0
    assert data.categories == ((3, "car"),)


def test_an_images_folder_beside_the_file_is_used(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    data = read_detection_data(write_json(tmp_path / "a.json", coco()))
    assert data.sequences[0].frames[0].path == tmp_path / "images" / "a.jpg"


def test_cocovid_frames_are_in_order_and_keep_their_tracks(tmp_path: Path) -> None:
    content = coco(
        videos=[{"id": 1, "name": "street"}],
        images=[
            {"id": 5, "file_name": "late.jpg", "video_id": 1, "frame_id": 1},
            {"id": 6, "file_name": "early.jpg", "video_id": 1, "frame_id": 0},
        ],
        annotations=[{"id": 1, "image_id": 5, "category_id": 3, "bbox": [1, 2, 10, 5], "instance_id": 9}],
    )
    data = read_detection_data(write_json(tmp_path / "a.json", content))
    (video,) = data.sequences
    assert video.name == "street"
    assert [frame.path.name for frame in video.frames] == ["early.jpg", "late.jpg"]
    assert video.frames[1].labels is not None
    assert video.frames[1].labels.track_ids.tolist() == [9]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "expected a COCO file"),
        (coco(annotations=[{"image_id": 99, "category_id": 3, "bbox": [0, 0, 1, 1]}]), "image 99"),
        (coco(annotations=[{"image_id": 5, "category_id": 3, "bbox": [0, 0, 1]}]), "four numbers"),
        (coco(annotations=[{"image_id": 5, "bbox": [0, 0, 1, 1]}]), "category_id"),
        (coco(images=[], annotations=[]), "holds no frames"),
        ([1, 2], "cannot be read"),
    ],
)
def test_broken_coco_names_the_file_and_what_is_wrong(tmp_path: Path, content: object, message: str) -> None:
    path = write_json(tmp_path / "broken.json", content)
    with pytest.raises(DataError, match=message) as caught:
        read_detection_data(path)
    assert "broken.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_json_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(DataError, match="not a JSON file"):
        read_detection_data(path)


def test_yolo_shares_become_pixels(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "train" / "a.jpg", (20, 40))
    write_picture(tmp_path / "images" / "train" / "empty.jpg")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    data = read_detection_data(tmp_path, names=["dog", "cat"])
    assert data.categories == ((1, "dog"), (2, "cat"))
    labels = data.sequences[0].frames[0].labels
    assert labels is not None
    assert labels.boxes.tolist() == [[10, 5, 30, 15]]
    assert labels.category_ids.tolist() == [2]
    assert len(data.labelled_frames) == 2
    with pytest.raises(DataError, match="a class with a name, got 1"):
        read_detection_data(tmp_path, names=["dog"])


def test_a_broken_yolo_line_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n0 0.5 zero\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: expected class cx"):
        read_detection_data(tmp_path, names=["dog"])


def test_mot_persons_have_identities_and_ignored_rows(tmp_path: Path) -> None:
    for number in (1, 2):
        write_picture(tmp_path / "img1" / f"{number:06}.jpg")
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt" / "gt.txt").write_text("2,7,1,2,10,5,1,1,0.8\n2,8,0,0,4,4,0,1,0.8\n")
    data = read_detection_data(tmp_path)
    first, second = data.sequences[0].frames
    assert first.labels is not None
    assert second.labels is not None
    assert len(first.labels) == 0
    assert second.labels.boxes[0].tolist() == [1, 2, 11, 7]
    assert second.labels.track_ids.tolist() == [7, 8]
    assert second.labels.is_ignored.tolist() == [False, True]
    (tmp_path / "gt" / "gt.txt").write_text("3,7,1,2,10,5\n")
    with pytest.raises(DataError, match="frame 3 is labelled"):
        read_detection_data(tmp_path)


VID_XML = """<annotation><filename>000000</filename><size><width>40</width><height>20</height></size>
<object><trackid>0</trackid><name>n02958343</name><bndbox><xmax>19</xmax><xmin>10</xmin><ymax>9</ymax><ymin>5</ymin>
</bndbox></object><object><trackid>1</trackid><name>n99999999</name><bndbox><xmax>1</xmax><xmin>0</xmin><ymax>1</ymax>
<ymin>0</ymin></bndbox></object></annotation>"""


def test_imagenet_vid_folders_are_videos(tmp_path: Path) -> None:
    for number in range(2):
        relative = Path("VID", "val", "clip", f"{number:06}")
        write_picture((tmp_path / "Data" / relative).with_suffix(".JPEG"))
        xml = (tmp_path / "Annotations" / relative).with_suffix(".xml")
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.write_text(VID_XML if number == 0 else "<annotation></annotation>")
    data = read_detection_data(tmp_path)
    (video,) = data.sequences
    assert video.name == "VID/val/clip"
    labels = video.frames[0].labels
    assert labels is not None
    assert dict(data.categories)[int(labels.category_ids[0])] == "car"
    assert labels.boxes.tolist() == [[10, 5, 20, 10]]
    assert labels.track_ids.tolist() == [0]
    assert video.frames[1].labels is not None
    assert len(video.frames[1].labels) == 0


def test_imagenet_det_files_are_stills(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_picture(tmp_path / "Data" / "DET" / "train" / f"{name}.JPEG")
        xml = tmp_path / "Annotations" / "DET" / "train" / f"{name}.xml"
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.write_text(VID_XML)
    assert [len(s.frames) for s in read_detection_data(tmp_path).sequences] == [1, 1]
    (tmp_path / "Annotations" / "DET" / "train" / "two.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"two\.xml"):
        read_detection_data(tmp_path)
    (tmp_path / "Data" / "DET" / "train" / "one.JPEG").unlink()
    with pytest.raises(DataError, match=r"one\.JPEG is missing"):
        read_detection_data(tmp_path)


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder of masks, YOLO labels"):
        read_detection_data(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_detection_data(tmp_path / "nowhere")


def test_yolo_classes_need_names(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"classes\.txt"):
        read_detection_data(tmp_path)


def test_a_source_keeps_and_leaves_out_by_name(tmp_path: Path) -> None:
    path = write_json(tmp_path / "set.json", coco())
    source = parse_detection_source(f"{path}:{tmp_path / 'elsewhere'},share=2.5,without=a*|c*")
    assert (source.share, source.name) == (2.5, "set")
    (kept,) = source.read().sequences
    assert kept.frames[0].path == tmp_path / "elsewhere" / "b.jpg"
    with pytest.raises(DataError, match="nothing is left of 2"):
        parse_detection_source(f"{path},only=z*").read()


def test_a_source_names_yolo_classes_from_a_file(tmp_path: Path) -> None:
    write_picture(tmp_path / "set" / "images" / "a.jpg")
    (tmp_path / "set" / "labels").mkdir()
    (tmp_path / "names.txt").write_text("dog\n\ncat\n")
    source = parse_detection_source(f"{tmp_path / 'set'},names={tmp_path / 'names.txt'}")
    assert source.read().categories == ((1, "dog"), (2, "class 1"), (3, "cat"))  # a blank line keeps its number
    with pytest.raises(DataError, match="class name a line"):
        parse_detection_source(f"{tmp_path / 'set'},names={tmp_path / 'nowhere.txt'}").read()


@pytest.mark.parametrize("text", ["", "a.json,share", "a.json,share=0", "a.json,share=x", "a.json,colour=red"])
def test_a_source_that_does_not_read_is_said(text: str) -> None:
    with pytest.raises(DataError, match=r"expected|no value"):
        parse_detection_source(text)
