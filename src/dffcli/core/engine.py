"""Deep Feature Flow: Algorithm 1 of the paper, and its two-sided form for sources that can be read ahead.

    key frame      features = N_feat(frame)
    other frame    features = W(features of the key, F(key, frame))
    every frame    result   = N_task(features)

Where a model's answers travel as objects, W moves those, and N_task is spared on the frames between key frames.

The engine is lazy, holds at most one key interval of frames, and knows nothing of files, tasks or terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import torch

from dffcli.core.agreement import disagreement
from dffcli.core.numbering import Numbering
from dffcli.core.propagation import propagation_for
from dffcli.core.protocols import FlowEstimator, Propagation, Schedule, VideoModel
from dffcli.core.types import FlowField, Frame, FrameResult, KeyFrame, KeyReason, PreparedImage


@dataclass(frozen=True, slots=True)
class Engine:
    """One way of running a model over frames.

    Attributes:
        model: N_feat and N_task.
        flow: F.
        schedule: who is a key frame.
        two_sided: frames between two key frames wait for the second and are reached from both; False is the paper's
            causal form.
        propagation: W and what is read from it on frames between key frames; None takes what the model's answers
            travel by.
    """

    model: VideoModel
    flow: FlowEstimator
    schedule: Schedule
    two_sided: bool = False
    propagation: Propagation | None = None

    @property
    def _propagation(self) -> Propagation:
        return self.propagation or propagation_for(self.model)

    def run(self, frames: Iterable[Frame]) -> Iterator[FrameResult]:
        """A result for every frame, in order; they are counted here, whatever their own numbers are."""
        numbering = Numbering()
        results = self._results(numbering.count(frames))
        while True:
            with torch.inference_mode():
                result = next(results, None)
            if result is None:
                return
            yield numbering.restored(result)

    def _results(self, frames: Iterator[Frame]) -> Iterator[FrameResult]:
        key: KeyFrame | None = None
        last: _Propagated | None = None  # the frame before this one, if it is no key frame
        waiting: list[_Propagated] = []  # frames that wait for the key frame after them
        for frame in frames:
            image = self.model.prepare(frame)
            reason, estimate = self._reason(key, last, image)
            if key is None or reason is not None:
                features = self.model.features(image)
                prediction = self.model.head(features, image, is_key=True)
                after = KeyFrame(frame, image, features, prediction, reason or KeyReason.FIRST)
                if key is not None:
                    self._learn(key, after, estimate)
                    yield from self._between(key, waiting, after)
                memory = self.schedule.memory
                answer = self._propagation.at_key(after)
                yield FrameResult(frame, answer, after.reason, (frame.index,), schedule_memory=memory)
                key, last, waiting = after, None, []
            else:
                last = _Propagated(image, estimate())
                if self.two_sided:
                    waiting.append(last)
                else:
                    yield self._from_one(key, last)
        if key is not None:
            for propagated in waiting:
                yield self._from_one(key, propagated)

    def _reason(
        self, key: KeyFrame | None, last: _Propagated | None, image: PreparedImage
    ) -> tuple[KeyReason | None, Callable[[], FlowField]]:
        """Why this frame is to be a key frame, if it is, and its field to the last one, computed when first asked."""
        frame = image.frame

        @cache
        def estimate() -> FlowField:
            if key is None:
                raise RuntimeError("there is no key frame yet")
            return self.flow.estimate(key.image, image, guess=None if last is None else last.field)

        if key is None:
            return KeyReason.FIRST, estimate
        if frame.is_resized or image.padded_size != key.image.padded_size:
            return KeyReason.RESIZED, estimate
        before = last.image.frame if last is not None else key.frame
        if before.is_corrupt and not frame.is_corrupt:
            return KeyReason.CORRUPT, estimate
        return self.schedule.key_reason(frame.index - key.frame.index, estimate), estimate

    def _learn(self, before: KeyFrame, after: KeyFrame, estimate: Callable[[], FlowField]) -> None:
        """Let the schedule compare a key frame's own result with what would have been carried there."""
        if after.reason in (KeyReason.SCENE_CUT, KeyReason.RESIZED, KeyReason.CORRUPT):
            return

        def compare() -> float:
            return disagreement(self._propagation.from_one(before, estimate(), after.image), after.prediction)

        self.schedule.learn(after.frame.index - before.frame.index, compare)

    def _from_one(self, key: KeyFrame, current: _Propagated) -> FrameResult:
        """The paper's propagation (section 3.1)."""
        prediction = self._propagation.from_one(key, current.field, current.image)
        return FrameResult(current.image.frame, prediction, None, (key.frame.index,), current.field.displacement)

    def _between(self, before: KeyFrame, waiting: list[_Propagated], after: KeyFrame) -> Iterator[FrameResult]:
        """Frames between two key frames, reached from both unless a cut or a change of size lies between."""
        if after.reason in (KeyReason.SCENE_CUT, KeyReason.RESIZED):
            yield from (self._from_one(before, current) for current in waiting)
            return
        fields: list[FlowField] = []  # current -> key after; the nearest frame first, each the next one's guess
        for current in reversed(waiting):
            guess = fields[-1] if fields else None
            fields.append(self.flow.estimate(after.image, current.image, guess=guess))
        for current, field in zip(waiting, reversed(fields), strict=True):
            prediction = self._propagation.from_both(before, current.field, current.image, field, after)
            keys = (before.frame.index, after.frame.index)
            yield FrameResult(current.image.frame, prediction, None, keys, current.field.displacement)


@dataclass(frozen=True, slots=True)
class _Propagated:
    """A frame between key frames, with its field to the key before."""

    image: PreparedImage
    field: FlowField
