"""Where a result most likely needs a look: the worst stretches, worst first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from dffcli.core.types import KeyReason
from dffcli.geometry import box_iou
from dffcli.review.columns import NO_TRACK, Columns, detections_of

MOST_OF_A_KIND = 50
SMALL_CHANGE = 0.15  # disagreement between neighbouring frames that is not worth a look
SHORT_TRACK = 5  # frames
BIRTH_SCORE = 0.6  # an object that begins so sure of itself should have been seen before
EDGE_SHARE = 0.02  # of the picture: an object nearer to an edge has come in, it was not born
SAME_PLACE = 0.5  # intersection over union
NEW_PICTURES = (KeyReason.FIRST, KeyReason.SCENE_CUT)  # where what is seen begins anew


@dataclass(frozen=True, slots=True)
class Finding:
    """One stretch worth a look.

    Attributes:
        kind: "jump", "flicker", "short-track" or "sudden-birth".
        first, last: positions of its frames in the result.
        weight: how bad, 0..1, comparable within a kind.
        text: a sentence for people.
        track: the track it is about, or -1.
    """

    kind: str
    first: int
    last: int
    weight: float
    text: str
    track: int = NO_TRACK


def findings(columns: Columns) -> list[Finding]:
    """All findings, the kinds side by side, the worst of each first."""
    found = [*_jumps(columns), *_flickers(columns), *_of_tracks(columns)]
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(found, key=lambda item: -item.weight):
        if len(kinds[finding.kind]) < MOST_OF_A_KIND:
            kinds[finding.kind].append(finding)
    return [finding for kind in ("jump", "flicker", "short-track", "sudden-birth") for finding in kinds[kind]]


def _jumps(columns: Columns) -> list[Finding]:
    """Key frames whose fresh answer differs from the carried one just before: how far wrong the stretch had gone."""
    reason, change = columns.frames["reason"], columns.frames["change"]
    cuts = [columns.reasons.index(name) for name in NEW_PICTURES if name in columns.reasons]
    found = []
    previous = 0
    for frame in np.flatnonzero(reason != 255):
        if change[frame] > SMALL_CHANGE and int(reason[frame]) not in cuts:
            share = float(change[frame])
            text = f"{share:.0%} of the answer changes at the key frame {frame}"
            found.append(Finding("jump", previous, int(frame), share, text))
        previous = int(frame)
    return found


def _flickers(columns: Columns) -> list[Finding]:
    """Boxes that are there, gone on one frame, and there again in the same place."""
    found = []
    for frame in range(1, len(columns) - 1):
        counts = [columns.objects_of(near).stop - columns.objects_of(near).start for near in (frame - 1, frame + 1)]
        if not min(counts):
            continue
        before, here, after = (detections_of(columns, near) for near in (frame - 1, frame, frame + 1))
        if np.isnan(before.boxes).any():
            return []  # a label map has no boxes
        stays = box_iou(before.boxes, after.boxes) * (before.category_ids[:, None] == after.category_ids) >= SAME_PLACE
        seen = box_iou(before.boxes, here.boxes) * (before.category_ids[:, None] == here.category_ids) >= SAME_PLACE
        gone = stays.any(1) & ~seen.any(1)
        if gone.any():
            number = int(gone.sum())
            what = "an object is" if number == 1 else f"{number} objects are"
            text = f"{what} missing on frame {frame} alone"
            found.append(Finding("flicker", frame, frame, number / len(before), text))
    return found


def _of_tracks(columns: Columns) -> list[Finding]:
    """Tracks that are hardly there, and tracks that begin in the middle of the picture, sure of themselves."""
    track, first = columns.objects["track"], columns.frames["first"]
    rows = np.flatnonzero(track != NO_TRACK)
    if not len(rows):
        return []
    frame_of = np.searchsorted(first, rows, side="right") - 1
    found = []
    height, width = columns.size
    order = np.lexsort((frame_of, track[rows]))
    starts = np.flatnonzero(np.diff(track[rows][order], prepend=np.iinfo(np.int32).min))
    cuts = [columns.reasons.index(name) for name in NEW_PICTURES if name in columns.reasons]
    for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
        mine = order[begin:end]
        number, frames = int(track[rows[mine[0]]]), frame_of[mine]
        born, gone, row = int(frames[0]), int(frames[-1]), rows[mine[0]]
        if len(mine) <= SHORT_TRACK and born > 0 and gone < len(columns) - 1:
            text = f"track {number} lives for {len(mine)} frames"
            found.append(Finding("short-track", born, gone, 1 / len(mine), text, number))
        score = float(columns.objects["score"][row])
        inside = (
            columns.objects["x1"][row] > width * EDGE_SHARE
            and columns.objects["y1"][row] > height * EDGE_SHARE
            and columns.objects["x2"][row] < width * (1 - EDGE_SHARE)
            and columns.objects["y2"][row] < height * (1 - EDGE_SHARE)
        )
        if born > 0 and inside and score >= BIRTH_SCORE and int(columns.frames["reason"][born]) not in cuts:
            text = f"track {number} begins in the middle of the picture with a score of {score:.2f}"
            found.append(Finding("sudden-birth", born, born, score, text, number))
    return found
