"""COCO as other tools write it: what can be read is, what cannot is named."""

import json
from pathlib import Path

import pytest

from dffcli.errors import DataError, OutputError
from dffcli.formats.convert import LossError
from tests.formats.foreign import as_coco, coco_file, converted, objects

BOX = [10, 10, 20, 20]
SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]
RLE = {"size": [48, 64], "counts": [48, 96, 2928]}  # the second and third column


def test_crowd_marks_lose_no_mask(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX}, {"bbox": [1, 0, 2, 48], "iscrowd": 1, "segmentation": RLE}])
    box, crowd = as_coco(source)["annotations"]
    assert (box["iscrowd"], crowd["iscrowd"]) == (0, 1)
    assert (crowd["area"], crowd["segmentation"]["size"]) == (96, [48, 64])


def test_boxes_polygons_and_masks_share_a_frame(tmp_path: Path) -> None:
    entries = [{"bbox": BOX}, {"bbox": BOX, "segmentation": SQUARE}, {"bbox": [1, 0, 2, 48], "segmentation": RLE}]
    data = as_coco(coco_file(tmp_path / "a.json", entries))
    box, polygon, mask = (entry["segmentation"] for entry in data["annotations"])
    assert box == []
    assert polygon == SQUARE
    assert mask["size"] == [48, 64]


def test_an_untracked_object_leaves_the_tracks_of_others_alone(tmp_path: Path) -> None:
    entries = [{"bbox": BOX, "track_id": 7}, {"bbox": BOX}, {"bbox": BOX, "attributes": {"track_id": 9}}]
    data = as_coco(coco_file(tmp_path / "a.json", entries))
    assert [entry.get("track_id") for entry in data["annotations"]] == [7, None, 9]


def test_no_instance_is_invented_that_another_track_has(tmp_path: Path) -> None:
    entries = [{"bbox": BOX, "track_id": 2}, {"bbox": BOX}]
    source = coco_file(tmp_path / "a.json", entries, videos=[{"id": 1, "name": "v"}])
    _, middle = converted(source, "b.cocovid.json")
    _, target = converted(middle, "c.txt")
    assert [line.split(",")[1] for line in target.read_text().splitlines()] == ["2", "-1"]


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (["frame_000000.PNG", "frame_000010.PNG", "frame_000020.PNG"], [0, 10, 20]),
        (["a/frame_7.jpg", "a/frame_3.jpg"], [7, 3]),
        (["frame_000010.png"], [10]),
        (["cam1/000001.jpg", "cam2/000001.jpg"], [0, 1]),
        (["b.jpg", "a10.jpg", "a9.jpg"], [2, 1, 0]),
        (["000000397133.jpg", "000000037777.jpg", "000000252219.jpg"], [2, 0, 1]),  # ids of stills, not frames
    ],
)
def test_frames_are_numbered_as_their_names_say(tmp_path: Path, names: list[str], frames: list[int]) -> None:
    entries = [{"image_id": number, "bbox": [number, 1, 2, 2]} for number in range(1, len(names) + 1)]
    data = as_coco(coco_file(tmp_path / "a.json", entries, names))
    assert [image["frame_id"] for image in data["images"]] == sorted(frames)
    by_number = {int(item["bbox"][0]): item["frame"] for item in objects(data)}
    assert [by_number[number] for number in range(1, len(names) + 1)] == frames
    assert {image["file_name"] for image in data["images"]} == set(names)


def test_the_files_own_frame_numbers_count_more_than_names(tmp_path: Path) -> None:
    images = [
        {"id": number, "file_name": f"frame_{number}.jpg", "frame_id": 100 - number, "width": 64, "height": 48}
        for number in (1, 2)
    ]
    entries = [{"image_id": 1, "bbox": BOX}]
    assert objects(as_coco(coco_file(tmp_path / "a.json", entries, images)))[0]["frame"] == 99


def test_every_picture_keeps_its_size(tmp_path: Path) -> None:
    images = [
        {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48},
        {"id": 2, "file_name": "b.png", "width": 640, "height": 480},
    ]
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX}, {"image_id": 2, "bbox": [320, 240, 32, 24]}], images)
    done, folder = converted(source, "y", format="yolo")
    assert not done.account.losses
    assert (folder / "labels" / "b.txt").read_text() == "0 0.525000 0.525000 0.050000 0.050000\n"
    back = as_coco(folder)
    assert [(image["file_name"], image["width"]) for image in back["images"]] == [("a.jpg", 64), ("b.png", 640)]
    assert objects(back)[1]["bbox"] == pytest.approx([320, 240, 32, 24])


@pytest.mark.parametrize("entry", [{"segmentation": SQUARE}, {"segmentation": SQUARE, "bbox": None}])
def test_a_missing_box_is_that_of_the_outline(tmp_path: Path, entry: dict[str, object]) -> None:
    assert as_coco(coco_file(tmp_path / "a.json", [entry]))["annotations"][0]["bbox"] == [10, 10, 20, 20]


