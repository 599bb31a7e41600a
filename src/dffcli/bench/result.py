"""What a comparison found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from dffcli.bench.plan import Variant
from dffcli.bench.worst import WorstFrame
from dffcli.core.estimate import Estimate

PROPAGATED_STAGES = ("flow", "warp", "carry", "head")
NETWORK_STAGES = ("prepare", "features", "head on key", *PROPAGATED_STAGES, "compare")
FILE_STAGES = ("decode", "draw", "encode")


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the turns: its median and its middle half."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        low, high = np.percentile(values, (25, 75))
        return cls(median(values), float(low), float(high))

    def to_json(self) -> dict[str, float]:
        """By name."""
        return {"median": self.median, "quartile_1": self.low, "quartile_3": self.high}


@dataclass(frozen=True, slots=True)
class Speed:
    """Frames a second, and times per-frame evaluation in the same turns."""

    fps: Spread
    speed_up: Spread

    @classmethod
    def of(cls, seconds: Sequence[float], baseline: Sequence[float], *, frames: int) -> Speed:
        """From the seconds of each turn of `frames` frames."""
        return cls(
            Spread.of([frames / taken for taken in seconds]),
            Spread.of([full / taken for full, taken in zip(baseline, seconds, strict=True)]),
        )

    def to_json(self) -> dict[str, Any]:
        """By name."""
        return {"fps": self.fps.to_json(), "speed_up": self.speed_up.to_json()}


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a frame handed to the networks to its result, waiting for later frames included."""

    median_ms: float
    p95_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Of all frames."""
        middle, high, most = np.percentile(seconds, (50, 95, 100))
        return cls(1000 * float(middle), 1000 * float(high), 1000 * float(most))


@dataclass(frozen=True, slots=True)
class VariantResult:
    """What one variant costs and gives.

    Attributes:
        variant: which.
        frames: measured.
        key_frames: of these.
        network: decoded frames to predictions, nothing beside it.
        end_to_end: video file to overlaid video file, all threads of a run working; None where not measured.
        latency: of the networks.
        stage_ms: mean milliseconds a frame in each stage; decode, draw and encode run beside the networks.
        key_ms: mean milliseconds of the networks on a key frame.
        propagated_parts_ms: mean milliseconds on another frame in flow, warp and head; empty if there was none.
        agreement: with per-frame evaluation of the same frames, by measure, 0..1.
        accuracy: against ground truth, by measure, 0..1; empty without.
        peak_bytes: peak resident memory of a process that does nothing else; None where not measured.
        peak_gpu_bytes: peak of torch's memory on the GPU in that process; None without.
        worst: the frames that differ most from per-frame evaluation, if any were asked for.
        kept: of the per-frame result, as `--target-agreement` counts it, 0..1; None where nothing is found.
        target: how much of it was to be kept, where the schedule goes by that.
        estimate: how much of it the run itself would say that it kept.
    """

    variant: Variant
    frames: int
    key_frames: int
    network: Speed
    end_to_end: Speed | None
    latency: Latency
    stage_ms: dict[str, float]
    key_ms: float
    propagated_parts_ms: dict[str, float]
    agreement: dict[str, float]
    accuracy: dict[str, float] = field(default_factory=dict)
    peak_bytes: int | None = None
    peak_gpu_bytes: int | None = None
    worst: tuple[WorstFrame, ...] = ()
    kept: float | None = None
    target: float | None = None
    estimate: Estimate | None = None

    @property
    def key_share(self) -> float:
        """Key frames of all frames, 0..1."""
        return self.key_frames / self.frames

    @property
    def propagated_ms(self) -> float | None:
        """Mean milliseconds of flow, warp and head on a propagated frame; None if there was none."""
        return sum(self.propagated_parts_ms.values()) or None

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "model": self.variant.model,
            "interval": self.variant.interval if self.variant.interval is not None else "adaptive",
            "flow": self.variant.flow,
            "two_sided": self.variant.two_sided,
            "is_baseline": self.variant.is_baseline,
            "frames": self.frames,
            "key_share": self.key_share,
            "network": self.network.to_json(),
            "end_to_end": None if self.end_to_end is None else self.end_to_end.to_json(),
            "latency_ms": {
                "median": self.latency.median_ms,
                "p95": self.latency.p95_ms,
                "max": self.latency.max_ms,
            },
            "key_frame_ms": self.key_ms,
            "propagated_frame_ms": self.propagated_ms,
            "stage_ms_per_frame": self.stage_ms,
            "agreement": self.agreement,
            "kept": self.kept,
            "target_agreement": self.target,
            "estimated_agreement": None if self.estimate is None else self.estimate.to_json(),
            "accuracy": self.accuracy,
            "peak_bytes": self.peak_bytes,
            "peak_gpu_bytes": self.peak_gpu_bytes,
        }


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A whole comparison.

    Attributes:
        source: name of the video.
        size: `(height, width)` of its pictures.
        frames: measured for each variant.
        turns: in how many turns.
        variants: each model's baseline first.
        machine: where it ran, in words.
        weights: of each model, in words.
        random_models: models with random weights: their agreement says nothing.
        notes: what a reader should know.
    """

    source: str
    size: tuple[int, int]
    frames: int
    turns: int
    variants: tuple[VariantResult, ...]
    machine: str
    weights: dict[str, str]
    random_models: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def of_model(self, model: str) -> tuple[VariantResult, list[VariantResult]]:
        """A model's baseline, and its other variants."""
        mine = [result for result in self.variants if result.variant.model == model]
        return mine[0], mine[1:]

    @property
    def models(self) -> list[str]:
        """Names, in the order asked for."""
        return list(dict.fromkeys(result.variant.model for result in self.variants))

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "source": self.source,
            "size": {"height": self.size[0], "width": self.size[1]},
            "frames": self.frames,
            "turns": self.turns,
            "machine": self.machine,
            "weights": self.weights,
            "random_models": list(self.random_models),
            "notes": list(self.notes),
            "variants": [result.to_json() for result in self.variants],
        }
