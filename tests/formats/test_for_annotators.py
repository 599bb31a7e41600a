"""Files made for correcting and training: few key frames, pictures beside their labels, labels for the tool."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence as Rows
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dffcli.core.types import Detections, Frame, FrameResult, KeyReason, SourceInfo, Task
from dffcli.errors import OutputError
from dffcli.evaluation.detection_readers import read_detection_data
from dffcli.formats.record import Sequence
from dffcli.formats.registry import check_options, open_record_sink
from dffcli.formats.sink import OutputOptions
from dffcli.formats.sparse import key_places
from tests.formats.samples import SIZE, THINGS, box_records, read_one, sequence_of, write

INFO = SourceInfo("clip.mp4", SIZE, Fraction(1, 25), average_rate=Fraction(25))


def result(index: int, tracks: Rows[int] = (1,), *, name: str | None = None) -> FrameResult:
    """A grey frame, brighter from frame to frame, with a box for each track."""
    frame = Frame(index, np.full((*SIZE, 3), (10 * index, 0, 200), np.uint8), Fraction(index, 25), name=name)
    found = Detections(
        np.array([[4 + index, 4, 20 + index, 20]] * len(tracks), np.float32).reshape(-1, 4),
        np.full(len(tracks), 0.75, np.float32),
        np.full(len(tracks), 1, np.int64),
        track_ids=np.array(tracks, np.int64),
    )
    return FrameResult(frame, found, KeyReason.INTERVAL if index % 4 == 0 else None, (index - index % 4,))


def run(path: Path, name: str, results: Rows[FrameResult], options: OutputOptions, *, min_track: int = 1) -> Path:
    sequence = Sequence(INFO, Task.DETECT, THINGS)
    with open_record_sink(str(path), name, sequence, options=options, min_track=min_track) as sink:
        for item in results:
            sink.write(item)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("name", ["yolo", "coco", "mot"])
def test_saved_pictures_are_those_that_the_labels_name(tmp_path: Path, name: str, suffix: str) -> None:
    options = OutputOptions(save_frames=suffix, every=2)  # type: ignore[arg-type]
    folder = run(tmp_path / "set", name, [result(index) for index in range(5)], options)
    pictures = sorted(path for path in folder.rglob(f"*.{suffix}"))
    assert [path.stem for path in pictures] == {
        "yolo": ["000000", "000002", "000004"],
        "coco": ["000000", "000002", "000004"],
        "mot": ["000001", "000003", "000005"],
    }[name]
    red = [cv2.imread(str(path))[0, 0, 2] for path in pictures]
    np.testing.assert_allclose(red, [0, 20, 40], atol=2)
    data = read_detection_data(folder)  # what dff train reads
    frames = [frame for sequence in data.sequences for frame in sequence.frames if frame.labels]
    assert [frame.path for frame in frames] == pictures
    assert [frame.labels.boxes[0].round(2).tolist() for frame in frames if frame.labels] == [
        [4, 4, 20, 20], [6, 4, 22, 20], [8, 4, 24, 20]
    ]  # fmt: skip


def test_stills_are_saved_under_their_own_names(tmp_path: Path) -> None:
    results = [result(0, name="b.tif"), result(1, name="a.jpg")]
    folder = run(tmp_path / "set", "coco", results, OutputOptions(save_frames="png"))
    data = json.loads((folder / "annotations.json").read_text())
    assert [image["file_name"] for image in data["images"]] == ["b.png", "a.png"]
    assert sorted(path.name for path in (folder / "images").iterdir()) == ["a.png", "b.png"]


def test_key_frames_alone_or_every_second_frame_keep_their_numbers(tmp_path: Path) -> None:
    results = [result(index) for index in range(9)]
    path = run(tmp_path / "keys.json", "coco", results, OutputOptions(only_key_frames=True))
    assert [record.index for record in read_one(path)[1]] == [0, 4, 8]
    path = run(tmp_path / "seconds.txt", "mot", results, OutputOptions(every=3))
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["1", "4", "7"]
    path = run(tmp_path / "seconds.xml", "cvat", results, OutputOptions(every=3))
    assert [record.index for record in read_one(path)[1]] == [0, 3, 6]
    path = run(tmp_path / "seconds.labelstudio.json", "label-studio", results, OutputOptions(every=3))
    boxes = {record.index: record.objects[0].box[0] for record in read_one(path)[1] if record.objects}
    assert boxes == pytest.approx({index: 4 + index for index in range(7)})


@pytest.mark.parametrize("name", ["coco", "cvat", "mot", "label-studio"])
def test_frames_of_a_part_keep_their_numbers_in_the_source(tmp_path: Path, name: str) -> None:
    ending = {"coco": "a.json", "cvat": "a.xml", "mot": "a.txt", "label-studio": "a.labelstudio.json"}[name]
    info = replace(INFO, start_seconds=Fraction(2), clock_zero_seconds=Fraction(1))
    sequence = Sequence(info, Task.DETECT, THINGS)
    with open_record_sink(str(tmp_path / ending), name, sequence, options=OutputOptions()) as sink:
        for index in range(3):
            one = result(index)
            sink.write(replace(one, frame=replace(one.frame, pts_seconds=Fraction(3) + Fraction(index, 25))))
    records = [record for record in read_one(tmp_path / ending)[1] if record.objects]
    assert [record.index for record in records] == [50, 51, 52]


@pytest.mark.parametrize("name", ["yolo", "coco"])
def test_stills_that_ask_for_one_file_are_refused_before_the_first(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "stills"
    folder.mkdir()
    for picture in ("a.jpg", "a.png"):
        cv2.imwrite(str(folder / picture), np.zeros((*SIZE, 3), np.uint8))
    sequence = Sequence(replace(INFO, path=str(folder)), Task.DETECT, THINGS)
    if name == "coco":  # one file holds them all
        open_record_sink(str(tmp_path / "a.json"), name, sequence, options=OutputOptions())
        return
    with pytest.raises(OutputError, match=r"a\.png and a\.jpg would both have the file a\.txt"):
        open_record_sink(str(tmp_path / "y"), name, sequence, options=OutputOptions())


@pytest.mark.parametrize("name", ["coco", "cvat", "mot", "label-studio"])
def test_short_tracks_are_left_out_of_every_output(tmp_path: Path, name: str) -> None:
    results = [result(0, (1, 2)), result(1, (1,)), result(2, (1, 3)), result(3, (3,))]
    ending = {"coco": "a.json", "cvat": "a.xml", "mot": "a.txt", "label-studio": "a.labelstudio.json"}[name]
    path = run(tmp_path / ending, name, results, OutputOptions(), min_track=3)
    found = {item.track for record in read_one(path)[1] for item in record.objects}
    assert found == {1}


def test_options_that_no_output_can_follow_are_refused() -> None:
    with pytest.raises(OutputError, match="--save-frames"):
        check_options([("a.json", "coco"), ("m", "masks")], OutputOptions(save_frames="jpg"))
    check_options([("a.mp4", "video"), ("set", "coco")], OutputOptions(save_frames="jpg"))


def test_label_studio_finds_its_video_rate_and_interface(tmp_path: Path) -> None:
    options = OutputOptions(media_url="/data/local-files/?d=clips/")
    path = run(tmp_path / "a.labelstudio.json", "label-studio", [result(0), result(1)], options)
    (task,) = json.loads(path.read_text())
    assert task["data"] == {"video": "/data/local-files/?d=clips/clip.mp4", "fps": 25.0}
    assert read_one(path)[0].info.name == "clip.mp4"
    view = ElementTree.parse(tmp_path / "a.labelstudio.config.xml").getroot()
    assert [label.get("value") for label in view.iter("Label")] == ["person", "car & van"]
    region = task["predictions"][0]["result"][0]
    rectangle, video = view.find("VideoRectangle"), view.find("Video")
    assert rectangle is not None
    assert video is not None
    assert (region["from_name"], region["to_name"]) == (rectangle.get("name"), video.get("name"))
    assert (video.get("value"), video.get("framerate")) == ("$video", "$fps")


def test_cvat_gets_the_labels_of_its_task(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", box_records(), sequence_of(Task.DETECT))
    labels = json.loads((tmp_path / "a.labels.json").read_text())
    assert [label["name"] for label in labels] == ["person", "car & van"]
    assert [attribute["name"] for attribute in labels[0]["attributes"]] == ["score"]


def test_a_file_beside_the_output_is_never_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.labels.json").write_text("mine")
    sequence = Sequence(INFO, Task.DETECT, THINGS)
    with open_record_sink(str(tmp_path / "a.xml"), "cvat", sequence, options=OutputOptions()) as sink:
        sink.write(result(0))
    assert (tmp_path / "a.labels.json").read_text() == "mine"
    assert "exists and is kept" in sink.notes[0]


def test_key_places_are_where_a_line_would_be_off() -> None:
    boxes = [(x, 0.0, x + 10, 10.0) for x in (0.0, 1, 2, 3, 10, 11, 12)]
    forced = [False] * 7
    assert key_places(range(7), boxes, forced, tolerance=0.5) == {0, 3, 4, 6}
    assert key_places(range(7), boxes, forced, tolerance=100) == {0, 6}
    assert key_places(range(7), boxes, [False, False, True, *[False] * 4], tolerance=100) == {0, 2, 6}
    assert key_places([5], boxes[:1], [False], tolerance=1) == {0}
