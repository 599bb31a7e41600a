"""Times are kept unless they cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dffcli.video.clock import FrameClock, TrackClock

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


def test_the_first_frame_without_a_timestamp_is_where_it_is_said_to_be() -> None:
    placer = FrameClock(time_base=TICK, rate=Fraction(25), first=Fraction(-1))

    assert [placer.place(None), placer.place(None), placer.place(0)] == [-1, Fraction(-24, 25), 0]
    assert placer.latest == 0


@pytest.mark.parametrize(
    ("back", "is_reset"),
    [(80, False), (81, True)],  # two frames are 80 ticks
)
def test_a_clock_that_falls_back_more_than_two_frames_was_set_anew(back: int, is_reset: bool) -> None:
    placer = clock()
    placer.place(1000)
    time = placer.place(1000 - back)

    assert placer.is_reset is is_reset
    assert time / TICK == (1040 if is_reset else 1001)
    assert placer.moved == (0 if is_reset else 1)
    assert placer.shifts == ([(40 + back) * TICK] if is_reset else [])


@pytest.mark.parametrize(
    ("gap", "tick", "wanted", "shifts"),
    [
        (2, 3500, 3500, []),  # a clock that went on meanwhile is believed
        (2, 1001, 1001, []),
        (2, 8000, 8000, []),  # 1 s, twice the gap, and three seconds
        (2, 8001, 3000, [-5001]),
        (2, 0, 3000, [3000]),  # one that begins anew is shifted
        (2, 1000, 3000, [2000]),
        (2, None, 3000, []),
        (0, 500, 1040, [540]),  # one frame at least
    ],
)
def test_after_a_loss_the_gap_is_in_the_times(gap: int, tick: int | None, wanted: int, shifts: list[int]) -> None:
    placer = clock()
    placer.place(1000)
    placer.resume(after=Fraction(gap))

    assert placer.place(tick) / TICK == wanted
    assert [shift / TICK for shift in placer.shifts] == shifts
    following = None if tick is None else tick + 40
    assert placer.place(following) / TICK == wanted + 40
    assert placer.moved == 0


def test_a_second_loss_with_the_first_ones_clock_goes_on_in_it() -> None:
    placer = clock()
    placer.place(1000)
    placer.resume(after=Fraction(2))
    placer.place(0)  # shifted by 3000
    placer.resume(after=Fraction(1))

    assert placer.place(900) / TICK == 3900
    assert [shift / TICK for shift in placer.shifts] == [3000]


def test_a_loss_before_the_first_frame_is_none() -> None:
    placer = clock()
    placer.resume(after=Fraction(5))

    assert placer.place(1000) == 1


def track(picture: FrameClock | None, ticks: list[int], **options: bool) -> list[Fraction | None]:
    placer = TrackClock(picture)
    times = [placer.place(tick * TICK, **options) for tick in ticks]
    return [None if time is None else time / TICK for time in times]


def test_a_track_beside_a_good_clock_is_never_touched() -> None:
    picture = clock()
    place_all(picture, range(0, 4000, 40))

    assert track(picture, [-20, 0, 0, 21, 10, 3900, 90_000]) == [-20, 0, 0, 21, 10, 3900, 90_000]
    assert track(None, [0, 5000, 0, 7]) == [0, 5000, 0, 7]


def place_all(picture: FrameClock, ticks: Iterable[int]) -> None:
    for tick in ticks:
        picture.place(tick)


def test_a_track_is_shifted_with_the_picture() -> None:
    picture = clock()
    place_all(picture, [*range(0, 1000, 40), *range(0, 1000, 40), *range(0, 1000, 40)])

    assert [shift / TICK for shift in picture.shifts] == [1000, 2000]
    assert track(picture, [0, 500, 980, 0, 500, 980, 10]) == [0, 500, 980, 1000, 1500, 1980, 2010]


def test_a_track_waits_for_the_picture_to_come_to_the_same_place() -> None:
    picture = clock()
    place_all(picture, range(0, 1000, 40))
    placer = TrackClock(picture)
    placer.place(980 * TICK)

    assert placer.place(0 * TICK) is None
    assert placer.place(0 * TICK) is None
    picture.place(0)
    assert placer.place(0 * TICK) == 1
    assert placer.place(20 * TICK) == 1020 * TICK


def test_a_track_that_waits_in_vain_is_let_go() -> None:
    picture = clock()
    place_all(picture, range(0, 1000, 40))
    placer = TrackClock(picture)
    placer.place(900 * TICK)

    assert placer.place(0 * TICK) is None
    picture.place(3900)
    assert placer.place(0 * TICK) is None  # three seconds are not over
    picture.place(3901)
    assert placer.place(0 * TICK) == 0
    assert track(picture, [900, 0], is_last_word=True) == [900, 0]


@pytest.mark.parametrize(("back", "waits"), [(80, False), (81, True)])
def test_a_track_may_step_back_as_far_as_a_picture(back: int, waits: bool) -> None:
    picture = clock()
    place_all(picture, range(0, 1000, 40))

    assert (track(picture, [500, 500 - back])[1] is None) is waits


def test_a_clock_set_far_ahead_after_a_loss_takes_the_track_with_it() -> None:
    picture = clock()
    picture.place(1000)
    picture.resume(after=Fraction(1))
    picture.place(100_000)

    assert [shift / TICK for shift in picture.shifts] == [-98_000]
    assert track(picture, [990, 100_010, 100_030]) == [990, 2010, 2030]
    assert track(picture, [990, 3990, 100_010]) == [990, 3990, 2010]  # three seconds are a pause, not another clock


def test_a_time_that_is_later_as_it_stands_is_kept_as_a_frames_would_be() -> None:
    picture = clock()
    place_all(picture, [1000, 1040, 0, 40, 1200, 1240])

    assert [shift / TICK for shift in picture.shifts] == [1080]
    assert track(picture, [1010, 20, 60, 1210, 1250]) == [1010, 1100, 1140, 1210, 1250]


def test_a_clock_that_comes_back_from_far_ahead_is_believed_again() -> None:
    picture = clock()
    picture.place(1000)
    picture.resume(after=Fraction(1))
    picture.place(100_000)
    picture.resume(after=Fraction(1))

    assert picture.place(3500) / TICK == 3500
    assert picture.place(3540) / TICK == 3540
    assert [shift / TICK for shift in picture.shifts] == [-98_000, 0]
