"""CVAT files in both dialects: every shape is carried or named."""

import json
from pathlib import Path

import pytest

from dffcli.errors import DataError
from dffcli.formats.reading import Given
from tests.formats.foreign import as_coco, box, converted, cvat_file, objects
from tests.formats.samples import read_one

SHAPES = (
    '<box label="car" occluded="1" xtl="10" ytl="10" xbr="20" ybr="20" z_order="2" group_id="5">'
    '<attribute name="colour">red</attribute></box>'
    '<polygon label="person" occluded="0" points="1,1;20,1;20,20" z_order="0"></polygon>'
    '<mask label="person" occluded="0" rle="0, 400" left="10" top="10" width="20" height="20" z_order="0"></mask>'
    '<ellipse label="car" cx="30" cy="20" rx="10" ry="5"/>'
)
UNHELD = (
    '<polyline label="car" points="1,1;2,2"/><points label="car" points="1,1"/><tag label="car"/>'
    '<cuboid label="car"/><skeleton label="person"><points label="nose" points="3,3"/></skeleton>'
)


def images(body: str, *, more: str = "") -> str:
    return f'<image id="3" name="a/img_10.jpg" width="64" height="48">{body}</image>{more}'


def test_every_shape_of_an_image_is_carried_or_named(tmp_path: Path) -> None:
    done, target = converted(cvat_file(tmp_path / "a.xml", images(SHAPES + UNHELD)))
    data = json.loads(target.read_text())
    box_, polygon, mask, ellipse = data["annotations"]
    assert box_["bbox"] == [10, 10, 10, 10]
    assert box_["attributes"] == {"colour": "red", "group_id": "5", "z_order": "2", "occluded": True}
    assert polygon["segmentation"] == [[1, 1, 20, 1, 20, 20]]
    assert (mask["segmentation"]["size"], mask["area"], mask["bbox"]) == ([48, 64], 400, [10, 10, 20, 20])
    assert ellipse["bbox"] == pytest.approx([20, 15, 20, 10])
    assert ellipse["area"] == pytest.approx(3.14159 * 50, rel=0.01)
    assert {kind: line.count for kind, line in done.account.losses.items()} == {
        "polyline-shapes": 1, "points-shapes": 1, "tag-shapes": 1, "cuboid-shapes": 1, "skeleton-shapes": 1
    }  # fmt: skip
    assert done.account.lost_objects == 5
    assert "image 3 (a/img_10.jpg), <polyline> 'car'" in done.account.losses["polyline-shapes"].example


def test_every_shape_of_a_track_is_carried_or_named(tmp_path: Path) -> None:
    frame = 'frame="0" keyframe="1" outside="0" '
    tracks = "".join(
        f'<track id="{number}" label="car">{shape.replace("<", "<", 1)}</track>'
        for number, shape in enumerate(
            [
                f'<polygon {frame} points="1,1;20,1;20,20"/>',
                f'<mask {frame} rle="0, 400" left="10" top="10" width="20" height="20"/>',
                f'<ellipse {frame} cx="30" cy="20" rx="10" ry="5"/>',
                f'<polyline {frame} points="1,1;2,2"/><polyline frame="1" outside="1" points="1,1;2,2"/>',
                f'<skeleton {frame}><points label="nose" points="3,3"/></skeleton>',
            ]
        )
    )
    done, target = converted(cvat_file(tmp_path / "a.xml", tracks, size=1))
    assert len(json.loads(target.read_text())["annotations"]) == 3
    assert {kind: line.count for kind, line in done.account.losses.items()} == {
        "polyline-shapes": 1, "skeleton-shapes": 1
    }  # fmt: skip


def test_names_numbers_and_sizes_of_images_are_kept(tmp_path: Path) -> None:
    more = (
        '<image id="5" name="b/img_2.png" width="640" height="480">'
        '<box label="car" xtl="320" ytl="240" xbr="352" ybr="264"/></image>'
    )
    source = cvat_file(tmp_path / "a.xml", images(SHAPES, more=more))
    data = as_coco(source)
    assert [(image["frame_id"], image["file_name"], image["width"]) for image in data["images"]] == [
        (3, "a/img_10.jpg", 64), (5, "b/img_2.png", 640)
    ]  # fmt: skip
    _, folder = converted(source, "y", format="yolo")
    assert (folder / "labels/b/img_2.txt").read_text() == "0 0.525000 0.525000 0.050000 0.050000\n"


