"""What a run cost and what it saw."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from dffcli.core.timing import Stopwatch
from dffcli.core.types import Detections, FrameResult


@dataclass(slots=True)
class Tally:
    """Running counts over the frames of a run."""

    frames: int = 0
    key_reasons: Counter[str] = field(default_factory=Counter)
    objects: int = 0

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


@dataclass(frozen=True, slots=True)
class RunReport:
    """The end of a run.

    Attributes:
        frames: frames with a result: all of them.
        key_frames: frames on which the feature network ran.
        key_reasons: how many key frames there were for each reason.
        objects: detections kept, over all frames.
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
            seconds=seconds,
            key_ms=key_ms,
            propagated_ms=1000 * carried / propagated if propagated else None,
            stage_ms={stage: 1000 * sum(taken) / max(1, tally.frames) for stage, taken in watch.samples.items()},
            notes=notes,
            broke=broke,
            settings=settings,
        )

    @property
    def fps(self) -> float:
        """Frames a second, end to end."""
        return self.frames / self.seconds

    @property
    def network_ms(self) -> float:
        """Milliseconds of the networks, flow and warp a frame, over the whole run."""
        propagated = self.frames - self.key_frames
        return (self.key_frames * self.key_ms + propagated * (self.propagated_ms or 0.0)) / self.frames

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
