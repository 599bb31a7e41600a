"""Files that attack: they end in one line, soon and in little memory, or are read as far as they make sense."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dffcli.errors import DataError, DFFError
from dffcli.formats.numbers import fraction
from dffcli.formats.reading import Budget
from tests.formats.foreign import CATEGORIES, SIZE_GIVEN, as_coco, box, coco_file, converted, cvat_file, yolo_folder

BOX = [1, 1, 5, 5]
LIMIT = 4 << 30  # bytes of address space


def run(*arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """`dff convert` in a process of its own, which may crash."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

    command = [sys.executable, "-m", "dffcli", "convert", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, preexec_fn=limit, check=False)


POLYGONS = [
    [0, 0, float("nan"), 0, 5, 5],
    [0, 0, float("inf"), 0, 5, 5],
    [0, 0, 1e300, 0, 5, 5],
    [0, 0, -1e9, 0, 5, 5],
    [0, 0, 1e9, 0, 1e9, 1e9, 0, 1e9],
    [0, 0, 90_000.0, 0] * 500,
    [0.0] * 400_000,
]


@pytest.mark.parametrize("polygon", POLYGONS, ids=range(len(POLYGONS)))
@pytest.mark.parametrize("name", ["out.json", "out.xml"])
def test_no_polygon_reaches_pycocotools_unchecked(tmp_path: Path, polygon: list[float], name: str) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "segmentation": [polygon]}, {"bbox": BOX}])
    done, _ = converted(source, name)
    assert done.account.losses["unreadable-outlines"].count == 1
    assert done.account.written.objects == 2


@pytest.mark.slow
def test_a_polygon_that_crashed_ends_well_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"segmentation": [POLYGONS[0]]}])
    done = run(str(source), str(tmp_path / "out.xml"))
    assert done.returncode == 1
    assert "annotation 1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["1e999999999", "1e-999999999", "9" * 40, "1/0", "nan", "1_000", "٣", "0x10", ""])
def test_a_number_that_takes_for_ever_is_none(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match="expected a number like"):
        fraction(text, what="rate")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("more", [{"info": {"frame_rate": "1e999999999"}}, {"info": {"frame_rate": "1e-999999999"}}])
def test_a_rate_that_takes_for_ever_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    with pytest.raises(DataError, match="frame rate"):
        converted(coco_file(tmp_path / "a.json", [{"bbox": BOX}], **more))


def test_gaps_of_millions_of_frames_are_counted_before_they_are_filled(tmp_path: Path) -> None:
    tracks = "".join(f'<track id="{n}" label="car">{box(0, 1)}{box(1_999_999, 1)}</track>' for n in range(12))
    with pytest.raises(DataError, match=r"at most 5,000,000 objects .* found 24,000,000 \(see --budget\)"):
        converted(cvat_file(tmp_path / "a.xml", tracks))
    few = f'<track id="0" label="car">{box(0, 1)}{box(999, 1)}</track>'
    with pytest.raises(DataError, match="found 1,000"):
        converted(cvat_file(tmp_path / "b.xml", few), budget=Budget(objects=999))


def test_large_masks_wait_as_run_lengths(tmp_path: Path) -> None:
    mask = {"size": [8192, 8192], "counts": [67108864]}
    images = [{"id": 1, "file_name": "a.jpg", "width": 8192, "height": 8192}]
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "segmentation": mask}] * 300, images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done, _ = converted(source)
    assert done.account.written.kinds["mask"] == 300
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB; as arrays they are 20 GB


@pytest.mark.parametrize(
    "yaml",
    [
        "names:[\n" * 20_000,
        "names: " + "[" * 50_000,
        "- " * 100_000,
        "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(2000)) + "names: *a\n",
        "\n" * 200_000,
        "? " * 50_000,
        "names: {" + ",".join(f"{n}: a" for n in range(3)) + ", 99999999999: b}",
    ],
    ids=range(7),
)
def test_hostile_yaml_ends_soon(tmp_path: Path, yaml: str) -> None:
    folder = yolo_folder(tmp_path / "y", {"labels/a.txt": "0 .5 .5 .1 .1\n", "data.yaml": yaml}, names="")
    started = time.monotonic()
    with pytest.raises(DataError) as caught:
        converted(folder, given=SIZE_GIVEN)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("before", ["", "<!--" + "x" * 70_000 + "-->"])