def test_two_masks_of_one_class_stay_two(tmp_path: Path) -> None:
    mask = '<mask frame="0" outside="0" rle="0, 400" left="{}" top="10" width="20" height="20"/>'
    tracks = "".join(f'<track id="{n}" label="car">{mask.format(10 * n)}</track>' for n in (1, 2))
    data = as_coco(cvat_file(tmp_path / "a.xml", tracks, size=1))
    assert data["info"]["task"] == "detect"
    assert [entry["bbox"] for entry in data["annotations"]] == [[10, 10, 20, 20], [20, 10, 20, 20]]


def test_a_rotated_box_becomes_its_outline(tmp_path: Path) -> None:
    body = '<track id="0" label="car"><box frame="0" outside="0" xtl="10" ytl="20" xbr="50" ybr="30" rotation="90"/>'
    body += '<box frame="1" outside="1" xtl="10" ytl="20" xbr="50" ybr="30"/></track>'
    source = cvat_file(tmp_path / "a.xml", body)
    (entry,) = as_coco(source)["annotations"]
    assert entry["bbox"] == pytest.approx([25, 5, 10, 40])
    assert entry["segmentation"][0] == pytest.approx([35, 5, 35, 45, 25, 45, 25, 5])
    done, target = converted(source, "out.txt")
    assert target.read_text() == "1,0,25.00,5.00,10.00,40.00,1.0000,1,1\n"
    assert done.account.losses["rotations"].count == 1
    _, again = converted(source, "again.xml")
    assert read_one(again)[1][0].objects[0].rotation == 90


def test_a_track_without_an_end_goes_on_to_the_end_of_its_task(tmp_path: Path) -> None:
    body = f'<track id="0" label="car">{box(2, 0)}{box(4, 8)}</track>'
    data = as_coco(cvat_file(tmp_path / "a.xml", body, size=8))
    lefts = {item["frame"]: item["bbox"][0] for item in objects(data)}
    assert lefts == {2: 0, 3: 4, 4: 8, 5: 8, 6: 8, 7: 8}


def test_only_frames_of_the_filter_exist(tmp_path: Path) -> None:
    body = f'<track id="0" label="car">{box(10, 0)}{box(20, 10)}{box(25, 10, outside=1)}</track>'
    source = cvat_file(tmp_path / "a.xml", body)
    text = source.read_text().replace("<frame_filter></frame_filter>", "<frame_filter>step=5</frame_filter>")
    text = text.replace("<size>10<", "<size>5<").replace("<start_frame>0<", "<start_frame>10<")
    source.write_text(text.replace("<stop_frame>9<", "<stop_frame>30<"))
    data = as_coco(source)
    assert [image["frame_id"] for image in data["images"]] == [10, 15, 20, 25, 30]
    assert {item["frame"]: item["bbox"][0] for item in objects(data)} == {10: 0, 15: 5, 20: 10}
    _, again = converted(source, "again.xml")
    assert [record.index for record in read_one(again)[1]] == [10, 15, 20, 25, 30]


def test_tracks_keep_their_numbers(tmp_path: Path) -> None:
    body = "".join(f'<track id="{n}" label="car">{box(0, n)}{box(1, n, outside=1)}</track>' for n in (7, 0, 7))
    done, target = converted(cvat_file(tmp_path / "a.xml", body))
    assert [entry["track_id"] for entry in json.loads(target.read_text())["annotations"]] == [7, 0, 8]
    assert done.account.changes["tracks-of-one-id"].count == 1


def test_untracked_objects_stay_untracked_through_cvat(tmp_path: Path) -> None:
    from tests.formats.foreign import coco_file

    source = coco_file(tmp_path / "a.json", [{"bbox": [1, 1, 9, 9], "track_id": 3}, {"bbox": [20, 1, 9, 9]}], 2)
    _, middle = converted(source, "b.xml")
    data = as_coco(middle)
    assert [(item["bbox"][0], item.get("track_id"), item["frame"]) for item in objects(data)] == [
        (20, None, 0),
        (1, 3, 0),
    ]


