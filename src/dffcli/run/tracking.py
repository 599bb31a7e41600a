"""Give objects an identity through the video, by linking boxes along the flow that was computed anyway.

Where objects are carried from key frame to key frame, each keeps its identity on the way, and only what no key frame
has told apart is linked anew: a track's box is moved to the current frame by the flow inside it, or by its own speed
where there is none (on key frames, and while the object is hidden). Boxes are then matched to tracks by how much they
overlap, in the order of BYTE (Zhang et al., ECCV 2022): the confident ones first, then the weak ones to tracks that
would otherwise be lost. What is still alone gets a second chance with widened boxes: it bridges gaps and fast motion.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dffcli.core.types import Detections, Frame, FrameResult, KeyReason
from dffcli.geometry import box_iou

Boxes = NDArray[np.float64]
"""`x1, y1, x2, y2` in frame pixels, `[N, 4]`."""

WEAK_SHARE = 0.6  # of the score threshold: from there on a box may continue a track, but begin none
TRUSTED_SHARE = 1.35  # of the score threshold: mean score of a track's boxes from which weak ones may continue it
MIN_OVERLAP = 0.2  # intersection over union of a confident box and its track
MIN_OVERLAP_WEAK = 0.5  # the same, of an weak box
MIN_OVERLAP_WIDENED = 0.1  # the same, of boxes widened for the second chance
WIDENING = 0.4  # of a side, to each direction
OTHER_CATEGORY = 0.4  # overlap taken off where the categories differ: detectors waver between car and truck
SPEED_MEMORY = 0.8  # share of the old speed when a new one is measured: boxes shake more than objects turn
LOST_SECONDS = Fraction(2)  # after which a track that was not seen is given up
CORE = 0.6  # middle share of a box in which flow is read: its edge is background


@dataclass(slots=True)
class Track:
    """One object.

    Attributes:
        id: counted from 1.
        category_id: of its latest box.
        box: where it is believed to be.
        speed: of its centre, `(dx, dy)` pixels a frame.
        seen_box: where it was last seen.
        seen_index: frame on which it was last seen.
        seen_seconds: when that was.
        sightings: boxes it has.
        score_sum: of their scores.
    """

    id: int
    category_id: int
    box: NDArray[np.float64]
    speed: NDArray[np.float64]
    seen_box: NDArray[np.float64]
    seen_index: int
    seen_seconds: Fraction
    sightings: int = 1
    score_sum: float = 0.0

    @property
    def mean_score(self) -> float:
        """Of its boxes."""
        return self.score_sum / self.sightings


@dataclass(frozen=True, slots=True)
class _Field:
    """The flow of the frame before, for the difference that is the motion between two frames."""

    key_index: int
    displacement: NDArray[np.float32] | None  # [2, h, w] in cells; None on the key frame itself: it has not moved


class Tracker:
    """Follows the objects of one video; frames must come in order."""

    def __init__(self, *, score_threshold: float, use_flow: bool = True) -> None:
        """Begin without tracks.

        Args:
            score_threshold: 0..1; a box below it begins no track, but may continue one down to `WEAK_SHARE` of it.
            use_flow: move boxes along the flow; otherwise by their own speed alone.
        """
        self._threshold = score_threshold
        self._use_flow = use_flow
        self._tracks: list[Track] = []
        self._next_id = 1
        self._before: _Field | None = None
        self._last_index = -1
        self._votes: dict[tuple[int, int], Counter[int]] = {}  # of tracks, by key frame and row there

    def update(self, result: FrameResult) -> FrameResult:
        """The result with identities.

        Give it boxes below the score threshold too: those down to `WEAK_SHARE` of it that continue a track are kept,
        for they bridge moments of doubt; the others are dropped.

        Args:
            result: of the frame after the one before; its prediction must be detections.
        """
        found = result.prediction
        if not isinstance(found, Detections):
            return result
        if result.key_reason is KeyReason.SCENE_CUT:
            self._tracks = []
        self._move(result)
        frame = result.frame
        self._tracks = [track for track in self._tracks if frame.pts_seconds - track.seen_seconds <= LOST_SECONDS]
        owners = self._on_their_way(found, result.key_indices)
        self._match(found, owners)
        for row, track in owners.items():
            _sight(track, found, row, frame)
        for row in map(int, np.flatnonzero(found.scores >= self._threshold)):
            if row not in owners:
                owners[row] = self._begin(found, row, frame)
        self._last_index = frame.index
        self._remember(found, result.key_indices, owners)
        rows = np.array(sorted(owners), np.int64)
        ids = np.array([owners[int(row)].id for row in rows], np.int64)
        return replace(result, prediction=replace(found.select(rows), track_ids=ids))

    def _on_their_way(self, found: Detections, keys: tuple[int, ...]) -> dict[int, Track]:
        """The tracks of rows that are carried from an object of a key frame that has one."""
        owners: dict[int, Track] = {}
        if found.key_rows is None:
            return owners
        free = {track.id: track for track in self._tracks}
        for row in map(int, np.flatnonzero(found.scores >= WEAK_SHARE * self._threshold)):
            is_confident = found.scores[row] >= self._threshold
            for key, key_row in zip(keys, found.key_rows[row].tolist(), strict=True):
                votes = self._votes.get((key, key_row))
                track = None if votes is None else free.get(votes.most_common(1)[0][0])
                if track is not None and (is_confident or self._trusts(track)):
                    owners[row] = free.pop(track.id)
                    break
        return owners

    def _trusts(self, track: Track) -> bool:
        """Whether a weak box may continue a track: not one that was hardly ever more than weak itself."""
        return track.mean_score >= TRUSTED_SHARE * self._threshold

    def _remember(self, found: Detections, keys: tuple[int, ...], owners: dict[int, Track]) -> None:
        """Whose the objects of the key frames are that this frame's come from."""
        self._votes = {place: votes for place, votes in self._votes.items() if place[0] in keys}
        if found.key_rows is None:
            return
        for row, track in owners.items():
            for key, key_row in zip(keys, found.key_rows[row].tolist(), strict=True):
                if key_row >= 0:
                    self._votes.setdefault((key, key_row), Counter())[track.id] += 1

    def _match(self, found: Detections, owners: dict[int, Track]) -> None:
        """Find the tracks of rows that have none yet."""
        confident = found.scores >= self._threshold
        weak = (found.scores >= WEAK_SHARE * self._threshold) & ~confident
        present = [track for track in self._tracks if self._trusts(track) and track.seen_index == self._last_index]
        self._assign(found, confident, self._tracks, owners, floor=MIN_OVERLAP)
        self._assign(found, weak, present, owners, floor=MIN_OVERLAP_WEAK)
        self._assign(found, confident, self._tracks, owners, floor=MIN_OVERLAP_WIDENED, widening=WIDENING)

    def _assign(
        self,
        found: Detections,
        wanted: NDArray[np.bool_],
        tracks: list[Track],
        owners: dict[int, Track],
        *,
        floor: float,
        widening: float = 0.0,
    ) -> None:
        """Match rows and tracks that are still alone, the sum of overlaps as great as can be."""
        taken = {track.id for track in owners.values()}
        rows = [int(row) for row in np.flatnonzero(wanted) if int(row) not in owners]
        free = [track for track in tracks if track.id not in taken]
        if not rows or not free:
            return
        boxes = _widened(found.boxes[rows].astype(np.float64), widening)
        places = _widened(np.array([track.box for track in free]), widening)
        worth = box_iou(boxes, places)
        categories = np.array([track.category_id for track in free])
        worth -= OTHER_CATEGORY * (found.category_ids[rows][:, None] != categories[None, :])
        for one, other in zip(*linear_sum_assignment(-np.where(worth >= floor, worth, 0.0)), strict=True):
            if worth[one, other] >= floor:
                owners[rows[one]] = free[other]

    def _begin(self, found: Detections, row: int, frame: Frame) -> Track:
        box = found.boxes[row].astype(np.float64)
        category = int(found.category_ids[row])
        score = float(found.scores[row])
        track = Track(self._next_id, category, box, np.zeros(2), box, frame.index, frame.pts_seconds, score_sum=score)
        self._next_id += 1
        self._tracks.append(track)
        return track

    def _move(self, result: FrameResult) -> None:
        """Bring every track's box to the current frame."""
        before, current = self._before, _field_of(result)
        self._before = current
        by_flow = self._use_flow and before is not None and current.displacement is not None
        by_flow = by_flow and before is not None and before.key_index == current.key_index
        for track in self._tracks:
            motion = track.speed
            if by_flow and before is not None and track.seen_index == self._last_index:
                motion = flow_motion(track.box, before.displacement, current.displacement, size=result.frame.size)
            track.box = track.box + np.tile(motion, 2)


