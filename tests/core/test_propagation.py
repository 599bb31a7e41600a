"""What a model's answers travel by."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch

from dffcli.core.objects import ObjectPropagation
from dffcli.core.propagation import MapPropagation, carries_objects, propagation_for
from dffcli.core.timing import Stopwatch, TimedCarry, TimedModel, TimedWarp, timed_propagation
from dffcli.core.types import Detections, FlowField, Frame, KeyFrame, KeyReason, PreparedImage
from dffcli.core.warp import warp
from tests.fakes import FakeModel


@dataclass
class Carrier(FakeModel):
    """A model that says by what its answers travel."""

    carries_objects: bool = True


def key() -> KeyFrame:
    frame = Frame(0, np.zeros((32, 48, 3), np.uint8), Fraction(0))
    found = Detections(np.float32([[8, 8, 24, 24]]), np.float32([0.9]), np.array([0]))
    image = PreparedImage(frame, frame.size, frame.size, lambda: torch.zeros(1, 3, 32, 48))
    return KeyFrame(frame, image, (torch.full((1, 3, 8, 12), 7.0),), found, KeyReason.FIRST)


def test_maps_travel_where_a_model_says_nothing_else() -> None:
    assert not carries_objects(FakeModel())
    assert not carries_objects(Carrier(carries_objects=False))
    assert isinstance(propagation_for(FakeModel()), MapPropagation)
    assert isinstance(propagation_for(Carrier(carries_objects=False)), MapPropagation)


def test_objects_travel_where_the_model_says_so() -> None:
    assert carries_objects(Carrier())
    assert propagation_for(Carrier(), lowest_score=0.3) == ObjectPropagation(0.3)


def test_maps_are_told_by_the_task_network_of_propagated_frames() -> None:
    model = FakeModel()
    start = key()
    told = MapPropagation(model).from_one(start, FlowField(torch.zeros(1, 2, 8, 12)), start.image)
    assert model.heads == [(0, False)]
    assert (told.category_ids == 7).all()  # type: ignore[union-attr]
    assert MapPropagation(model).at_key(start) is start.prediction


def test_every_stage_is_timed_once() -> None:
    watch, start, field = Stopwatch(), key(), FlowField(torch.zeros(1, 2, 8, 12))
    maps = timed_propagation(TimedModel(FakeModel(), watch), watch)
    assert isinstance(maps, MapPropagation)
    assert maps.warp == TimedWarp(warp, watch)
    maps.from_one(start, field, start.image)
    assert {stage: len(times) for stage, times in watch.samples.items()} == {"warp": 1, "head": 1}
    objects = timed_propagation(TimedModel(Carrier(), watch), watch, lowest_score=0.3)
    assert objects == TimedCarry(ObjectPropagation(0.3), watch)
    objects.from_one(start, field, start.image)
    objects.from_both(
        start,
        field,
        PreparedImage(Frame(1, start.frame.image, Fraction(1)), *[(32, 48)] * 2, start.image.make_tensor),
        field,
        replace(key(), frame=Frame(2, start.frame.image, Fraction(2))),
    )
    assert len(watch.samples["carry"]) == 2
    assert objects.at_key(start).key_rows.tolist() == [[0]]  # type: ignore[union-attr]