def test_every_task_of_a_project_is_a_video_of_its_own(tmp_path: Path) -> None:
    head = "<task><id>{0}</id><name>clip{0}</name><size>2</size><original_size><width>64</width><height>48</height>"
    tasks = "".join(head.format(number) + "</original_size></task>" for number in (4, 5))
    body = "".join(
        f'<track id="{n}" label="car" task_id="{n}">{box(0, n)}{box(1, n, outside=1)}</track>' for n in (4, 5)
    )
    path = tmp_path / "a.xml"
    path.write_text(
        f"<annotations><meta><project><name>p</name><tasks>{tasks}</tasks></project></meta>{body}</annotations>"
    )
    with pytest.raises(DataError, match="'clip4', 'clip5'"):
        converted(path)
    data = as_coco(path, given=Given(video="clip5"))
    assert [entry["bbox"][0] for entry in data["annotations"]] == [5]


def test_outlines_between_key_frames_move_in_lines(tmp_path: Path) -> None:
    polygon = '<polygon frame="{}" outside="0" points="{},0;{},0;{},8"/>'
    body = f'<track id="0" label="car">{polygon.format(0, 0, 8, 8)}{polygon.format(2, 4, 12, 12)}</track>'
    data = as_coco(cvat_file(tmp_path / "a.xml", body, size=3))
    assert objects(data)[1]["segmentation"] == [[2, 0, 10, 0, 10, 8]]
    other = '<polygon frame="2" outside="0" points="0,0;8,0;8,8;0,8"/>'
    body = f'<track id="0" label="car">{polygon.format(0, 0, 8, 8)}{other}</track>'
    done, _ = converted(cvat_file(tmp_path / "b.xml", body, size=3))
    assert done.account.changes["kept-between-frames"].count == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<box label="car" xtl="nan" ytl="1" xbr="2" ybr="2"/>', "expected a number"),
        ('<box label="car" xtl="1" ytl="1" xbr="2"/>', "no 'ybr'"),
        ('<polygon label="car" points="1,1;2,2"/>', "at least 3 points"),
        ('<polygon label="car" points="1,1,1;2,2;3,3"/>', "expected points like"),
        ('<mask label="car" rle="0, 9" left="0" top="0" width="2" height="2"/>', "4 pixels"),
        ('<mask label="car" rle="0, 4" left="63" top="0" width="2" height="2"/>', "within 64 x 48"),
        ('<polygon label="car" points="1,1;1e300,2;3,3"/>', "expected a number up to"),
    ],
)
def test_a_shape_that_cannot_be_read_is_named(tmp_path: Path, body: str, said: str) -> None:
    good = '<box label="car" xtl="1" ytl="1" xbr="2" ybr="2"/>'
    done, target = converted(cvat_file(tmp_path / "a.xml", images(good + body)))
    assert len(json.loads(target.read_text())["annotations"]) == 1
    line = done.account.losses["unreadable"]
    assert (line.count, line.is_object) == (1, True)
    assert said in line.example


def test_few_boxes_are_key_frames_and_all_are_written(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ElementTree

    lefts = [0, 4, 8, 12, 30, 31, 32, 33]
    body = f'<track id="3" label="car">{"".join(box(frame, x) for frame, x in enumerate(lefts))}</track>'
    source = cvat_file(tmp_path / "a.xml", body, size=10)
    _, target = converted(source, "b.xml")
    found = [(b.get("frame"), b.get("keyframe")) for b in ElementTree.parse(target).getroot().iter("box")]
    keys = {int(frame or 0) for frame, key in found if key == "1"}
    assert [int(frame or 0) for frame, _ in found] == list(range(10))
    assert keys == {0, 3, 4, 9}
    assert [record.objects[0].box[0] for record in read_one(target)[1]] == [*lefts, 33, 33]
    from dffcli.formats.sink import OutputOptions

    _, exact = converted(source, "c.xml", output=OutputOptions(keyframe_tolerance=100.0))
    assert sum(b.get("keyframe") == "1" for b in ElementTree.parse(exact).getroot().iter("box")) == 2
