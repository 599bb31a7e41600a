"""Average precisions of known finds."""

from pathlib import Path

import numpy as np
import pytest

from dffcli.core.types import Detections
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, LabelledFrame, LabelledSequence
from dffcli.evaluation.detection_metrics import Judged, judge, motion_overlaps

NAMES = {1: "person", 3: "car"}
BOX = [10.0, 10.0, 30.0, 50.0]
FAR = [60.0, 60.0, 90.0, 90.0]


def found(*rows: tuple[list[float], float, int]) -> Detections:
    boxes = np.array([r[0] for r in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([r[1] for r in rows], np.float32), np.array([r[2] for r in rows], np.int64))


def test_perfect_finds_have_a_precision_of_one() -> None:
    labels = BoxLabels.from_rows([BOX, FAR], [1, 3])
    report = judge([Judged(labels, found((BOX, 0.9, 1), (FAR, 0.8, 3)))], NAMES)
    assert report.ap == pytest.approx(1)
    assert report.class_ap50 == {"person": pytest.approx(1), "car": pytest.approx(1)}
    assert (report.pictures, report.objects) == (1, 2)


def test_no_find_at_all_is_zero() -> None:
    report = judge([Judged(BoxLabels.from_rows([BOX], [1]), found())], NAMES)
    assert report.ap50 == 0
    assert report.recall50 == 0


def test_a_stronger_wrong_find_halves_the_precision() -> None:
    labels = BoxLabels.from_rows([BOX], [1])
    report = judge([Judged(labels, found((FAR, 0.9, 1), (BOX, 0.5, 1)))], NAMES)
    assert report.ap50 == pytest.approx(0.5)
    assert report.recall50 == 1


def test_a_find_on_an_ignored_object_does_not_count() -> None:
    labels = BoxLabels.from_rows([BOX, FAR], [1, 1], is_ignored=[False, True])
    report = judge([Judged(labels, found((FAR, 0.9, 1), (BOX, 0.5, 1)))], NAMES)
    assert report.ap50 == pytest.approx(1)
    assert report.objects == 1


def test_nothing_labelled_is_said() -> None:
    with pytest.raises(DataError, match="without a labelled person, car"):
        judge([Judged(BoxLabels.from_rows([], []), found())], NAMES)


def track(step: float, count: int = 5) -> LabelledSequence:
    frames = [
        LabelledFrame(Path(f"{i}.jpg"), BoxLabels.from_rows([[i * step, 0, i * step + 10, 10]], [1], track_ids=[7]))
        for i in range(count)
    ]
    return LabelledSequence("track", tuple(frames))


def test_a_standing_object_overlaps_itself_wholly() -> None:
    assert [values.tolist() for values in motion_overlaps(track(0))] == [[1.0]] * 5


def test_a_moving_object_overlaps_itself_less_the_faster_it_is() -> None:
    slow, fast = motion_overlaps(track(1, 2)), motion_overlaps(track(5, 2))
    assert slow[0][0] == pytest.approx(9 / 11)
    assert fast[0][0] == pytest.approx(5 / 15)


def test_an_object_without_a_track_has_no_speed() -> None:
    lonely = LabelledSequence("x", (LabelledFrame(Path("0.jpg"), BoxLabels.from_rows([BOX], [1])),))
    assert np.isnan(motion_overlaps(lonely)[0][0])


def test_speeds_are_judged_apart() -> None:
    labels = BoxLabels.from_rows([BOX, FAR], [1, 1], track_ids=[1, 2])
    overlaps = np.array([0.95, 0.3], np.float32)
    report = judge([Judged(labels, found((BOX, 0.9, 1)), overlaps)], NAMES)
    assert report.speed_ap50["slow"] == pytest.approx(1)
    assert report.speed_ap50["fast"] == 0
    assert np.isnan(report.speed_ap50["medium"])


def test_a_wrong_find_counts_against_every_speed() -> None:
    labels = BoxLabels.from_rows([BOX], [1], track_ids=[1])
    wrong = found(([100.0, 0, 120, 20], 0.95, 1), (BOX, 0.9, 1))
    report = judge([Judged(labels, wrong, np.array([0.95], np.float32))], NAMES)
    assert report.speed_ap50["slow"] == pytest.approx(0.5)
