"""The street detector: its maps, its boxes, its norms."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dffcli.categories import Category
from dffcli.core.types import FlowField, Frame
from dffcli.core.warp import warp
from dffcli.errors import WeightsError
from dffcli.models.street.detector import (
    BINS,
    STRIDES,
    StreetDetector,
    boxes_from_distances,
    mean_distances,
    place_centres,
)
from dffcli.models.street.detector_model import (
    EVEN_SCORE,
    HeadSettings,
    StreetDetModel,
    build,
    export,
    start_from,
)
from dffcli.models.street.network import StreetShape, fold_norms

SMALL = StreetShape(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1))
PAIR = (Category(1, "person", (255, 0, 0)), Category(3, "car", (0, 255, 0)))


def small_detector(classes: int = 2) -> StreetDetector:
    torch.manual_seed(0)
    return StreetDetector(classes=classes, shape=SMALL, width=16, box_width=16)


def small_model(size: int = 64, **settings: float) -> StreetDetModel:
    return StreetDetModel(
        small_detector(),
        categories=PAIR,
        input_size=size,
        settings=HeadSettings(**settings),  # type: ignore[arg-type]
    )


def frame_of(height: int, width: int) -> Frame:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(0, image, Fraction(0))


def one_object(model: StreetDetModel, frame: Frame) -> tuple[torch.Tensor, ...]:
    """Maps that tell of one car at stride 8, row 2, column 3: sides 1, 2, 3 and 1 strides away."""
    height, width = model.prepare(frame).padded_size
    maps = [torch.zeros(1, 6, height // s, width // s) for s in STRIDES]
    for values in maps:
        values[:, :2] = -20
    maps[0][0, 1, 2, 3] = 2.0
    maps[0][0, 2:, 2, 3] = torch.tensor([1.0, 2.0, 3.0, 1.0])
    return tuple(maps)


def test_maps_span_the_padded_input_at_every_stride() -> None:
    model = small_model()
    image = model.prepare(frame_of(48, 90))
    assert image.content_size == (34, 64)
    assert image.padded_size == (64, 64)
    assert [tuple(values.shape) for values in model.features(image)] == [(1, 6, 64 // s, 64 // s) for s in STRIDES]


def test_certain_sides_are_read_as_their_bin() -> None:
    logits = torch.full((1, 4 * BINS, 1, 1), -30.0)
    for side, distance in enumerate((0, 3, 7, BINS - 1)):
        logits[0, side * BINS + distance] = 30.0
    assert mean_distances(logits).flatten().tolist() == pytest.approx([0, 3, 7, BINS - 1], abs=1e-4)


def test_distances_from_a_centre_give_back_the_box() -> None:
    centres = place_centres(2, 3, 8)
    assert centres[4].tolist() == [12, 12]
    box = boxes_from_distances(centres[4], torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert box.tolist() == [11, 10, 15, 16]


def test_a_told_object_is_found_in_frame_pixels() -> None:
    model, frame = small_model(), frame_of(128, 128)  # input 64 x 64: two frame pixels to an input pixel
    found = model.head(one_object(model, frame), model.prepare(frame), is_key=True)
    assert found.category_ids.tolist() == [3]
    odds = np.exp(2.0) * (1 - EVEN_SCORE) / EVEN_SCORE  # EVEN_SCORE is told as 0.5
    assert found.scores[0] == pytest.approx(odds / (1 + odds), abs=1e-5)
    # centre of column 3, row 2 at stride 8: (28, 20)
    assert found.boxes[0].tolist() == pytest.approx([2 * 20, 2 * 4, 2 * 52, 2 * 28])


def test_maps_carried_by_a_flow_of_one_cell_move_the_box_by_one_stride() -> None:
    model, frame = small_model(), frame_of(64, 64)
    maps = one_object(model, frame)
    displacement = torch.zeros(1, 2, 8, 8)
    displacement[:, 0] = -1.0  # what is here was one cell further left
    carried = warp(maps, FlowField(displacement))
    before = model.head(maps, model.prepare(frame), is_key=True)
    after = model.head(carried, model.prepare(frame), is_key=False)
    assert after.boxes[0].tolist() == pytest.approx((before.boxes[0] + [8, 0, 8, 0]).tolist(), abs=1e-3)


def test_doubles_of_one_class_are_dropped_and_other_classes_stay() -> None:
    model, frame = small_model(), frame_of(64, 64)
    maps = one_object(model, frame)
    maps[0][0, 1, 2, 4] = 1.0  # the neighbour draws the same box
    maps[0][0, 2:, 2, 4] = torch.tensor([2.0, 2.0, 2.0, 1.0])
    maps[0][0, 0, 2, 3] = 0.5  # and a person is there as well
    found = model.head(maps, model.prepare(frame), is_key=True)
    assert found.category_ids.tolist() == [3, 1]


def test_nothing_certain_enough_is_no_box() -> None:
    model, frame = small_model(min_score=0.99), frame_of(64, 64)
    found = model.head(one_object(model, frame), model.prepare(frame), is_key=True)
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def test_folded_norms_change_nothing() -> None:
    detector = small_detector()
    detector.train()
    picture = torch.randn(2, 3, 64, 64)
    for _ in range(3):
        detector(picture)  # moves the running means
    detector.eval()
    with torch.no_grad():
        before = detector.dense_maps(picture)
        fold_norms(detector)
        after = detector.dense_maps(picture)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)


def test_a_network_to_start_from_keeps_what_it_knows_of_a_class(tmp_path: Path) -> None:
    known = small_detector()
    export(tmp_path / "known.safetensors", known, categories=PAIR, input_size=64)
    wanted = (Category(9, "dog", (1, 2, 3)), Category(4, "Car", (1, 2, 3)), Category(5, "cat", (1, 2, 3)))
    started = start_from(tmp_path / "known.safetensors", categories=wanted)
    for mine, theirs in zip(started.heads, known.heads, strict=True):
        assert mine.class_logits.weight.shape[0] == 3
        torch.testing.assert_close(mine.class_logits.weight[1], theirs.class_logits.weight[1], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        started.backbone.stem[0].conv.weight, known.backbone.stem[0].conv.weight, atol=1e-3, rtol=1e-3
    )
    with pytest.raises(WeightsError):
        start_from(tmp_path / "nothing.safetensors", categories=wanted)


def test_a_written_detector_answers_the_same(tmp_path: Path) -> None:
    export(tmp_path / "it.safetensors", small_detector(), categories=PAIR, input_size=64)
    built = build("street-det", weights=tmp_path / "it.safetensors")
    assert built.model.categories == PAIR
    image, frame = small_model(), frame_of(64, 64)
    first = image.features(image.prepare(frame))
    second = built.model.features(built.model.prepare(frame))
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, atol=2e-2, rtol=2e-2)  # the file holds half precision
    assert build("street-det", weights="random").is_random


@pytest.mark.parametrize("lowest", [0.1, 0.4, 0.7, 1.0])
def test_what_is_not_asked_for_changes_nothing_else(lowest: float) -> None:
    model = small_model(min_score=0.001)
    frame = frame_of(48, 64)
    image = model.prepare(frame)
    features = tuple(torch.randn_like(values) for values in model.features(image))
    everything = model.head(features, image, is_key=True)
    model = model.with_lowest_score(lowest)
    asked = model.head(features, image, is_key=True)

    assert len(everything) > 5
    wanted = everything.select(everything.scores >= lowest)
    assert asked.scores.tolist() == wanted.scores.tolist()
    assert asked.boxes.tolist() == wanted.boxes.tolist()
