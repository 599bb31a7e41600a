"""COCO files, read back with pycocotools."""

import json
from contextlib import redirect_stdout
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dffcli.core.types import Task
from dffcli.formats.rle import rle_area
from tests.formats.samples import RATE, SIZE, box_records, map_records, opened, sequence_of, write


def load(path: Path) -> COCO:
    with redirect_stdout(StringIO()):
        return COCO(str(path))


def test_pycocotools_reads_the_boxes_as_they_were(tmp_path: Path) -> None:
    coco = load(write(tmp_path / "a.json", box_records(), sequence_of(Task.DETECT)))
    assert [item["name"] for item in coco.loadCats(coco.getCatIds())] == ["person", "car & van"]
    assert len(coco.imgs) == 6
    first = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    assert first[0]["bbox"] == [6.25, 10.5, 8.0, 20.0]
    assert first[0]["area"] == 160
    assert [item["category_id"] for item in first] == [1, 3]
    assert [item["track_id"] for item in first] == [7, 3]


def test_images_tell_exact_times_and_key_frames(tmp_path: Path) -> None:
    data = json.loads(write(tmp_path / "a.json", box_records(), sequence_of(Task.DETECT)).read_text())
    image = data["images"][1]
    assert image["id"] == 2
    assert image["frame_id"] == 1
    assert Fraction(image["time_exact"]) == 1 / RATE
    assert image["time_seconds"] == pytest.approx(float(1 / RATE), abs=1e-6)
    assert (image["width"], image["height"]) == SIZE[::-1]
    assert [item["is_key_frame"] for item in data["images"]] == [True, False, False] * 2
    assert data["images"][3]["key_reason"] == "interval"
    assert data["images"][4]["key_frame_ids"] == [3]


def test_random_weights_are_named_in_plain_words(tmp_path: Path) -> None:
    data = json.loads(write(tmp_path / "a.json", box_records(), sequence_of(Task.DETECT)).read_text())
    assert data["info"]["random_weights"] is True
    assert "RANDOM" in data["info"]["warning"]
    assert data["info"]["settings"] == {"schedule": "fixed"}


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools, with numpy 2
def test_label_maps_come_back_through_pycocotools(tmp_path: Path) -> None:
    records = map_records()
    coco = load(write(tmp_path / "a.json", records, sequence_of(Task.SEGMENT)))
    for record in records:
        labels = np.full(SIZE, 255, np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[record.index + 1])):
            mask = coco.annToMask(annotation).astype(bool)
            assert annotation["area"] == mask.sum()
            x, y, w, h = (int(side) for side in annotation["bbox"])
            assert mask[y : y + h, x : x + w].sum() == mask.sum()
            labels[mask] = annotation["category_id"]
        np.testing.assert_array_equal(labels, record.labels)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools, with numpy 2
def test_instance_masks_are_run_lengths(tmp_path: Path) -> None:
    records = box_records(masks=True)
    coco = load(write(tmp_path / "a.json", records, sequence_of(Task.DETECT)))
    annotation = coco.loadAnns(coco.getAnnIds(imgIds=[1]))[1]
    mask = records[0].objects[1].mask
    assert mask is not None
    np.testing.assert_array_equal(coco.annToMask(annotation), mask.array)
    assert annotation["area"] == rle_area(annotation["segmentation"])


def test_results_are_perfect_against_their_own_annotations(tmp_path: Path) -> None:
    sequence = sequence_of(Task.DETECT)
    coco = load(write(tmp_path / "a.json", box_records(), sequence))
    results = write(tmp_path / "a.results.json", box_records(), sequence)
    entries = json.loads(results.read_text())
    assert set(entries[0]) == {"image_id", "category_id", "bbox", "score", "track_id"}
    with redirect_stdout(StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(str(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_results_of_a_label_map_are_masks(tmp_path: Path) -> None:
    entries = json.loads(write(tmp_path / "a.results.json", map_records(), sequence_of(Task.SEGMENT)).read_text())
    assert {entry["category_id"] for entry in entries} == {0, 1, 5}
    assert all(entry["segmentation"]["size"] == list(SIZE) for entry in entries)


def test_cocovid_links_images_and_annotations_to_the_video(tmp_path: Path) -> None:
    data = json.loads(write(tmp_path / "a.cocovid.json", box_records(), sequence_of(Task.DETECT)).read_text())
    (video,) = data["videos"]
    assert (video["id"], video["name"], video["width"], video["height"]) == (1, "street.mp4", 64, 48)
    assert Fraction(video["fps_num"], video["fps_den"]) == RATE
    assert [image["frame_id"] for image in data["images"]] == list(range(6))
    assert all(entry["video_id"] == 1 for entry in data["images"] + data["annotations"])
    instances = {entry["instance_id"] for entry in data["annotations"]}
    assert instances == {7, 3}
    assert {entry["id"]: entry["category_id"] for entry in data["tracks"]} == {7: 1, 3: 3}
    assert data["annotations"][0]["attributes"] == {"track_id": 7, "keyframe": True, "occluded": False}


def test_cocovid_invents_no_instance_for_boxes_without_a_track(tmp_path: Path) -> None:
    records = box_records(tracked=False)
    data = json.loads(write(tmp_path / "a.cocovid.json", records, sequence_of(Task.DETECT)).read_text())
    assert len(data["annotations"]) == 10
    assert not any("instance_id" in entry for entry in data["annotations"])


def test_an_empty_run_is_a_valid_file(tmp_path: Path) -> None:
    data: dict[str, Any] = json.loads(write(tmp_path / "a.json", [], sequence_of(Task.DETECT)).read_text())
    assert data["images"] == data["annotations"] == []
    assert json.loads(write(tmp_path / "a.results.json", [], sequence_of(Task.DETECT)).read_text()) == []


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    for name in ("a.json", "b.cocovid.json", "c.xml", "d.txt", "e.label-studio.json", "f/"):
        task = Task.SEGMENT if name == "f/" else Task.DETECT
        records = map_records() if task is Task.SEGMENT else box_records()
        path = str(tmp_path / name) + ("/" if name.endswith("/") else "")
        with pytest.raises(KeyboardInterrupt), opened(Path(path), sequence_of(task)) as sink:
            sink.write_record(records[0])
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
