"""What a run cost and what it saw."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from dffcli.core.estimate import Estimate
from dffcli.core.protocols import LearnsFromResults, Schedule
from dffcli.core.timing import Stopwatch
from dffcli.core.types import Detections, FrameResult, KeyReason, Stretch

PER_FRAME = 0.6  # share of key frames, above which next to nothing is propagated


@dataclass(slots=True)
class Tally:
    """Running counts over the frames of a run."""

    frames: int = 0
    key_reasons: Counter[str] = field(default_factory=Counter)
    objects: int = 0
    stretches: list[Stretch] = field(default_factory=list)

    @property
    def key_frames(self) -> int:
        """Frames on which the feature network ran."""
        return self.key_reasons.total()

    def add(self, result: FrameResult) -> None:
        """Count one frame."""
        self.frames += 1
        if result.key_reason is not None:
            self.key_reasons[str(result.key_reason)] += 1
        if isinstance(result.prediction, Detections):
            self.objects += len(result.prediction)
        if result.stretch is not None:
            self.stretches.append(result.stretch)

    def end(self, schedule: Schedule) -> None:
        """Count the frames after the last key frame, all reached from one side, as a stretch too."""
        rest = self.frames - sum(stretch.frames for stretch in self.stretches) - 1
        if rest <= 0 or not isinstance(schedule, LearnsFromResults):
            return
        if (stretch := schedule.stretch(rest, two_sided=0)) is not None:
            self.stretches.append(stretch)


@dataclass(frozen=True, slots=True)
class RunReport:
    """The end of a run.

    Attributes:
        frames: frames with a result: all of them.
        key_frames: frames on which the feature network ran.
        key_reasons: how many key frames there were for each reason.
        objects: detections kept, over all frames.
        stretches: what propagation cost from key frame to key frame; empty where the schedule does not compare.
        target: the agreement that was asked for, if one was.
        seconds: wall time from the first frame asked for to the last file closed.
        key_ms: milliseconds of the networks on a key frame (median, so that the first one's warm-up does not count).
        propagated_ms: milliseconds of flow, warp and head on another frame (mean); None if there was none.
        stage_ms: mean milliseconds a frame of the whole run spent in each stage; stages overlap in time.
        notes: what the source or the writing of it had to be helped with, in lines for the user.
        broke: why the source broke in the middle, if it did.
        settings: model, weights and options of the run.
    """

    frames: int
    key_frames: int
    key_reasons: dict[str, int]
    objects: int
    stretches: tuple[Stretch, ...]
    target: float | None
    seconds: float
    key_ms: float
    propagated_ms: float | None
    stage_ms: dict[str, float]
    notes: tuple[str, ...]
    broke: str | None
    settings: dict[str, Any]

    @classmethod
    def of(
        cls,
        tally: Tally,
        watch: Stopwatch,
        *,
        seconds: float,
        notes: tuple[str, ...],
        broke: str | None,
        settings: dict[str, Any],
        target: float | None = None,
    ) -> RunReport:
        """The report of a run that was watched."""
        stages = (watch.samples[stage] for stage in ("prepare", "features", "head on key"))
        on_key = [sum(parts) for parts in zip(*stages, strict=True)]
        key_ms = 1000 * median(on_key) if on_key else math.nan  # none in a run that only wrote what was known
        propagated = tally.frames - tally.key_frames
        carried = sum(watch.seconds(stage) for stage in ("flow", "warp", "carry", "head"))
        return cls(
            frames=tally.frames,
            key_frames=tally.key_frames,
            key_reasons=dict(tally.key_reasons),
            objects=tally.objects,
            stretches=tuple(tally.stretches),
            target=target,
            seconds=seconds,
            key_ms=key_ms,
            propagated_ms=1000 * carried / propagated if propagated else None,
            stage_ms={stage: 1000 * sum(taken) / max(1, tally.frames) for stage, taken in watch.samples.items()},
            notes=notes,
            broke=broke,
            settings=settings,
        )

    @property
    def estimate(self) -> Estimate | None:
        """The agreement with per-frame results that it got, as far as it was measured."""
        return Estimate.of(self.stretches)

    @property
    def verdict(self) -> str | None:
        """What is to be said of the agreement asked for, if there is anything."""
        estimate = self.estimate
        if self.target is None or estimate is None:
            return None
        if self.key_frames > PER_FRAME * self.frames:
            return "per frame is what this video needs: hardly a result can be propagated at the agreement asked for"
        if estimate.high < self.target:
            return f"the agreement asked for could not be held: {estimate.agreement:.1%} of {self.target:.1%}"
        return None

    def _stretches(self) -> list[dict[str, Any]]:
        first, found = 1, []
        for stretch in self.stretches:
            facts: dict[str, Any] = {"first_frame": first, "frames": stretch.frames}
            facts |= {"estimated_agreement": 1 - stretch.disagreement, "comparisons": stretch.comparisons}
            found.append(facts)
            first += stretch.frames
        return found

    @property
    def fps(self) -> float:
        """Frames a second, end to end."""
        return self.frames / self.seconds

    @property
    def network_ms(self) -> float:
        """Milliseconds of the networks, flow, warp and comparisons a frame, over the whole run."""
        propagated = self.frames - self.key_frames
        compared = self.stage_ms.get("compare", 0.0)
        return (self.key_frames * self.key_ms + propagated * (self.propagated_ms or 0.0)) / self.frames + compared

    @property
    def network_speed_up(self) -> float:
        """Times faster than the networks on every frame."""
        return self.key_ms / self.network_ms

    @property
    def end_to_end_speed_up(self) -> float:
        """Times faster than this run would have been with every frame a key frame (an estimate)."""
        spared = (self.frames - self.key_frames) * (self.key_ms - (self.propagated_ms or 0.0)) / 1000
        return max(0.0, self.seconds + spared) / self.seconds

    def to_json(self) -> dict[str, Any]:
        """Everything, with the derived figures, for `--report`."""
        return {
            "frames": self.frames,
            "key_frames": self.key_frames,
            "key_reasons": self.key_reasons,
            "key_reasons_in_words": {reason: KeyReason(reason).sentence for reason in self.key_reasons},
            "target_agreement": self.target,
            "estimated_agreement": None if self.estimate is None else self.estimate.to_json(),
            "stretches": self._stretches(),
            "objects": self.objects,
            "seconds": self.seconds,
            "fps": self.fps,
            "key_ms": self.key_ms,
            "propagated_ms": self.propagated_ms,
            "network_speed_up": self.network_speed_up,
            "end_to_end_speed_up_estimate": self.end_to_end_speed_up,
            "stage_ms_per_frame": self.stage_ms,
            "notes": list(self.notes),
            "broke": self.broke,
            "settings": self.settings,
        }
