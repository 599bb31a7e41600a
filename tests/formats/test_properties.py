"""Whatever is annotated comes back: masks, label maps, and boxes through every format that holds them."""

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as coco_mask

from dffcli.core.types import Task
from dffcli.formats.palette import voc_palette
from dffcli.formats.png import encode_png
from dffcli.formats.record import Annotation, FrameRecord
from dffcli.formats.rle import decode_mask, encode_label_map, encode_mask, mask_runs, rle_area
from tests.formats.samples import SIZE, THINGS, boxes_of, read_one, sequence_of, write

quick = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
few = settings(deadline=None, max_examples=8)
shapes = array_shapes(min_dims=2, max_dims=2, max_side=24)
masks = arrays(bool, shapes)
label_maps = arrays(np.uint8, shapes, elements=st.sampled_from([0, 1, 2, 7, 255]))


@quick
@given(masks)
def test_any_mask_survives_run_lengths(mask: np.ndarray) -> None:
    rle = encode_mask(mask)
    np.testing.assert_array_equal(decode_mask(rle, size=mask.shape, where="here"), mask)
    assert rle_area(rle) == mask.sum()


@quick
@given(masks)
def test_plain_run_lengths_are_understood_too(mask: np.ndarray) -> None:
    runs = mask_runs(mask.T)
    plain = {"size": list(mask.shape), "counts": runs}
    np.testing.assert_array_equal(decode_mask(plain, size=mask.shape, where="here"), mask)
    assert sum(runs) == mask.size


@quick
@given(label_maps)
def test_label_maps_split_into_the_masks_pycocotools_would_give(labels: np.ndarray) -> None:
    found = encode_label_map(labels)
    assert set(found) == set(np.unique(labels))
    for value, rle in found.items():
        expected = coco_mask.encode(np.asfortranarray(labels == value, np.uint8))
        assert rle == {"size": list(labels.shape), "counts": expected["counts"].decode()}


@quick
@given(label_maps)
def test_any_label_map_survives_a_png(labels: np.ndarray) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.png")
        path.write_bytes(encode_png(labels, palette=voc_palette()))
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), labels)


@st.composite
def videos(draw: st.DrawFn) -> list[FrameRecord]:
    """Up to five frames of tracked boxes inside the picture."""
    h, w = SIZE
    records = []
    for index in range(draw(st.integers(1, 5))):
        tracks = draw(st.lists(st.integers(1, 4), unique=True, max_size=4))
        objects = []
        for track in tracks:
            x, y = draw(st.integers(0, w - 2)), draw(st.integers(0, h - 2))
            box = (x, y, draw(st.integers(x + 1, w)), draw(st.integers(y + 1, h)))
            objects.append(Annotation(THINGS[track % 2].id, box, draw(st.integers(1, 100)) / 100, track))
        records.append(FrameRecord(index, SIZE, Fraction(index, 25), tuple(objects)))
    return records


def rows(records: list[FrameRecord]) -> list[list[tuple[int, ...]]]:
    """Boxes of every frame on whole pixels, in a fixed order."""
    return [sorted(tuple(int(side) for side in np.round(box)) for box in boxes_of(record)) for record in records]


@few
@given(videos())
@pytest.mark.parametrize(
    ("name", "format"),
    [("a.json", None), ("a.cocovid.json", None), ("a.xml", None), ("mot", "mot"), ("yolo", "yolo"),
     ("a.label-studio.json", None)],
)  # fmt: skip
def test_any_boxes_survive_any_format(name: str, format: str | None, records: list[FrameRecord]) -> None:
    with TemporaryDirectory() as folder:
        options = {} if format is None else {"format": format}
        path = write(Path(folder, name), records, sequence_of(Task.DETECT), **options, keyframe_tolerance=0.0)
        found = read_one(path, format=format)[1]
    assert rows(found) == rows(records)


@few
@given(st.lists(arrays(np.uint8, SIZE, elements=st.sampled_from([0, 1, 5, 255])), min_size=1, max_size=2))
@pytest.mark.parametrize("name", ["a.json", "masks"])
def test_any_label_maps_survive_any_format(name: str, maps: list[np.ndarray]) -> None:
    records = [FrameRecord(index, SIZE, Fraction(index), labels=labels) for index, labels in enumerate(maps)]
    with TemporaryDirectory() as folder:
        path = write(Path(folder, name), records, sequence_of(Task.SEGMENT))
        for record, labels in zip(read_one(path)[1], maps, strict=True):
            np.testing.assert_array_equal(record.labels, labels)
