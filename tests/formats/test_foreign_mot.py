"""MOT text in the columns that are custom."""

from pathlib import Path

import pytest

from dffcli.errors import DataError
from dffcli.evaluation.detection_readers import labels_of
from tests.formats.foreign import converted
from tests.formats.samples import read_one

ROW = "3,7,10,20,30,40"


def mot(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return path


@pytest.mark.parametrize(
    ("row", "name", "score", "visibility"),
    [
        (ROW, "object", 1.0, None),
        (f"{ROW},0.5", "object", 0.5, None),
        (f"{ROW},0.5,2", "class 2", 0.5, None),
        (f"{ROW},0.5,2,0.25", "class 2", 0.5, "0.25"),
        (f"{ROW},0.5,-1,-1", "object", 0.5, None),
        (f"{ROW},0.5,-1,-1,-1", "object", 0.5, None),
        (f"{ROW},0.5,2,0.25,-1", "class 2", 0.5, "0.25"),
        (f"{ROW},0.5,2,-1,-1", "class 2", 0.5, None),
        (f"{ROW},-1,-1,-1,-1", "object", None, None),
        ("3 7 10 20 30 40 0.5 2 0.25", "class 2", 0.5, "0.25"),
        (f"{ROW},0.5,2,0.25,", "class 2", 0.5, "0.25"),
    ],
)
def test_columns_are_told_apart_by_their_number(
    tmp_path: Path, row: str, name: str, score: float | None, visibility: str | None
) -> None:
    sequence, records = read_one(mot(tmp_path / "a.txt", row))
    assert [record.index for record in records] == [0, 1, 2]
    (item,) = records[2].objects
    assert (item.box, item.track, item.score) == ((10, 20, 40, 60), 7, score)
    assert sequence.names[item.category_id] == name
    assert item.attributes.get("visibility") == visibility


def test_places_in_the_world_are_named_as_lost(tmp_path: Path) -> None:
    done, _ = converted(mot(tmp_path / "a.txt", f"{ROW},1,-15.6,-9.3,0"))
    assert done.account.losses["places-in-the-world"].count == 1


def test_a_head_names_the_columns(tmp_path: Path) -> None:
    text = "frame,track_id,class,bb_left,bb_top,bb_width,bb_height,score\n3,7,2,10,20,30,40,0.5"
    sequence, records = read_one(mot(tmp_path / "a.txt", text))
    (item,) = records[2].objects
    assert (item.box, item.track, item.score, sequence.names[item.category_id]) == ((10, 20, 40, 60), 7, 0.5, "class 2")


def test_a_first_frame_0_counts_from_0(tmp_path: Path) -> None:
    path = mot(tmp_path / "a.txt", "0,1,1,1,2,2\n2,1,1,1,2,2")
    _, records = read_one(path)
    assert [len(record.objects) for record in records] == [1, 0, 1]
    assert "frames-from-0" in converted(path)[0].account.changes


def test_an_id_of_minus_1_is_no_track(tmp_path: Path) -> None:
    _, target = converted(mot(tmp_path / "a.txt", "1,4,1,1,2,2,1,1,1\n1,-1,5,5,2,2,1,1,1"), "out.txt")
    assert target.read_text() == "1,4,1.00,1.00,2.00,2.00,1.0000,1,1\n1,-1,5.00,5.00,2.00,2.00,1.0000,1,1\n"


def test_a_confidence_of_0_is_no_training_label(tmp_path: Path) -> None:
    path = mot(tmp_path / "gt" / "gt.txt", "1,1,1,1,2,2,1,1,1\n1,2,5,5,2,2,0,8,1")
    sequence, records = read_one(path.parent.parent)
    assert labels_of(records[0]).is_ignored.tolist() == [False, True]
    assert [item.score for item in records[0].objects] == [None, None]
    assert sequence.names == {1: "person", 8: "distractor"}
    _, target = converted(path.parent.parent, "out.txt", format="mot")
    assert [line.split(",")[6] for line in target.read_text().splitlines()] == ["1.0000", "0.0000"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,1,1,1,2", "6 to 10 columns"),
        ("1,1,,1,2,2", "could not convert"),
        ("1.5,1,1,1,2,2", "a frame from 1 on"),
        ("1,1.5,1,1,2,2", "a whole id"),
        ("1,1,1,1,2,2,1,1.5", "a whole class"),
        ("1,1,1,1,-2,2", "from 0"),
        ("1,1,1,1,2,2,1e300", "out of range"),
        ("1,1e300,1,1,2,2", "out of range"),
        ("x,y,z", "missing frame"),
        ("1,1,1,1,2,2,1,1,1,1,1", "got 11"),
    ],
)
def test_a_row_that_is_none_is_refused_by_its_place(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(DataError, match=rf"a\.txt, line 1: .*{said}"):
        read_one(mot(tmp_path / "a.txt", row))


def test_a_row_is_the_same_box_in_every_command(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    from dffcli.evaluation.detection_readers import read_detection_data
    from dffcli.evaluation.truth import read_truth

    folder = tmp_path / "seq"
    mot(folder / "gt" / "gt.txt", "1,1,498,157,30,40,1,1,1")
    (folder / "img1").mkdir()
    cv2.imwrite(str(folder / "img1" / "000001.jpg"), np.zeros((480, 640, 3), np.uint8))
    wanted = [498, 157, 528, 197]
    labels = read_detection_data(folder).sequences[0].frames[0].labels
    assert labels is not None
    assert labels.boxes.tolist() == [wanted]
    assert read_truth(folder, video="x.mp4").boxes[0].boxes.tolist() == [wanted]
    assert list(read_one(folder)[1][0].objects[0].box) == wanted
