"""What a run is said to have got."""

import numpy as np
import pytest

from dffcli.core.engine import Engine
from dffcli.core.estimate import Estimate
from dffcli.core.schedule import TargetAgreement
from dffcli.core.types import Stretch
from tests.core.drifting import Drifting, DriftingModel, StillFlow, frames, wrong


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize(("rate", "gain"), [(0.003, 0.7), (0.03, 0.6), (0.05, 0.9)])
def test_the_estimate_is_exact_where_the_law_holds(rate: float, gain: float, two_sided: bool) -> None:
    schedule = TargetAgreement(two_sided=two_sided)
    drifting = Drifting(lambda _index: rate, gain=gain)
    engine = Engine(DriftingModel(), StillFlow(), schedule, two_sided, drifting)
    results = list(engine.run(frames(1500)))
    stretches = [result.stretch for result in results if result.stretch is not None]
    rest = 1500 - 1 - sum(stretch.frames for stretch in stretches)
    if rest:
        stretches.append(schedule.stretch(rest, two_sided=0))
    learned = len(stretches) // 2  # what a second side leaves is a guess at first
    estimate = Estimate.of(stretches[learned:])
    assert estimate is not None
    start = 1 + sum(stretch.frames for stretch in stretches[:learned])
    assert 1 - estimate.agreement == pytest.approx(np.mean([wrong(result) for result in results[start:]]), rel=0.01)


def test_stretches_count_by_their_weight() -> None:
    estimate = Estimate.of([Stretch(10, 0.1, 10.0, 1), Stretch(5, 0.4, 30.0, 2)])
    assert estimate is not None
    assert estimate.agreement == pytest.approx(1 - (1 + 12) / 40)
    assert estimate.comparisons == 3
    assert estimate.low < estimate.agreement < estimate.high


def test_more_comparisons_say_it_more_closely() -> None:
    few = Estimate.of([Stretch(10, 0.02, 10.0, 1), Stretch(10, 0.08, 10.0, 1)])
    many = Estimate.of([Stretch(10, 0.02, 10.0, 1), Stretch(10, 0.08, 10.0, 1)] * 20)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low
    assert few.low >= 0
    assert few.high <= 1


def test_nothing_compared_is_no_estimate() -> None:
    assert Estimate.of([]) is None
    assert Estimate.of([Stretch(10, 0.02, 10.0, 0)]) is None
    assert Estimate.of([Stretch(10, 0.0, 0.0, 3)]) is None  # nothing to be found on any frame
