"""The bundled detector as a model: boxes in frame pixels, one scale of scores, files."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dffcli.categories import COCO, Category
from dffcli.core.types import BoxMaps, FlowField, Frame
from dffcli.core.warp import warp
from dffcli.errors import WeightsError
from dffcli.models.coco_det.build import build, export, known_categories, start_from
from dffcli.models.coco_det.head import HeadSettings
from dffcli.models.coco_det.model import CocoDetModel
from dffcli.models.coco_det.network import STRIDES, CocoDetector

PAIR = (Category(1, "person", (255, 0, 0)), Category(3, "car", (0, 255, 0)))
CALIBRATION = (0.5, 0.3)


def small_model(size: int = 64, **settings: float) -> CocoDetModel:
    torch.manual_seed(0)
    return CocoDetModel(
        CocoDetector(classes=2),
        categories=PAIR,
        calibration=CALIBRATION,
        input_size=size,
        settings=HeadSettings(**settings),  # type: ignore[arg-type]
    )


def frame_of(height: int, width: int) -> Frame:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(0, image, Fraction(0))


def one_object(model: CocoDetModel, frame: Frame) -> BoxMaps:
    """Maps that tell of one car at stride 8, row 2, column 3: its box 1, 2, 3 and 1 strides away."""
    height, width = model.prepare(frame).padded_size
    maps = [torch.zeros(1, 6, height // s, width // s) for s in STRIDES]
    for values in maps:
        values[:, :2] = -20
    maps[0][0, 1, 2, 3] = 2.0
    maps[0][0, 2:, 2, 3] = torch.tensor([1.0, 2.0, 3.0, 1.0])
    return BoxMaps(maps)


def told(logit: float, calibration: float) -> float:
    """The score that is told of a logit when this score of its own is told as 0.5."""
    odds = np.exp(logit) * (1 - calibration) / calibration
    return float(odds / (1 + odds))


def test_maps_span_the_padded_input_at_every_stride() -> None:
    model = small_model()
    image = model.prepare(frame_of(48, 90))
    assert image.content_size == (34, 64)
    assert image.padded_size == (64, 64)
    assert [tuple(values.shape) for values in model.features(image)] == [(1, 6, 64 // s, 64 // s) for s in STRIDES]


def test_a_told_object_is_found_in_frame_pixels() -> None:
    model, frame = small_model(), frame_of(128, 128)  # input 64 x 64: two frame pixels to an input pixel
    found = model.head(one_object(model, frame), model.prepare(frame), is_key=True)
    assert found.category_ids.tolist() == [3]
    assert found.scores[0] == pytest.approx(told(2.0, 0.3), abs=1e-5)
    # centre of column 3, row 2 at stride 8: (28, 20)
    assert found.boxes[0].tolist() == pytest.approx([2 * 20, 2 * 4, 2 * 52, 2 * 28])


def test_each_class_is_told_on_its_own_scale() -> None:
    model, frame = small_model(), frame_of(64, 64)
    maps = one_object(model, frame)
    maps[0][0, 0, 2, 3] = 2.0  # a person with the car's logit
    found = model.head(maps, model.prepare(frame), is_key=True)
    assert found.category_ids.tolist() == [3, 1]
    assert found.scores.tolist() == pytest.approx([told(2.0, 0.3), told(2.0, 0.5)], abs=1e-5)


def test_maps_carried_by_a_flow_of_one_cell_move_the_box_by_one_stride() -> None:
    model, frame = small_model(), frame_of(64, 64)
    maps = one_object(model, frame)
    displacement = torch.zeros(1, 2, 8, 8)
    displacement[:, 0] = -1.0  # what is here was one cell further left
    before = model.head(maps, model.prepare(frame), is_key=True)
    after = model.head(warp(maps, FlowField(displacement)), model.prepare(frame), is_key=False)
    assert after.boxes[0].tolist() == pytest.approx((before.boxes[0] + [8, 0, 8, 0]).tolist(), abs=1e-3)


def test_the_weaker_of_two_overlapping_boxes_of_a_class_is_dropped_and_other_classes_stay() -> None:
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
    assert asked.scores.tolist() == pytest.approx(wanted.scores.tolist(), abs=1e-6)  # vectors and their rests differ
    assert asked.boxes.tolist() == wanted.boxes.tolist()


def test_a_network_to_start_from_keeps_what_it_knows_of_a_class(tmp_path: Path) -> None:
    known = CocoDetector(classes=2)
    export(tmp_path / "known.safetensors", known, categories=PAIR, input_size=64)
    wanted = (Category(9, "dog", (1, 2, 3)), Category(4, "Car", (1, 2, 3)), Category(5, "cat", (1, 2, 3)))
    started = start_from(tmp_path / "known.safetensors", categories=wanted)
    for mine, theirs in zip(started.pred, known.pred, strict=True):
        torch.testing.assert_close(mine.weight[1], theirs.weight[1], atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(mine.weight[3:], theirs.weight[2:], atol=1e-4, rtol=1e-3)
    assert known_categories(tmp_path / "known.safetensors", categories=wanted) == {"Car"}
    torch.testing.assert_close(started.stem.weight, known.stem.weight, atol=1e-3, rtol=1e-3)
    with pytest.raises(WeightsError):
        start_from(tmp_path / "nothing.safetensors", categories=wanted)


def test_a_written_detector_answers_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = CocoDetector(classes=2)
    export(tmp_path / "it.safetensors", network, categories=PAIR, calibration=CALIBRATION, input_size=64)
    written, kept = build("coco-det", weights=tmp_path / "it.safetensors").model, small_model()
    frame = frame_of(64, 64)
    assert written.categories == PAIR
    for one, other in zip(kept.features(kept.prepare(frame)), written.features(written.prepare(frame)), strict=True):
        torch.testing.assert_close(one, other, atol=2e-2, rtol=2e-2)  # the file holds half precision
    maps = one_object(kept, frame)
    found = written.head(maps, written.prepare(frame), is_key=True)
    assert found.scores[0] == pytest.approx(told(2.0, 0.3), abs=1e-5)


def test_random_weights_name_cocos_classes_and_say_so() -> None:
    built = build("coco-det", weights="random")
    assert built.is_random
    assert built.model.categories == COCO


def test_a_car_is_told_as_a_truck_with_what_is_left_of_one() -> None:
    categories = (Category(3, "car", (0, 255, 0)), Category(8, "truck", (0, 0, 255)))
    torch.manual_seed(0)
    model = CocoDetModel(CocoDetector(classes=2), categories=categories, calibration=(0.5, 0.5), input_size=64)
    frame = frame_of(64, 64)
    maps = one_object(model, frame)
    maps[0][0, :2, 2, 3] = torch.tensor([1.0, 2.0])  # truck more than car
    maps[0][0, 0, 6, 6] = 1.5  # and a car elsewhere
    maps[0][0, 2:, 6, 6] = 0.8
    truck, car = told(2.0, 0.5), told(1.5, 0.5)
    found = model.head(maps, model.prepare(frame), is_key=True)
    assert found.category_ids.tolist() == [8, 3, 3]
    assert found.scores.tolist() == pytest.approx([truck, car, 1 - truck], abs=1e-5)
    asked = model.with_lowest_score(0.5).head(maps, model.prepare(frame), is_key=True)
    assert asked.category_ids.tolist() == [8, 3]
