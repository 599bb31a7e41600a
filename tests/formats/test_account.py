"""Nothing is lost silently: what is read is written, or counted and named."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dffcli.cli import main
from dffcli.core.types import SourceInfo, Task
from dffcli.errors import OutputError
from dffcli.formats.account import Account
from dffcli.formats.filters import Filters
from dffcli.formats.reading import Annotated
from dffcli.formats.record import Annotation, FrameRecord, Sequence, corners
from dffcli.formats.registry import formats, open_record_sink
from dffcli.formats.rle import Mask, outlines
from dffcli.formats.sink import OutputOptions
from tests.formats.foreign import coco_file, converted
from tests.formats.samples import SIZE, THINGS, read_one

BOX = [10, 10, 20, 20]
WRITTEN = {name: form for name, form in formats().items() if form.is_written and name != "video"}
PLACES = {
    "masks": "m", "coco": "a.json", "coco-results": "a.results.json", "cocovid": "a.cocovid.json",
    "youtube-vis": "a.ytvis.json", "label-studio": "a.labelstudio.json", "cvat": "a.xml", "mot": "a.txt", "yolo": "y",
    "yolo-results": "r",
}  # fmt: skip


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    h, w = SIZE
    x, y = draw(st.integers(0, w - 6)), draw(st.integers(0, h - 6))
    box = (float(x), float(y), float(draw(st.integers(x + 4, w))), float(draw(st.integers(y + 4, h))))
    kind = draw(st.sampled_from(["box", "rotated box", "polygon", "mask", "two parts"]))
    mask = polygons = None
    if kind == "mask":
        array = np.zeros(SIZE, bool)
        array[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
        mask = Mask.of_array(array)
    elif kind in ("polygon", "two parts"):
        polygons = (corners(box, 0),) * (1 if kind == "polygon" else 2)
    return Annotation(
        draw(st.sampled_from([item.id for item in THINGS])),
        box,
        draw(st.none() | st.sampled_from([0.25, 0.5, 1.0])),
        draw(st.none() | st.integers(1, 3)),
        mask,
        polygons or (),
        30.0 if kind == "rotated box" else 0.0,
        is_crowd=draw(st.booleans()),
        is_ignored=draw(st.booleans()),
        is_occluded=draw(st.booleans()),
        attributes=draw(st.sampled_from([{}, {"colour": "red"}])),
    )


videos = st.lists(st.lists(annotations(), max_size=3), min_size=1, max_size=3)


@settings(deadline=None, max_examples=25)
@given(videos)
@pytest.mark.parametrize("name", WRITTEN)
def test_no_format_loses_an_object_without_a_line(name: str, frames: list[list[Annotation]]) -> None:
    info = SourceInfo("a.mp4", SIZE, Fraction(1, 25), average_rate=Fraction(25))
    sequence = Sequence(info, Task.DETECT, THINGS, attributes=("colour",))
    account = Account()
    total = sum(map(len, frames))
    with TemporaryDirectory() as folder:
        path = Path(folder, PLACES[name])
        with open_record_sink(str(path), name, sequence, options=OutputOptions(), account=account) as sink:
            for index, found in enumerate(frames):
                sink.write_record(FrameRecord(index, SIZE, Fraction(index, 25), tuple(found)))
        hidden = account.losses["hidden"].count if "hidden" in account.losses else 0
        assert account.read.objects == total
        assert account.written.objects + account.lost_objects == total + hidden
        if not WRITTEN[name].is_read:
            return
        again, records = read_one(path, format=name)
        found_names = Counter(again.names[item.category_id] for record in records for item in record.objects)
        assert found_names.total() == account.written.objects - hidden
        if not hidden and not {"classes-within-tracks", "class-names"} & account.losses.keys():
            assert found_names == account.written.classes
        kinds = Counter(item.kind for record in records for item in record.objects)
        assert kinds.total() == total - account.lost_objects
        lost_tracks = {"tracks", "untracked", "twice-on-a-frame", "boxes"} & account.losses.keys()
        if WRITTEN[name].holds.tracks and not lost_tracks and not hidden:
            tracks = sorted(item.track or 0 for record in records for item in record.objects)
            assert tracks == sorted(item.track or 0 for found in frames for item in found)


@pytest.mark.parametrize("name", WRITTEN)
def test_every_detail_is_held_or_named(name: str, tmp_path: Path) -> None:
    holds = WRITTEN[name].holds
    mask = Mask.of_polygons([[10, 10, 30, 10, 30, 30, 10, 30]], size=SIZE)
    item = Annotation(
        1, mask.box, 0.5, 4, mask, is_crowd=True, is_ignored=True, is_occluded=True, attributes={"colour": "red"}
    )
    info = SourceInfo("a.mp4", SIZE, Fraction(1, 25), average_rate=Fraction(25))
    account = Account()
    sequence = Sequence(info, Task.DETECT, THINGS, attributes=("colour",))
    record = FrameRecord(0, SIZE, Fraction(7), (item,), name="x.jpg", key_reason="drift")
    with open_record_sink(
        str(tmp_path / PLACES[name]), name, sequence, options=OutputOptions(), account=account
    ) as sink:
        sink.write_record(record)
    wanted = {
        "masks": not holds.masks and not holds.polygons,
        "scores": not holds.scores,
        "tracks": not holds.tracks,
        "crowd-marks": not holds.crowds,
        "ignore-marks": not holds.ignored,
        "occlusion-marks": not holds.occluded,
        "attributes": holds.attributes is not True,
        "times": not holds.times,
        "key-frames": not holds.key_frames,
        "names": not holds.names,
        "class-names": name == "mot",
    }
    assert set(account.losses) == {kind for kind, is_lost in wanted.items() if is_lost}
    assert ("masks-as-outlines" in account.changes) == (not holds.masks and holds.polygons)


def test_outlines_of_a_mask_fill_to_the_same_mask() -> None:
    mask = np.zeros(SIZE, bool)
    mask[5:20, 7:30] = True
    mask[25:40, 40:60] = True
    mask[10, 30:33] = True
    polygons, holes = outlines(Mask.of_array(mask))
    assert (len(polygons), holes) == (2, 0)
    np.testing.assert_array_equal(Mask.of_polygons(polygons, size=SIZE).array, mask)
    mask[8:12, 10:14] = False
    assert outlines(Mask.of_array(mask))[1] == 1


def test_a_report_tells_the_same_as_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "score": 0.5}, {"bbox": BOX, "category_id": 2}])
    report = tmp_path / "report.json"
    target = tmp_path / "y"
    assert main(["convert", str(source), str(target), "--format", "yolo", "--report", str(report)]) == 0
    said = capsys.readouterr().out
    assert "lost: 1 x scores, which yolo does not hold; first: frame 0 (0.jpg), car, x 10 to 30" in said
    assert [line.split() for line in said.splitlines() if "class" in line] == [
        ["class", "car", "1", "1"], ["class", "person", "1", "1"]
    ]  # fmt: skip
    told = json.loads(report.read_text())
    assert told["read"]["classes"] == told["written"]["classes"] == {"car": 1, "person": 1}
    assert [(line["kind"], line["count"]) for line in told["losses"]] == [("scores", 1)]
    assert main(["convert", str(source), str(tmp_path / "z"), "--format", "yolo", "--report", str(report)]) == 1
    assert not (tmp_path / "z").exists()


def test_strict_leaves_a_report_and_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "score": 0.5}])
    report = tmp_path / "report.json"
    command = ["convert", str(source), str(tmp_path / "y"), "--format", "yolo", "--strict", "--report", str(report)]
    assert main(command) == 1
    assert "--strict forbids losses: 1 x scores" in capsys.readouterr().err
    assert json.loads(report.read_text())["losses"][0]["kind"] == "scores"
    assert not (tmp_path / "y").exists()


def test_what_the_user_leaves_out_is_no_loss(tmp_path: Path) -> None:
    entries = [
        {"bbox": BOX, "score": 0.25, "track_id": 1},
        {"bbox": BOX, "score": 0.75, "track_id": 1},
        {"bbox": BOX, "category_id": 2},
        {"image_id": 2, "bbox": BOX, "track_id": 1},
        {"image_id": 2, "bbox": BOX, "track_id": 2},
        {"image_id": 3, "bbox": BOX, "track_id": 1},
    ]
    source = coco_file(tmp_path / "a.json", entries, ["f0.jpg", "f1.jpg", "f2.jpg"])
    done, target = converted(
        source,
        filters=Filters(classes=("car",), score_threshold=0.5),
        min_track=2,
        is_strict=True,
    )
    assert {kind: line.count for kind, line in done.account.asked.items()} == {
        "score-threshold": 1, "classes": 1, "min-track": 1
    }  # fmt: skip
    data = json.loads(target.read_text())
    assert [entry.get("score") for entry in data["annotations"]] == [0.75, None, None]
    assert [category["name"] for category in data["categories"]] == ["car"]
    done, target = converted(source, output=OutputOptions(every=2))
    assert [image["frame_id"] for image in json.loads(target.read_text())["images"]] == [0, 2]


def test_classes_are_numbered_anew_from_a_number(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "car"}, {"id": 7, "name": "person"}]
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "category_id": 7}], categories=categories)
    _, target = converted(source, output=OutputOptions(first_category_id=1))
    data = json.loads(target.read_text())
    assert [(item["id"], item["name"]) for item in data["categories"]] == [(1, "car"), (2, "person")]
    assert data["annotations"][0]["category_id"] == 2


def test_a_models_answers_are_refused_where_a_format_cannot_hold_them(tmp_path: Path) -> None:
    info = SourceInfo("a.mp4", SIZE, Fraction(1, 25))
    sequence = Sequence(info, Task.DETECT, THINGS)
    record = FrameRecord(0, SIZE, Fraction(0), (Annotation(1, (1, 1, 5, 5), 0.5),))
    for name, said in (("masks", "maskrcnn"), ("youtube-vis", "--track")):
        with (
            pytest.raises(OutputError, match=said),
            open_record_sink(str(tmp_path / PLACES[name]), name, sequence, options=OutputOptions()) as sink,
        ):
            sink.write_record(record)


def test_filters_pass_everything_on_by_themselves() -> None:
    record = FrameRecord(3, SIZE, Fraction(0), (Annotation(1, (1, 1, 5, 5)),))
    sequence = Sequence(SourceInfo("a", SIZE, Fraction(1, 25)), Task.DETECT, THINGS)
    account = Account()
    _, records = Filters().applied(Annotated(sequence, iter([record])), account)
    assert list(records) == [record]
    assert not account.asked
