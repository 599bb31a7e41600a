"""What agreement a run got, as far as its own comparisons tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dffcli.core.types import Stretch

NINETY_PERCENT = 1.645  # standard errors to each side
SHAPE = 0.35  # of the difference: how far the law it is drawn out by was off on clips (benchmarks/target.py)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated agreement with per-frame results.

    Attributes:
        agreement: 0..1.
        low, high: it lies between these on 9 videos in 10.
        comparisons: of a fresh answer with a propagated one, from which it comes.
    """

    agreement: float
    low: float
    high: float
    comparisons: int

    @classmethod
    def of(cls, stretches: Sequence[Stretch]) -> Estimate | None:
        """From what the stretches of a run cost; None where nothing was compared."""
        comparisons = sum(stretch.comparisons for stretch in stretches)
        total = sum(stretch.weight for stretch in stretches)
        if not comparisons or not total:
            return None
        wrong = sum(stretch.weight * stretch.disagreement for stretch in stretches) / total
        squares = sum((stretch.weight * (stretch.disagreement - wrong)) ** 2 for stretch in stretches)
        error = math.sqrt(squares) / total * math.sqrt(len(stretches) / max(1, comparisons))
        margin = math.hypot(NINETY_PERCENT * error, SHAPE * wrong)
        return cls(1 - wrong, max(0.0, 1 - wrong - margin), min(1.0, 1 - wrong + margin), comparisons)

    def to_json(self) -> dict[str, Any]:
        """By name."""
        return {
            "agreement": self.agreement,
            "low": self.low,
            "high": self.high,
            "comparisons": self.comparisons,
        }