def flow_motion(
    box: NDArray[np.float64],
    before: NDArray[np.float32] | None,
    current: NDArray[np.float32] | None,
    *,
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """How far what is inside a box moved from one frame to the next.

    Both fields point at the same key frame: a point of the object at p before and at q now was at
    p + before(p) = q + current(q) there, so it moved by before(p) - current(q).

    Args:
        box: on the frame before, `[4]`.
        before: the frame before's displacement, `[2, h, w]` in cells of its grid; None if it is the key frame.
        current: this frame's, likewise.
        size: `(height, width)` of the frame. The grid spans the padded input, here taken for the frame: with the few
            columns of padding there are, a motion is wrong by a few per cent.

    Returns:
        `(dx, dy)` in frame pixels.
    """
    start = _median_inside(box, before, size)
    motion = start - _median_inside(box, current, size)
    return start - _median_inside(box + np.tile(motion, 2), current, size)


def _median_inside(
    box: NDArray[np.float64], displacement: NDArray[np.float32] | None, size: tuple[int, int]
) -> NDArray[np.float64]:
    """The displacement in the middle of a box, in frame pixels; none without a field."""
    if displacement is None:
        return np.zeros(2)
    h, w = displacement.shape[1:]
    cells = np.array([w / size[1], h / size[0]])  # cells to a pixel
    middle, half = (box[:2] + box[2:]) / 2 * cells, (box[2:] - box[:2]) / 2 * CORE * cells
    (x1, y1), (x2, y2) = np.floor(middle - half), np.floor(middle + half) + 1
    x1, y1 = np.clip(x1, 0, w - 1), np.clip(y1, 0, h - 1)
    x2, y2 = np.clip(x2, x1 + 1, w), np.clip(y2, y1 + 1, h)
    inside = displacement[:, int(y1) : int(y2), int(x1) : int(x2)].reshape(2, -1)
    return np.asarray(np.median(inside, axis=1) / cells, np.float64)


def _field_of(result: FrameResult) -> _Field:
    index = result.key_indices[0] if result.key_indices else -1
    if result.displacement is None:
        return _Field(index if result.is_key else -1, None)
    return _Field(index, result.displacement[0].float().cpu().numpy())


def _sight(track: Track, found: Detections, row: int, frame: Frame) -> None:
    """Move a track to a box that was found to be its own."""
    box = found.boxes[row].astype(np.float64)
    shift = (box[:2] + box[2:] - track.seen_box[:2] - track.seen_box[2:]) / 2
    measured = shift / max(1, frame.index - track.seen_index)
    memory = 0.0 if track.sightings == 1 else SPEED_MEMORY
    track.speed = memory * track.speed + (1 - memory) * measured
    track.box = track.seen_box = box
    track.seen_index, track.seen_seconds = frame.index, frame.pts_seconds
    track.category_id = int(found.category_ids[row])
    track.sightings += 1
    track.score_sum += float(found.scores[row])


def _widened(boxes: Boxes, share: float) -> Boxes:
    margin = (boxes[:, 2:] - boxes[:, :2]) * share
    return np.concatenate((boxes[:, :2] - margin, boxes[:, 2:] + margin), axis=1)
