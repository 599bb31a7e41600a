"""What is compared, and in which turns."""

import pytest

from dffcli.bench.plan import BenchPlan, Variant, turn_length
from dffcli.bench.shelf import Shelf
from dffcli.errors import SettingError
from tests.fakes import moving_frames


def test_a_turn_holds_every_interval_a_whole_number_of_times() -> None:
    assert turn_length((1, 2, 5, 10, 20), frames=100) == 20
    assert turn_length((1, 2), frames=100) == 10
    assert turn_length((3, 4), frames=100) == 12


def test_intervals_without_a_common_turn_share_one() -> None:
    assert turn_length((7, 9, 11), frames=100) == 100


def test_the_baseline_is_always_there_and_comes_first() -> None:
    plan = BenchPlan("clip.mp4", ("a", "b"), intervals=(5,), adaptive=True, causal=True)
    variants = plan.variants({"a": "dis", "b": "flownet"})
    assert variants[0] == Variant("a")
    assert variants[0].is_baseline
    assert [v.keys for v in variants[:5]] == ["every frame", "every 5", "adaptive", "every 5", "adaptive"]
    assert [v.two_sided for v in variants[1:5]] == [True, True, False, False]
    assert {v.flow for v in variants if v.model == "b"} == {None, "flownet"}


@pytest.mark.parametrize("wrong", [{"intervals": (0,)}, {"frames": 0}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="expected at least 1, got 0"):
        BenchPlan(**{"source": "clip.mp4", "models": ("a",), **wrong})


def test_every_reader_of_a_shelf_gets_every_frame_once() -> None:
    shelf = Shelf(moving_frames(9), limit=6)
    readers = [shelf.reader(), shelf.reader()]
    assert [frame.index for frame in shelf.first(2)] == [0, 1]
    assert [next(readers[0]).index for _ in range(4)] == [0, 1, 2, 3]
    assert [frame.index for frame in readers[1]] == list(range(6))
    assert [frame.index for frame in readers[0]] == [4, 5]


def test_a_shelf_holds_no_frame_that_all_have_read() -> None:
    shelf = Shelf(moving_frames(50), limit=50)
    readers = [shelf.reader(), shelf.reader()]
    for _ in range(40):
        for reader in readers:
            next(reader)
    assert len(shelf._held) <= 1