def test_document_types_are_refused_wherever_they_stand(tmp_path: Path, before: str) -> None:
    path = tmp_path / "a.xml"
    entities = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    path.write_text(f'<?xml version="1.0"?>{before}{entities}<annotations>&c;</annotations>')
    with pytest.raises(DataError, match="without a document type"):
        converted(path)


NAMES = [
    "a\x00b.jpg",
    "\ud800.jpg",
    "a\x1b[31mb.jpg",
    "a\nb.jpg",
    "..\\..\\up.jpg",
    "a\u2028b.jpg",
    "x" * 5000 + ".jpg",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("target", ["out.json", "y", "out.xml", "out.labelstudio.json", "out.txt"])
def test_any_name_of_a_picture_ends_up_as_a_safe_one(tmp_path: Path, name: str, target: str) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX}], [name])
    done, out = converted(source, target, format="yolo" if target == "y" else None)
    assert done.account.written.objects == 1
    for path in [out, *out.rglob("*")]:
        assert str(path).isprintable()
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("name", ["car\nbus", "\udcff", "a\x1b[31m", "\x00", "[bold]red[/bold]", "<b>&amp;</b>", '"'])
@pytest.mark.parametrize("target", ["b.json", "y", "out.xml", "out.labelstudio.json", "mot"])
def test_any_name_of_a_class_stays_one_class(tmp_path: Path, name: str, target: str) -> None:
    categories = [{"id": 1, "name": name}, {"id": 2, "name": "second"}]
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX, "category_id": 2}], categories=categories)
    _, out = converted(source, target, format={"y": "yolo", "mot": "mot"}.get(target))
    data = as_coco(out)
    by_id = {item["id"]: item["name"] for item in data["categories"]}
    assert [by_id[entry["category_id"]] for entry in data["annotations"]] == ["second"]


def test_pipes_and_circles_among_labels_are_named(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "y", {"labels/a.txt": "0 .5 .5 .1 .1\n"})
    (folder / "labels" / "again").symlink_to(folder / "labels")
    assert len(as_coco(folder, given=SIZE_GIVEN)["images"]) == 1
    os.mkfifo(folder / "labels" / "b.txt")
    with pytest.raises(DataError, match=r"b\.txt: expected a file, found something else"):
        as_coco(folder, given=SIZE_GIVEN)
    (folder / "labels" / "b.txt").unlink()
    (folder / "labels" / "b.txt").symlink_to(folder / "labels" / "b.txt")
    with pytest.raises(DataError, match="cannot be read"):
        as_coco(folder, given=SIZE_GIVEN)


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.txt"])
def test_a_pipe_is_no_annotation_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="expected a file, found something else"):
        converted(tmp_path / name)


def test_a_text_beyond_the_budget_is_refused(tmp_path: Path) -> None:
    source = coco_file(tmp_path / "a.json", [{"bbox": BOX}] * 100)
    with pytest.raises(DataError, match=r"MB of text.*--budget"):
        converted(source, budget=Budget(text_bytes=1000))
    with pytest.raises(DataError, match="at most 50 annotations, found 100"):
        converted(source, budget=Budget(objects=50))
    converted(source, budget=Budget(objects=50).times(2))


NUMBERS = ["1e400", "-1e400", "9" * 400, "9" * 5000, "true", "null", "[]", "{}", '"x"', "1e-400", str(2**63), "NaN"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", ["id", "image_id", "category_id", "bbox", "score", "track_id", "width", "frame_id"])
def test_any_number_anywhere_ends_in_a_file_or_one_line(tmp_path: Path, number: str, place: str) -> None:
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.5, "track_id": 3}
    image = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48, "frame_id": 0}
    holder = entry if place in entry else image
    holder[place] = [1, "HERE", 2, 2] if place == "bbox" else "HERE"
    text = json.dumps({"images": [image], "annotations": [entry], "categories": CATEGORIES})
    (tmp_path / "a.json").write_text(text.replace('"HERE"', number))
    for target in ("out.json", "out.xml", "out.txt"):
        said = ""
        try:
            done, _ = converted(tmp_path / "a.json", target)
        except DFFError as error:
            said = str(error)
        else:
            assert done.account.written.objects + done.account.lost_objects == 1
        assert "\n" not in said
