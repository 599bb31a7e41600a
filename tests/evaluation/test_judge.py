"""How answers are compared with a reference, and where ground truth comes from."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dffcli.categories import Category
from dffcli.core.types import Detections, Frame, FrameResult, SegmentationMap, Task
from dffcli.errors import DataError
from dffcli.evaluation.judge import make_judge
from dffcli.evaluation.truth import read_truth

CATEGORIES = (Category(1, "person", (255, 0, 0)), Category(3, "car", (0, 255, 0)))


def boxes(*rows: tuple[float, ...]) -> Detections:
    """From rows of x1, y1, x2, y2, score, category."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def result(prediction: Detections | SegmentationMap, *, index: int = 0, name: str | None = None) -> FrameResult:
    frame = Frame(index, np.zeros((40, 60, 3), np.uint8), Fraction(index, 10), name=name)
    return FrameResult(frame, prediction, None)


def test_the_same_boxes_agree_in_full() -> None:
    judge = make_judge(Task.DETECT, CATEGORIES)
    found = boxes((0, 0, 10, 10, 0.9, 1), (20, 20, 40, 30, 0.6, 3), (5, 5, 9, 9, 0.2, 1))
    judge.against(result(found), found)
    assert judge.scores() == {"map50": pytest.approx(1.0), "f1": 1.0}


def test_a_missed_box_and_a_box_too_many_cost_agreement() -> None:
    judge = make_judge(Task.DETECT, CATEGORIES)
    full = boxes((0, 0, 10, 10, 0.9, 1), (20, 20, 40, 30, 0.8, 1))
    judge.against(result(boxes((0, 0, 10, 10, 0.9, 1), (40, 0, 50, 10, 0.7, 1))), full)
    scores = judge.scores()
    assert scores["f1"] == 1 / 2
    assert scores["map50"] == pytest.approx(0.5, abs=0.01)


def test_a_box_of_another_class_is_no_match() -> None:
    judge = make_judge(Task.DETECT, CATEGORIES)
    judge.against(result(boxes((0, 0, 10, 10, 0.9, 3))), boxes((0, 0, 10, 10, 0.9, 1)))
    assert judge.scores()["f1"] == 0


def test_without_any_reference_there_is_no_score() -> None:
    judge = make_judge(Task.DETECT, CATEGORIES)
    judge.against(result(boxes()), boxes())
    assert judge.scores() == {}
    assert make_judge(Task.SEGMENT, CATEGORIES).scores() == {}


def test_maps_are_compared_over_the_classes_of_the_reference() -> None:
    judge = make_judge(Task.SEGMENT, CATEGORIES)
    reference = np.full((40, 60), 1, np.uint8)
    reference[:, 30:] = 3
    found = reference.copy()
    found[:20, 30:] = 1
    judge.against(result(SegmentationMap(found)), SegmentationMap(reference))
    assert judge.scores()["mean_iou"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_mot_rows_belong_to_frames_counted_from_one(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("1,7,0,0,10,20,1,1,1\n3,7,2,0,10,20,1,1,1\n3,8,30,0,10,20,0,1,1\n")
    truth = read_truth(path, video="clip.mp4")
    assert truth.objects(result(boxes(), index=0).frame).boxes.tolist() == [[0, 0, 10, 20]]
    assert len(truth.objects(result(boxes(), index=1).frame)) == 0
    assert truth.objects(result(boxes(), index=9, name="000003.jpg").frame).is_ignored.tolist() == [False, True]
    judge = make_judge(Task.DETECT, CATEGORIES)
    judge.against_truth(result(boxes((0, 0, 10, 20, 0.9, 1))), truth)
    judge.against_truth(result(boxes((2, 0, 12, 20, 0.9, 1), (30, 0, 40, 20, 0.9, 1)), index=2), truth)
    assert judge.scores() == {"map50": pytest.approx(1.0), "f1": 1.0}  # what lies on an ignored box does not count


def test_broken_mot_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("1,7,0,0\n")
    with pytest.raises(DataError, match=r"gt\.txt, line 1: not a MOT line"):
        read_truth(path, video="clip.mp4")


def coco(path: Path, categories: list[dict[str, object]]) -> Path:
    images = [{"id": k + 1, "video_id": 1, "frame_id": k, "file_name": f"clip/{k:06d}.jpg"} for k in range(3)]
    rows = [{"id": 1, "image_id": 2, "category_id": 9, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}]
    content = {"videos": [{"id": 1, "name": "clip"}], "images": images, "annotations": rows}
    path.write_text(json.dumps(content | {"categories": categories}))
    return path


def test_coco_categories_are_matched_by_name(tmp_path: Path) -> None:
    truth = read_truth(coco(tmp_path / "boxes.json", [{"id": 9, "name": "pedestrian"}]), video="clip.mp4")
    judge = make_judge(Task.DETECT, CATEGORIES)
    judge.against_truth(result(boxes((0, 0, 10, 10, 0.9, 1)), index=1), truth)
    assert judge.scores()["f1"] == 1


def test_categories_the_model_does_not_know_are_an_error(tmp_path: Path) -> None:
    truth = read_truth(coco(tmp_path / "boxes.json", [{"id": 9, "name": "zebra"}]), video="clip.mp4")
    with pytest.raises(DataError, match="zebra, none of which the model knows"):
        make_judge(Task.DETECT, CATEGORIES).against_truth(result(boxes(), index=1), truth)


def test_masks_are_found_by_name_and_by_number(tmp_path: Path) -> None:
    for number in (1, 2, 31):
        cv2.imwrite(str(tmp_path / f"{number:05d}.png"), np.full((40, 60), number, np.uint8))
    truth = read_truth(tmp_path, video="clip.mp4")
    assert truth.mask(result(boxes(), index=30).frame)[0, 0] == 31
    assert truth.mask(result(boxes(), index=5).frame) is None
    assert truth.mask(result(boxes(), index=5, name="00002.jpg").frame)[0, 0] == 2


def test_ground_truth_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_truth(tmp_path / "missing.json", video="clip.mp4")
