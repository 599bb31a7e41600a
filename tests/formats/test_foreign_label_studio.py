"""Label Studio's exports: every task, the annotation that counts, and what is not held named."""

import json
from pathlib import Path
from typing import Any

import pytest

from dffcli.errors import DataError
from dffcli.formats.reading import Given
from tests.formats.foreign import SIZE_GIVEN, as_coco, converted, objects, region, task
from tests.formats.samples import read_one


def studio(path: Path, tasks: Any) -> Path:
    path.write_text(json.dumps(tasks))
    return path


def image_task(name: str, results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    sized = [{"original_width": 64, "original_height": 48, **result} for result in results]
    return {"id": 1, "data": {"image": f"/data/upload/1/{name}"}, "annotations": [{"id": 1, "result": sized}]} | more


RECTANGLE = {
    "id": "r",
    "type": "rectanglelabels",
    "value": {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["car"]},
}


def test_the_last_annotation_that_was_not_cancelled_counts(tmp_path: Path) -> None:
    annotations = [
        {"id": 1, "result": [region((1, 10, False))]},
        {"id": 2, "result": [region((1, 20, False))]},
        {"id": 3, "result": [region((1, 30, False))], "was_cancelled": True},
    ]
    source = studio(tmp_path / "a.json", [task([], annotations=annotations)])
    done, target = converted(source, given=SIZE_GIVEN)
    assert [entry["bbox"][0] for entry in json.loads(target.read_text())["annotations"]] == [12.8]
    assert done.account.changes["other-annotations"].count == 2


def test_predictions_are_read_where_nobody_annotated(tmp_path: Path) -> None:
    predicted = {"predictions": [{"result": [region((1, 20, False), score=0.5)]}], "annotations": []}
    (entry,) = as_coco(studio(tmp_path / "a.json", [task([]) | predicted]), given=SIZE_GIVEN)["annotations"]
    assert (entry["bbox"][0], entry["score"]) == (12.8, 0.5)


def test_several_videos_are_chosen_by_name(tmp_path: Path) -> None:
    tasks = [
        {**task([region((1, 10, False))]), "data": {"video": "a/north.mp4"}},
        {**task([region((1, 20, False))]), "data": {"video": "b/south.mp4"}},
    ]
    source = studio(tmp_path / "a.json", tasks)
    with pytest.raises(DataError, match=r"'north\.mp4', 'south\.mp4'"):
        converted(source, given=SIZE_GIVEN)
    data = as_coco(source, given=Given(size=(48, 64), video="south"))
    assert [entry["bbox"][0] for entry in data["annotations"]] == [12.8]


def test_a_video_nobody_labelled_stands_in_nobodys_way(tmp_path: Path) -> None:
    sized = region((1, 10, False), original_width=64, original_height=48)
    tasks = [{"id": 1, "data": {"video": "a.mp4"}, "annotations": []}, task([sized])]
    done, target = converted(studio(tmp_path / "a.json", tasks))
    assert len(json.loads(target.read_text())["annotations"]) == 1
    assert done.account.changes["videos-without-labels"].count == 1


def test_images_are_stills_with_their_own_sizes(tmp_path: Path) -> None:
    large = {**RECTANGLE, "original_width": 640, "original_height": 480}
    outline = {
        "id": "p",
        "type": "polygonlabels",
        "value": {"points": [[0, 0], [50, 0], [50, 50]], "polygonlabels": ["person"]},
    }
    tasks = [
        image_task("b.png", [RECTANGLE, outline]),
        image_task("a.jpg", [large]),
        {"id": 3, "data": {"image": "c.jpg"}, "annotations": []},
    ]
    data = as_coco(studio(tmp_path / "a.json", tasks))
    assert [(image["file_name"], image["width"]) for image in data["images"]] == [
        ("b.png", 64), ("a.jpg", 640), ("c.jpg", 64)
    ]  # fmt: skip
    first, second, third = objects(data)
    assert first["bbox"] == [16, 24, 32, 12]
    assert (second["name"], second["segmentation"]) == ("person", [[0, 0, 32, 0, 32, 24]])
    assert (third["frame"], third["bbox"]) == (1, [160, 240, 320, 120])


def test_labels_may_be_a_result_of_their_own(tmp_path: Path) -> None:
    value = {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0}
    results = [
        {"id": "r", "type": "rectangle", "value": value},
        {"id": "r", "type": "labels", "value": value | {"labels": ["dog"]}},
    ]
    done, target = converted(studio(tmp_path / "a.json", [image_task("a.jpg", results)]))
    assert [item["name"] for item in objects(json.loads(target.read_text()))] == ["dog"]
    assert not done.account.losses


def test_a_box_turns_about_its_corner(tmp_path: Path) -> None:
    turned = region((1, 50, False))
    turned["value"]["sequence"][0] |= {"x": 50, "y": 50, "width": 25, "height": 25, "rotation": 90}
    source = studio(tmp_path / "a.json", [task([turned])])
    (entry,) = as_coco(source, given=SIZE_GIVEN)["annotations"]
    assert entry["segmentation"][0] == pytest.approx([32, 24, 32, 40, 20, 40, 20, 24])
    _, again = converted(source, "again.labelstudio.json", given=SIZE_GIVEN)
    (entry,) = as_coco(again)["annotations"]
    assert entry["segmentation"][0] == pytest.approx([32, 24, 32, 40, 20, 40, 20, 24], abs=0.01)


def test_what_is_not_held_is_named_by_its_kind(tmp_path: Path) -> None:
    results = [
        region((1, 10, False)),
        {"id": "t", "type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 5}], "timelinelabels": ["go"]}},
    ]
    done, _ = converted(studio(tmp_path / "a.json", [task(results)]), given=SIZE_GIVEN)
    assert done.account.losses["timelinelabels-regions"].count == 1
    results = [RECTANGLE, {"id": "k", "type": "keypointlabels", "value": {"x": 1, "y": 1, "keypointlabels": ["nose"]}}]
    done, _ = converted(studio(tmp_path / "b.json", [image_task("a.jpg", results)]))
    assert done.account.losses["keypointlabels-regions"].count == 1
    assert done.account.lost_objects == 1


def test_further_labels_of_an_object_are_named(tmp_path: Path) -> None:
    one = region((1, 10, False))
    one["value"]["labels"] = ["car", "red"]
    done, _ = converted(studio(tmp_path / "a.json", [task([one])]), given=SIZE_GIVEN)
    assert done.account.losses["further-labels"].count == 1


@pytest.mark.parametrize(
    ("data", "wanted"),
    [({"fps": 30}, 30), ({"frame_rate": "30000/1001"}, 30000 / 1001), ({}, 25)],
)
def test_the_rate_is_the_tasks(tmp_path: Path, data: dict[str, Any], wanted: float) -> None:
    one = {**task([region((1, 10, False))]), "data": {"video": "v.mp4"} | data}
    sequence, _ = read_one(studio(tmp_path / "a.json", [one]), SIZE_GIVEN)
    assert float(sequence.rate) == pytest.approx(wanted)


def test_json_min_is_refused_by_its_name(tmp_path: Path) -> None:
    minimal = [{"id": 1, "video": "v.mp4", "box": [{}], "annotator": 1, "annotation_id": 1, "lead_time": 2}]
    with pytest.raises(DataError, match="JSON_MIN"):
        converted(studio(tmp_path / "a.json", minimal))


def test_a_size_nobody_says_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--size"):
        converted(studio(tmp_path / "a.json", [task([region((1, 10, False))])]))


def test_a_region_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = region((1, 10, False), id="bad")
    broken["value"]["sequence"][0]["x"] = float("nan")
    done, target = converted(studio(tmp_path / "a.json", [task([region((1, 20, False)), broken])]), given=SIZE_GIVEN)
    assert len(json.loads(target.read_text())["annotations"]) == 1
    assert "region 'bad'" in done.account.losses["unreadable"].example


def test_entries_are_few_and_draw_the_track(tmp_path: Path) -> None:
    one = region(*((frame, 2.0 * frame, frame < 9) for frame in range(1, 10)))
    source = studio(tmp_path / "a.json", [task([one])])
    _, target = converted(source, "b.labelstudio.json", given=SIZE_GIVEN)
    (made,) = json.loads(target.read_text())
    sequence = made["predictions"][0]["result"][0]["value"]["sequence"]
    assert [(entry["frame"], entry["enabled"]) for entry in sequence] == [(1, True), (9, False)]
    lefts = [item["bbox"][0] for item in objects(as_coco(target))]
    assert lefts == pytest.approx([1.28 * frame for frame in range(1, 10)], abs=0.01)
