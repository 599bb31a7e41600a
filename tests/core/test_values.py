"""Values say what they are, and refuse what they are not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import Detections, FlowField, Frame, FrameResult, KeyReason, SegmentationMap
from dffcli.errors import ShapeError
from tests.fakes import FakeFlow, FakeModel, moving_frames

FRAME = Frame(3, np.zeros((4, 6, 3), np.uint8), Fraction(1, 25))


def test_values_are_shown_by_their_shapes() -> None:
    assert repr(FRAME) == "Frame(index=3, image=uint8[4, 6, 3], pts_seconds=Fraction(1, 25))"
    found = Detections(np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int64))
    assert repr(found) == "Detections(boxes=float32[2, 4], scores=float32[2], category_ids=int64[2])"
    answer = SegmentationMap(np.zeros((4, 6), np.uint8))
    result = FrameResult(FRAME, answer, KeyReason.FIRST, (3,))
    assert "prediction=SegmentationMap(category_ids=uint8[4, 6])" in repr(result)
    assert "key_indices=(3,)" in repr(result)
    assert repr(FlowField(torch.zeros(1, 2, 3, 4))) == "FlowField(displacement=float32[1, 2, 3, 4])"
    image = FakeModel().prepare(next(moving_frames(1)))
    assert "make_tensor=function value" in repr(image)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(FRAME, pts_seconds=0.04), "a Fraction of seconds, got float 0.04"),
        (lambda: replace(FRAME, image=np.zeros((4, 6), np.uint8)), r"\[H, W, 3\] image, got uint8\[4, 6\]"),
        (lambda: replace(FRAME, image="a.png"), "image, got 'a.png'"),
        (lambda: SegmentationMap(np.zeros((4, 6), np.int64)), r"uint8 \[H, W\], got int64\[4, 6\]"),
        (lambda: SegmentationMap([[1, 2]]), r"uint8 \[H, W\], got \[\[1, 2\]\]"),
    ],
)
def test_a_value_that_is_none_is_refused_where_it_is_born(make: Any, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        make()


class BadHead(FakeModel):
    answer: Any = None

    def head(self, features: Any, image: Any, *, is_key: bool) -> Any:
        return self.answer if is_key else SegmentationMap(np.zeros((1, 1), np.uint8))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            np.zeros((32, 48), np.uint8),
            r"head: expected Detections or a SegmentationMap, got a ndarray uint8\[32, 48\]",
        ),
        (None, "got a NoneType"),
        (SegmentationMap(np.zeros((8, 12), np.uint8)), r"map of the frame's size \(32, 48\), got \(8, 12\)"),
        (
            Detections(np.zeros((1, 4)), np.zeros(1), np.zeros(1, int), np.zeros((1, 8, 12), bool)),
            r"masks of the frame's size \(32, 48\), got \(8, 12\)",
        ),
    ],
)
def test_a_head_that_gives_something_else_is_refused(answer: Any, said: str) -> None:
    model = BadHead()
    model.answer = answer
    with pytest.raises(ShapeError, match=said):
        list(Engine(model, FakeFlow(), FixedInterval(5)).run(moving_frames(2)))


def test_a_head_that_fails_on_propagated_frames_alone_is_refused() -> None:
    model = BadHead()
    model.answer = SegmentationMap(np.zeros((32, 48), np.uint8))
    with pytest.raises(ShapeError, match=r"\(32, 48\), got \(1, 1\)"):
        list(Engine(model, FakeFlow(), FixedInterval(5)).run(moving_frames(2)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(1, 3, 8, 12), r"a tuple of maps \[1, C, h, w\], got a Tensor float32\[1, 3, 8, 12\]"),
        ((torch.zeros(3, 8, 12),), r"got a Tensor float32\[3, 8, 12\] in it"),
    ],
)
def test_features_that_are_no_maps_are_refused(given: Any, said: str) -> None:
    class BadFeatures(FakeModel):
        def features(self, image: Any) -> Any:
            return given

        def head(self, features: Any, image: Any, *, is_key: bool) -> SegmentationMap:
            return SegmentationMap(np.zeros((32, 48), np.uint8))

    with pytest.raises(ShapeError, match=said):
        list(Engine(BadFeatures(), FakeFlow(), FixedInterval(5)).run(moving_frames(2)))


@pytest.mark.parametrize("numbers", [range(0, 22, 2), [0] * 11, range(100, 111), [5, 4, 9, 9, 1, 0, 7, 8, 2, 3, 6]])
@pytest.mark.parametrize("two_sided", [False, True])
def test_frames_are_counted_whatever_their_numbers(numbers: Any, two_sided: bool) -> None:
    plain = list(Engine(FakeModel(), FakeFlow(), FixedInterval(4), two_sided=two_sided).run(moving_frames(11)))
    frames = [replace(frame, index=number) for frame, number in zip(moving_frames(11), numbers, strict=True)]
    found = list(Engine(FakeModel(), FakeFlow(), FixedInterval(4), two_sided=two_sided).run(frames))

    assert [result.frame for result in found] == frames
    assert [result.key_reason for result in found] == [result.key_reason for result in plain]
    wanted = [tuple(numbers[index] for index in result.key_indices) for result in plain]
    assert [result.key_indices for result in found] == wanted
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one.prediction.category_ids, other.prediction.category_ids)
