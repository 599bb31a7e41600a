"""Put tracks in order with a look ahead: leave out short ones, fill their gaps, take the shaking out of their boxes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dffcli.core.carry import carry_mask
from dffcli.core.types import Detections, FrameResult
from dffcli.run.postprocess import TrackSettings
from dffcli.run.tracking import flow_motion


@dataclass(frozen=True, slots=True)
class TrackWindow:
    """Holds results back until enough of the frames after them is known.

    Attributes:
        wanted: what is to be done.
    """

    wanted: TrackSettings

    def over(self, results: Iterable[FrameResult]) -> Iterator[FrameResult]:
        """The same results, in order, `frames_ahead` frames later, and with what was asked for done to them.

        Args:
            results: with identities.
        """
        waiting: deque[_Waiting] = deque()  # some frames that are told already, then those that are not
        told = 0
        sightings: Counter[int] = Counter()
        for result in results:
            waiting.append(_Waiting.of(result))
            self._fill(waiting)
            sightings.update(waiting[-1].boxes.keys())
            if len(waiting) - told > self.wanted.frames_ahead:
                yield self._tell(waiting, told, sightings)
                told += 1
            while told > max(self.wanted.smooth, 1):
                waiting.popleft()
                told -= 1
        for place in range(told, len(waiting)):
            yield self._tell(waiting, place, sightings)

    def _fill(self, waiting: deque[_Waiting]) -> None:
        """Fill the gap of every track that is seen again on the last frame."""
        for track, end in list(waiting[-1].boxes.items()):
            for back in range(2, min(self.wanted.fill_gaps + 1, len(waiting) - 1) + 1):
                if track in waiting[-back].boxes:
                    break
                if track in waiting[-back - 1].boxes:
                    gap = [waiting[-number] for number in range(back + 1, 0, -1)]  # from its last sighting to this one
                    for here, box in zip(gap[1:-1], bridge(gap, gap[0].boxes[track], end), strict=True):
                        here.put_in(track, box, gap[0])
                    break

    def _tell(self, waiting: deque[_Waiting], place: int, sightings: Counter[int]) -> FrameResult:
        here = waiting[place]
        kept = [track for track in here.boxes if sightings[track] >= self.wanted.min_track]
        reach = self.wanted.smooth
        if reach:
            first = max(0, place - reach)
            near = [waiting[number].boxes for number in range(first, min(len(waiting), place + reach + 1))]
            boxes = {track: smoothed([one.get(track) for one in near], place - first, reach) for track in kept}
        else:
            boxes = {track: here.boxes[track] for track in kept}
        return here.told(boxes)


@dataclass(slots=True)
class _Waiting:
    """A frame whose tracks may still change.

    Attributes:
        result: as it was found.
        boxes: of every track, `[4]`; those that were put in too.
        rows: where each track is among the detections.
    """

    result: FrameResult
    boxes: dict[int, NDArray[np.float64]]
    rows: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, result: FrameResult) -> _Waiting:
        found = result.prediction
        if not isinstance(found, Detections) or found.track_ids is None:
            return cls(result, {})
        rows = {track: row for row, track in enumerate(found.track_ids.tolist())}
        return cls(result, {track: found.boxes[row].astype(np.float64) for track, row in rows.items()}, rows)

    def put_in(self, track: int, box: NDArray[np.float64], seen: _Waiting) -> None:
        """Add a track that was missed here, as it looked where it was last seen."""
        found, before = self.result.prediction, seen.result.prediction
        if not isinstance(found, Detections) or not isinstance(before, Detections):
            return
        row = seen.rows[track]
        masks = None
        if found.masks is not None and before.masks is not None:
            moved = np.zeros((1, *found.masks.shape[1:]), np.bool_)
            carry_mask(before.masks[row], before.boxes[row], box.astype(np.float32), onto=moved[0])
            masks = np.concatenate((found.masks, moved))
        self.boxes[track], self.rows[track] = box, len(found)
        prediction = Detections(
            np.concatenate((found.boxes, box[None].astype(np.float32))),
            np.append(found.scores, before.scores[row]),
            np.append(found.category_ids, before.category_ids[row]),
            masks,
            np.append(found.track_ids if found.track_ids is not None else (), track).astype(np.int64),
        )
        self.result = replace(self.result, prediction=prediction)

    def told(self, boxes: dict[int, NDArray[np.float64]]) -> FrameResult:
        """The result with these tracks alone, and their boxes."""
        found = self.result.prediction
        if not isinstance(found, Detections) or found.track_ids is None:
            return self.result
        rows = np.array([self.rows[track] for track in boxes], np.int64)
        order = np.argsort(rows)
        kept = found.select(rows[order])
        moved = np.array(list(boxes.values()), np.float32).reshape(-1, 4)[order]
        return replace(self.result, prediction=replace(kept, boxes=moved))


def bridge(gap: list[_Waiting], start: NDArray[np.float64], end: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Boxes for the frames inside a gap: moved along the flow, and what that misses by at its end is shared out.

    Args:
        gap: the frames from the last sighting to the next, both included.
        start: the box at its beginning, `[4]`.
        end: the box at its end, `[4]`.
    """
    path = [start]
    for before, after in pairwise(gap):
        path.append(path[-1] + np.tile(_motion(path[-1], before.result, after.result), 2))
    missed, steps = end - path[-1], len(gap) - 1
    return [box + missed * number / steps for number, box in enumerate(path)][1:-1]


def _motion(box: NDArray[np.float64], before: FrameResult, after: FrameResult) -> NDArray[np.float64]:
    """Of what is inside a box, from a frame to the next, in pixels; none where their fields lead to different keys."""
    if after.displacement is None or before.key_indices[:1] != after.key_indices[:1]:
        return np.zeros(2)
    fields = [
        None if one.displacement is None else one.displacement[0].float().cpu().numpy() for one in (before, after)
    ]
    return flow_motion(box, fields[0], fields[1], size=after.frame.size)


def smoothed(boxes: list[NDArray[np.float64] | None], place: int, reach: int) -> NDArray[np.float64]:
    """The box at one place of a track, from a line through those around it, the nearest counting most.

    Args:
        boxes: of consecutive frames, `[4]` each; None where the track was not seen.
        place: which one is wanted; it was seen.
        reach: frames to each side.
    """
    seen = [number for number, box in enumerate(boxes) if box is not None]
    age = np.array(seen, np.float64) - place
    values = np.array([box for box in boxes if box is not None])  # [N, 4]
    weight = 1 - np.abs(age) / (reach + 1)
    weight /= weight.sum()
    middle_age, middle = weight @ age, weight @ values
    spread = weight @ (age - middle_age) ** 2
    slope = (weight * (age - middle_age)) @ (values - middle) / spread if spread > 0 else np.zeros(4)
    return np.asarray(middle - middle_age * slope, np.float64)
