"""Times are kept unless they cannot be."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dffcli.video.clock import FrameClock

TICK = Fraction(1, 1000)


def clock() -> FrameClock:
    return FrameClock(time_base=TICK, rate=Fraction(25))


def place(ticks: list[int | None]) -> list[Fraction]:
    placer = clock()
    return [placer.place(tick) / TICK for tick in ticks]


@pytest.mark.parametrize(
    ("given_ticks", "wanted"),
    [
        ([0, 40, 80], [0, 40, 80]),
        ([-40, 0, 40], [-40, 0, 40]),
        ([5000, 5040], [5000, 5040]),
        ([0, 40, 900000], [0, 40, 900000]),
        ([0, 40, 40, 80], [0, 40, 41, 80]),
        ([0, 40, 40, 40, 80], [0, 40, 41, 42, 80]),
        ([0, 80, 40, 120], [0, 80, 81, 120]),
        ([None, None, None], [0, 40, 80]),
        ([0, None, 80], [0, 40, 80]),
        ([1000, 1040, 0, 40, 80], [1000, 1040, 1080, 1120, 1160]),
        ([1000, 1040, 0, 40, 1200, 1240], [1000, 1040, 1080, 1120, 1200, 1240]),
    ],
)
def test_only_what_must_move_moves(given_ticks: list[int | None], wanted: list[int]) -> None:
    assert place(given_ticks) == wanted


def test_a_source_without_a_rate_gets_one() -> None:
    placer = FrameClock(time_base=TICK, rate=None)
    assert [placer.place(None), placer.place(None)] == [0, Fraction(1, 25)]


def test_what_was_changed_is_counted() -> None:
    placer = clock()
    for tick in (0, 0, None, 5000, 0):
        placer.place(tick)

    assert (placer.moved, placer.made_up, placer.is_reset) == (1, 1, True)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**33), 2**33)), max_size=40))
def test_times_always_increase(ticks: list[int | None]) -> None:
    times = place(ticks)
    assert all(later > earlier for earlier, later in pairwise(times))


@given(st.lists(st.integers(-(2**33), 2**33), max_size=40, unique=True))
def test_increasing_times_are_never_touched(ticks: list[int]) -> None:
    ordered: list[int | None] = sorted(ticks)  # type: ignore[assignment]
    assert place(ordered) == ordered
