"""What a run says of the agreement it was asked for."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval, TargetAgreement
from dffcli.core.timing import Stopwatch, TimedFlow, TimedModel, timed_schedule
from dffcli.core.types import Stretch
from dffcli.run.report import RunReport, Tally
from tests.core.drifting import Drifting, DriftingModel, StillFlow, frames

SETTINGS: dict[str, Any] = {}


def report_of(rate: float, *, target: float | None = 0.96, count: int = 200) -> RunReport:
    """The report of a run on which answers drift at a known rate."""
    watch, tally = Stopwatch(), Tally()
    schedule = FixedInterval(5) if target is None else TargetAgreement(target)
    model, drifting = TimedModel(DriftingModel(), watch), Drifting(lambda _index: rate)
    engine = Engine(model, TimedFlow(StillFlow(), watch), timed_schedule(schedule, watch), True, drifting)
    for result in engine.run(frames(count)):
        tally.add(result)
    tally.end(schedule)
    return RunReport.of(tally, watch, seconds=1.0, notes=(), broke=None, settings=SETTINGS, target=target)


def test_every_frame_but_the_first_lies_in_one_stretch() -> None:
    report = report_of(0.01, count=123)
    assert sum(stretch.frames for stretch in report.stretches) == 122
    stretches = report.to_json()["stretches"]
    assert [row["first_frame"] for row in stretches[:2]] == [1, 1 + stretches[0]["frames"]]
    assert sum(row["comparisons"] for row in stretches) == report.to_json()["estimated_agreement"]["comparisons"]


def test_the_rest_after_the_last_key_frame_is_a_stretch_too() -> None:
    tally = Tally(frames=10, stretches=[Stretch(4, 0.01, 4.0, 1)])
    tally.end(TargetAgreement())
    assert [stretch.frames for stretch in tally.stretches] == [4, 5]
    tally.end(TargetAgreement())
    assert len(tally.stretches) == 2


def test_a_fixed_schedule_says_nothing_of_agreement() -> None:
    report = report_of(0.02, target=None)
    assert (report.estimate, report.verdict, report.stretches) == (None, None, ())
    assert "compare" not in report.stage_ms


def test_a_target_that_is_held_needs_no_words() -> None:
    report = report_of(0.01)
    assert report.verdict is None
    assert report.estimate is not None
    assert report.estimate.agreement == pytest.approx(0.96, abs=0.01)


def test_where_hardly_a_frame_can_be_propagated_that_is_said() -> None:
    assert "per frame is what this video needs" in str(report_of(0.5).verdict)


def test_a_target_that_was_not_held_is_said() -> None:
    make = partial(RunReport.of, watch=Stopwatch(), seconds=1.0, notes=(), broke=None, settings=SETTINGS)
    tally = Tally(frames=101, stretches=[Stretch(10, 0.3, 10.0, 1)] * 10)
    assert "could not be held: 70.0% of 96.0%" in str(make(tally, target=0.96).verdict)
    assert make(tally, target=None).verdict is None


def test_comparisons_are_a_stage_of_their_own() -> None:
    watch = Stopwatch()
    with watch.time("compare"), watch.time("flow"), watch.time("head"):
        pass
    assert set(watch.samples) == {"compare"}
    with watch.time("flow"):
        pass
    assert len(watch.samples["flow"]) == 1
    assert report_of(0.02).stage_ms["compare"] > 0