def test_ids_may_be_words_or_numbers_in_quotes(tmp_path: Path) -> None:
    images = [{"id": "a1", "file_name": "a.jpg", "width": 64, "height": 48}]
    entries = [{"image_id": "a1", "category_id": "2", "bbox": BOX, "track_id": "left"}, {"image_id": "a1", "bbox": BOX}]
    done, target = converted(coco_file(tmp_path / "a.json", entries, images))
    first, second = json.loads(target.read_text())["annotations"]
    assert (first["category_id"], first["track_id"], second["category_id"]) == (2, 1, 1)
    assert "tracks-numbered" in done.account.changes


def test_an_unknown_score_is_none(tmp_path: Path) -> None:
    assert "score" not in as_coco(coco_file(tmp_path / "a.json", [{"bbox": BOX, "score": None}]))["annotations"][0]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX}])
    source.write_bytes(b"\xef\xbb\xbf" + source.read_bytes())
    assert len(as_coco(source)["annotations"]) == 1


UNREADABLE = {
    "an image that is not there": ({"image_id": 9, "bbox": BOX}, "of-no-image"),
    "a category that is not there": ({"category_id": 9, "bbox": BOX}, "unreadable"),
    "no shape at all": ({}, "unreadable"),
    "three numbers": ({"bbox": [1, 2, 3]}, "unreadable"),
    "no number": ({"bbox": [1, 2, "wide", 4]}, "unreadable"),
    "a width below zero": ({"bbox": [1, 2, -3, 4]}, "unreadable"),
    "an outline of two points": ({"segmentation": [[1, 1, 5, 5]]}, "unreadable"),
    "no category": ({"category_id": None, "bbox": BOX}, "unreadable"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_counted_and_named(tmp_path: Path, name: str) -> None:
    entry, kind = UNREADABLE[name]
    done, target = converted(coco_file(tmp_path / "a.json", [{"bbox": BOX}, {"id": 77, **entry}]))
    line = done.account.losses[kind]
    assert (line.count, line.is_object) == (1, True)
    assert "annotation 77" in line.example
    assert len(json.loads(target.read_text())["annotations"]) == 1


@pytest.mark.parametrize(
    "segmentation",
    [[[1, 1, 5, 5]], {"size": [4, 4], "counts": [16]}, {"size": [48, 64], "counts": 10**13}, "none", [["a"] * 6]],
)
def test_a_broken_outline_leaves_the_box(tmp_path: Path, segmentation: object) -> None:
    done, target = converted(coco_file(tmp_path / "a.json", [{"bbox": BOX, "segmentation": segmentation}]))
    (entry,) = json.loads(target.read_text())["annotations"]
    assert (entry["bbox"], entry["segmentation"]) == (BOX, [])
    assert done.account.losses.keys() <= {"unreadable-masks", "unreadable-outlines"}
    assert not done.account.lost_objects


def test_a_file_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"category_id": 9, "bbox": BOX}])
    with pytest.raises(OutputError, match="category 9 is not in the list"):
        converted(source)
    assert not (tmp_path / "out.json").exists()


def test_strict_writes_nothing_if_anything_is_lost(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "score": 0.5}])
    with pytest.raises(LossError, match="scores") as caught:
        converted(source, "y", format="yolo", is_strict=True)
    assert not (tmp_path / "y").exists()
    assert caught.value.account.losses["scores"].count == 1
    converted(source, "b.json", is_strict=True)


def test_several_videos_are_chosen_by_name(tmp_path: Path) -> None:
    images = [
        {"id": number, "file_name": f"{number}.jpg", "video_id": number, "frame_id": 0, "width": 64, "height": 48}
        for number in (1, 2)
    ]
    videos = [{"id": 1, "name": "north"}, {"id": 2, "name": "south.mp4"}]
    entries = [{"image_id": 1, "bbox": BOX}, {"image_id": 2, "bbox": [1, 1, 2, 2]}]
    source = coco_file(tmp_path / "a.json", entries, images, videos=videos)
    with pytest.raises(DataError, match=r"'north', 'south\.mp4'"):
        converted(source)
    from dffcli.formats.reading import Given

    done, target = converted(source, given=Given(video="south"))
    assert done.video == "south.mp4"
    assert [entry["bbox"] for entry in json.loads(target.read_text())["annotations"]] == [[1, 1, 2, 2]]
    with pytest.raises(DataError, match="expected a video named 'east'"):
        converted(source, given=Given(video="east"))


def test_keypoints_are_named_as_lost(tmp_path: Path) -> None:
    done, _ = converted(coco_file(tmp_path / "a.json", [{"bbox": BOX, "keypoints": [1, 2, 2]}]))
    assert done.account.losses["keypoints"].count == 1


def test_a_rotated_box_of_cvats_export_is_read_as_rotated(tmp_path: Path) -> None:
    entry = {"bbox": [10, 10, 20, 10], "attributes": {"rotation": 90.0, "occluded": True, "colour": "red"}}
    (found,) = as_coco(coco_file(tmp_path / "a.json", [entry]))["annotations"]
    assert found["bbox"] == pytest.approx([15, 5, 10, 20])
    assert found["attributes"] == {"colour": "red", "occluded": True}


def test_sizes_nobody_says_are_asked_for_where_they_are_needed(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX}], [{"id": 1, "file_name": "a.jpg"}])
    done, _ = converted(source, "out.txt")
    assert "size-from-boxes" in done.account.changes
    with pytest.raises(DataError, match="--size"):
        converted(source, "y", format="yolo")
