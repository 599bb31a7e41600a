"""Deep Feature Flow: Algorithm 1 of the paper, and its two-sided form for sources that can be read ahead.

    key frame      features = N_feat(frame)
    other frame    features = W(features of the key, F(key, frame))
    every frame    result   = N_task(features)

Where a model's answers travel as objects, W moves those, and N_task is spared on the frames between key frames.

The engine is lazy, holds at most `MAX_WAITING` frames, and knows nothing of files, tasks or terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial

import torch

from dffcli.core.agreement import disagreement
from dffcli.core.numbering import Numbering
from dffcli.core.propagation import propagation_for
from dffcli.core.protocols import FlowEstimator, LearnsFromResults, Propagation, Schedule, VideoModel
from dffcli.core.schedule import MAX_WAITING, LearnsNothing
from dffcli.core.types import (
    Disagreement,
    FlowField,
    Frame,
    FrameResult,
    KeyFrame,
    KeyReason,
    Prediction,
    PreparedImage,
)

UNRELATED = (KeyReason.SCENE_CUT, KeyReason.RESIZED)  # nothing is carried from such a key frame to those before it
INCOMPARABLE = (*UNRELATED, KeyReason.CORRUPT)  # nor says its answer how well those before it travel


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
        compare: how much two answers about one frame differ.
    """

    model: VideoModel
    flow: FlowEstimator
    schedule: Schedule
    two_sided: bool = False
    propagation: Propagation | None = None
    compare: Callable[[Prediction, Prediction], Disagreement] = disagreement

    @property
    def _propagation(self) -> Propagation:
        return self.propagation or propagation_for(self.model)

    @property
    def _learner(self) -> LearnsFromResults:
        return self.schedule if isinstance(self.schedule, LearnsFromResults) else LearnsNothing()

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
        self._learner.begin(two_sided=self.two_sided)
        key: _Key | None = None
        last: _Propagated | None = None  # the frame before this one, if it is no key frame
        waiting: list[_Propagated] = []  # frames that wait for the key frame after them
        for frame in frames:
            image = self.model.prepare(frame)
            reason, estimate = self._reason(key, last, image)
            if key is None or reason is not None:
                after = self._key(image, reason or KeyReason.FIRST, earlier=key, estimate=estimate)
                yield from self._close(key, waiting, after)
                key, last, waiting = after, None, []
            else:
                last = _Propagated(image, estimate())
                waiting.append(last)
                if len(waiting) > (MAX_WAITING if self.two_sided else 0):
                    yield self._from_one(key, waiting.pop(0))
        if key is not None and waiting:
            yield from self._end(key, waiting)

    def _reason(
        self, key: _Key | None, last: _Propagated | None, image: PreparedImage
    ) -> tuple[KeyReason | None, Callable[[], FlowField]]:
        """Why this frame is to be a key frame, if it is, and its field to the last one, computed when first asked."""
        frame = image.frame
        start = None if key is None else key.frame.image  # the picture alone: a chain of keys would never be let go

        @cache
        def estimate() -> FlowField:
            if start is None:
                raise RuntimeError("there is no key frame yet")
            return self.flow.estimate(start, image, guess=None if last is None else last.field)

        if key is None or start is None:
            return KeyReason.FIRST, estimate
        if frame.is_resized or image.padded_size != start.padded_size:
            return KeyReason.RESIZED, estimate
        before = start.frame if last is None else last.image.frame
        if before.is_corrupt and not frame.is_corrupt:
            return KeyReason.CORRUPT, estimate
        return self.schedule.key_reason(frame.index - key.index, estimate), estimate

    def _key(
        self, image: PreparedImage, reason: KeyReason, *, earlier: _Key | None, estimate: Callable[[], FlowField]
    ) -> _Key:
        features = self.model.features(image)
        prediction = self.model.head(features, image, is_key=True)
        frame = KeyFrame(image.frame, image, features, prediction, reason)
        return _Key(frame, None if earlier is None else earlier.frame, estimate)

    def _close(self, before: _Key | None, waiting: list[_Propagated], after: _Key) -> Iterator[FrameResult]:
        """The frames that waited for a key frame, and its own result."""
        if before is None:
            yield self._result(after)
            return
        interval = after.index - before.index
        if after.frame.reason not in INCOMPARABLE:
            self._learner.learn((interval,), partial(self._ahead, before.frame, after))
        if after.frame.reason in UNRELATED:
            yield from (self._from_one(before, current) for current in waiting)
            waiting = []
        elif waiting and self._learner.needs_repair(interval, two_sided=len(waiting)):
            at = len(waiting) // 2
            middle = waiting[at]
            repair = self._key(middle.image, KeyReason.REPAIR, earlier=before, estimate=lambda: middle.field)
            yield from self._between(before, waiting[:at], repair)
            yield self._result(repair, since=before, two_sided=at)
            before, waiting = repair, self._carried_on(repair, waiting[at + 1 :])
        if self.two_sided:
            yield from self._between(before, waiting, after)
        yield self._result(after, since=before, two_sided=len(waiting))

    def _end(self, key: _Key, waiting: list[_Propagated]) -> Iterator[FrameResult]:
        """The frames after the last key frame; the very last becomes one if the others are to be reached from there."""
        last = waiting[-1]
        if self._learner.needs_last(last.image.frame.index - key.index):
            after = self._key(last.image, KeyReason.LAST, earlier=key, estimate=lambda: last.field)
            yield from self._close(key, waiting[:-1], after)
        else:
            yield from (self._from_one(key, current) for current in waiting)

    def _result(self, key: _Key, *, since: _Key | None = None, two_sided: int = 0) -> FrameResult:
        """A key frame's result, with what the stretch that ends with it cost."""
        stretch = None if since is None else self._learner.stretch(key.index - since.index, two_sided=two_sided)
        answer, memory = self._propagation.at_key(key.frame), self.schedule.memory
        reason = key.frame.reason
        return FrameResult(key.frame.frame, answer, reason, (key.index,), schedule_memory=memory, stretch=stretch)

    def _from_one(self, key: _Key, current: _Propagated) -> FrameResult:
        """The paper's propagation (section 3.1)."""
        prediction = self._propagation.from_one(key.frame, current.field, current.image)
        return FrameResult(current.image.frame, prediction, None, (key.index,), current.field.displacement)

    def _between(self, before: _Key, waiting: list[_Propagated], after: _Key) -> Iterator[FrameResult]:
        """Frames between two key frames, reached from both."""
        fields: list[FlowField] = []  # current -> key after; the nearest frame first, each the next one's guess
        for current in reversed(waiting):
            guess = fields[-1] if fields else None
            fields.append(self.flow.estimate(after.frame.image, current.image, guess=guess))
        for current, onward in zip(waiting, reversed(fields), strict=True):
            back = current.field
            prediction = self._propagation.from_both(before.frame, back, current.image, onward, after.frame)
            keys = (before.index, after.index)
            yield FrameResult(current.image.frame, prediction, None, keys, back.displacement)
        is_next_to = len(waiting) == after.index - before.index - 1  # so that the field can be chained on to the key
        comparable = before.frame.reason not in INCOMPARABLE and after.frame.reason not in INCOMPARABLE
        if before.earlier is not None and is_next_to and comparable:
            distances = before.index - before.earlier.frame.index, after.index - before.index
            guess = fields[-1] if fields else None
            self._learner.learn(distances, partial(self._across, before.earlier, before, after.frame, guess))

    def _carried_on(self, key: _Key, rest: list[_Propagated]) -> list[_Propagated]:
        """The frames after a key frame that was put in, reached from there."""
        found: list[_Propagated] = []
        for current in rest:
            guess = found[-1].field if found else None
            found.append(_Propagated(current.image, self.flow.estimate(key.frame.image, current.image, guess=guess)))
        return found

    def _ahead(self, before: KeyFrame, key: _Key) -> Disagreement:
        """A key frame's own answer against the one that would have been carried there."""
        carried = self._propagation.from_one(before, key.estimate(), key.frame.image)
        return self.compare(carried, key.frame.prediction)

    def _across(self, before: KeyFrame, key: _Key, after: KeyFrame, guess: FlowField | None) -> Disagreement:
        """A key frame's own answer against the one from the key frames on both sides of it, as if it were none."""
        image = key.frame.image
        onward = self.flow.estimate(after.image, image, guess=guess)
        carried = self._propagation.from_both(before, key.estimate(), image, onward, after)
        return self.compare(carried, key.frame.prediction)


@dataclass(frozen=True, slots=True)
class _Key:
    """A key frame, the one before it, and its field to that, computed when first asked for."""

    frame: KeyFrame
    earlier: KeyFrame | None
    estimate: Callable[[], FlowField] = field(repr=False)

    @property
    def index(self) -> int:
        return self.frame.frame.index


@dataclass(frozen=True, slots=True)
class _Propagated:
    """A frame between key frames, with its field to the key before."""

    image: PreparedImage
    field: FlowField
