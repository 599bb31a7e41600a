"""What is written is read back as it was, and from one format into another."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dffcli.core.types import Task
from dffcli.errors import DataError, DFFError, OutputError
from dffcli.formats.convert import convert
from dffcli.formats.reading import Given
from dffcli.formats.record import FrameRecord
from tests.formats.samples import (
    NOTHING,
    RATE,
    SIZE,
    box_records,
    boxes_of,
    map_records,
    read_one,
    sequence_of,
    write,
)

BOX_FORMATS = {
    "coco": "a.json",
    "cocovid": "a.cocovid.json",
    "label-studio": "a.label-studio.json",
    "cvat": "a.xml",
    "mot": "mot",
    "yolo-results": "yolo",
}


def read(path: Path, given: Given = NOTHING) -> list[FrameRecord]:
    """Records under the ids of the samples: formats that know classes by name number them anew."""
    sequence, records = read_one(path, given)
    ids = {"person": 1, "car & van": 3}
    names = sequence.names
    if sequence.task is Task.SEGMENT:
        return records
    return [
        replace(item, objects=tuple(replace(one, category_id=ids[names[one.category_id]]) for one in item.objects))
        for item in records
    ]


def assert_same_boxes(
    found: list[FrameRecord], expected: list[FrameRecord], *, atol: float = 0.01, scores: bool = True
) -> None:
    assert [item.index for item in found] == [item.index for item in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.size == other.size
        mine = sorted(one.objects, key=lambda item: item.category_id)
        theirs = sorted(other.objects, key=lambda item: item.category_id)
        assert [item.category_id for item in mine] == [item.category_id for item in theirs]
        assert [item.track for item in mine] == [item.track for item in theirs]
        np.testing.assert_allclose([item.box for item in mine], [item.box for item in theirs], atol=atol)
        if scores:
            np.testing.assert_allclose([item.score for item in mine], [item.score for item in theirs], atol=1e-3)


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(("format", "name"), BOX_FORMATS.items())
def test_boxes_come_back_as_they_were(tmp_path: Path, format: str, name: str, tracked: bool) -> None:
    records = box_records(tracked=tracked)
    path = write(tmp_path / name, records, sequence_of(Task.DETECT), format=format)
    found = read(path, Given(rate=RATE) if format == "cvat" else NOTHING)  # CVAT knows frames, no times
    # Label Studio has one score for a whole track
    assert_same_boxes(found, records, scores=not (format == "label-studio" and tracked))
    for one, other in zip(found, records, strict=True):
        assert abs(one.pts_seconds - other.pts_seconds) < Fraction(1, 10_000)


def test_coco_keeps_times_and_key_frames_exactly(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1, 7), Fraction(1001, 3), Fraction(1002, 3), Fraction(400), Fraction(500)]
    records = [replace(item, pts_seconds=time) for item, time in zip(box_records(), times, strict=True)]
    found = read(write(tmp_path / "a.json", records, sequence_of(Task.DETECT)))
    assert [item.pts_seconds for item in found] == times
    assert [item.key_reason for item in found] == [item.key_reason for item in records]
    assert [item.key_indices for item in found] == [item.key_indices for item in records]


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.youtube-vis.json", "masks"])
def test_instance_masks_come_back(tmp_path: Path, name: str) -> None:
    records = box_records(masks=True)
    found = read(write(tmp_path / name, records, sequence_of(Task.DETECT)))
    assert_same_boxes(found, records, atol=0.76, scores="youtube" not in name)  # masks have whole pixels
    for one, other in zip(found, records, strict=True):
        mine = sorted(one.objects, key=lambda item: item.category_id)
        for item, expected in zip(mine, other.objects, strict=True):
            assert item.mask is not None
            assert expected.mask is not None
            np.testing.assert_array_equal(item.mask.array, expected.mask.array)


@pytest.mark.parametrize(
    ("name", "mask_ids"),
    [("a.json", "classes"), ("a.cocovid.json", "classes"), ("m", "classes"), ("m", "voc"), ("m", "raw"),
     ("m", "cityscapes")],
)  # fmt: skip
def test_label_maps_come_back(tmp_path: Path, name: str, mask_ids: str) -> None:
    records = map_records()
    found = read(write(tmp_path / name, records, sequence_of(Task.SEGMENT), mask_ids=mask_ids))
    for one, other in zip(found, records, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.pts_seconds == other.pts_seconds


def test_label_maps_come_back_from_cvat_under_new_ids(tmp_path: Path) -> None:
    records = map_records()
    path = write(tmp_path / "a.xml", records, sequence_of(Task.SEGMENT))
    sequence, found = read_one(path)
    new = {name: number for number, name in sequence.names.items()}
    table = np.full(256, 255, np.uint8)
    table[[0, 1, 5]] = [new["sky"], new["road"], new["car"]]
    for one, other in zip(found, records, strict=True):
        np.testing.assert_array_equal(one.labels, table[other.labels])


@pytest.mark.parametrize("middle", ["a.xml", "a.cocovid.json", "a.label-studio.json"])
def test_a_chain_of_conversions_loses_no_box(tmp_path: Path, middle: str) -> None:
    first = write(tmp_path / "first.json", box_records(), sequence_of(Task.DETECT))
    convert(str(first), str(tmp_path / middle))
    result = convert(str(tmp_path / middle), str(tmp_path / "last.json"))
    assert (result.written_format, result.account.written.frames) == ("coco", 6)
    assert not result.account.losses
    assert_same_boxes(read(tmp_path / "last.json"), box_records(), scores="label" not in middle)


def test_cvat_boxes_between_key_frames_are_interpolated(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    box = '<box frame="{}" keyframe="1" outside="{}" occluded="0" xtl="{}" ytl="0" xbr="{}" ybr="10"></box>'
    path.write_text(
        "<annotations><meta><task><size>8</size><original_size><width>64</width><height>48</height></original_size>"
        '</task></meta><track id="0" label="person">'
        + box.format(1, 0, 10, 20) + box.format(5, 0, 30, 40) + box.format(6, 1, 30, 40)
        + "</track></annotations>"
    )  # fmt: skip
    lefts = [boxes_of(item)[:, 0].tolist() for item in read(path)]
    assert lefts == [[], [10], [15], [20], [25], [30], [], []]


def test_what_cannot_be_held_is_refused(tmp_path: Path) -> None:
    maps = write(tmp_path / "a.json", map_records(), sequence_of(Task.SEGMENT))
    for target in ("b.txt", "b.label-studio.json", "b.mp4", "b.youtube-vis.json"):
        with pytest.raises(OutputError):
            convert(str(maps), str(tmp_path / target))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json"]


def test_a_results_list_is_explained(tmp_path: Path) -> None:
    path = write(tmp_path / "a.results.json", box_records(), sequence_of(Task.DETECT))
    with pytest.raises(DataError, match="cannot be read"):
        read_one(path)


def test_yolo_folders_of_others_need_a_size(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("person\ncar & van\n")
    (tmp_path / "f2.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "f10.txt").write_text("")
    with pytest.raises(DataError, match="--size"):
        read_one(tmp_path)
    found = read(tmp_path, Given(size=SIZE, rate=RATE))
    assert [(item.index, item.name, len(item.objects)) for item in found] == [(2, "f2.jpg", 1), (10, "f10.jpg", 0)]
    assert boxes_of(found[0]).tolist() == [[24, 12, 40, 36]]


BROKEN = {
    "empty.json": "",
    "deep.json": "[" * 100_000,
    "list.json": "[1]",
    "text.json": '"hello"',
    "nan.json": '{"images":[{"id":1,"width":4,"height":4}],"categories":[{"id":1,"name":"a"}],'
    '"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[NaN,0,1,1]}]}',
    "huge.json": '{"images":[{"id":1,"width":1000000,"height":1000000}],"categories":[],"annotations":[]}',
    "orphan.json": '{"images":[{"id":1,"width":4,"height":4}],"categories":[{"id":1,"name":"a"}],'
    '"annotations":[{"id":1,"image_id":2,"category_id":1,"bbox":[0,0,1,1]}]}',
    "unknown.json": '{"images":[{"id":1,"width":4,"height":4}],"categories":[],'
    '"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1]}]}',
    "rle.json": '{"images":[{"id":1,"width":4,"height":4}],"categories":[{"id":1,"name":"a"}],"annotations":[{"id":1,'
    '"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":{"size":[4,4],"counts":"00000000"}}]}',
    "empty.xml": "",
    "other.xml": "<html></html>",
    "bomb.xml": '<!DOCTYPE a [<!ENTITY b "bbbb">]><annotations>&b;</annotations>',
    "cut.xml": "<annotations><meta></meta><track id='0' label='a'><box frame='0'",
    "polygon.xml": "<annotations><track id='0' label='a'><polygon frame='0' points='1,2'/></track></annotations>",
    "words.txt": "these are words",
    "infinite.txt": "1,1,inf,0,1,1,1",
    "frame.txt": "99999999999,1,0,0,1,1,1",
    "binary.txt": "\udcff\x00",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_end_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name].encode("utf-8", "surrogateescape"))
    with pytest.raises(DFFError) as caught:
        convert(str(path), str(tmp_path / "out.cocovid.json"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.cocovid.json").exists()


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such"):
        read_one(tmp_path / "none.json")


def test_a_table_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "masks", map_records(1), sequence_of(Task.SEGMENT))
    table = folder / "frames.csv"
    table.write_text(table.read_text().replace("000000.png", "../../secret.png"))
    with pytest.raises(DataError, match="elsewhere"):
        read(folder)
