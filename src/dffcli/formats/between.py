"""What lies between the frames that a file names: tracks drawn on few frames, shown on all, one frame at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dffcli.formats.record import Annotation, Box, Polygon


@dataclass(frozen=True, slots=True)
class Drawn:
    """A track's object on a frame on which it was drawn.

    Attributes:
        frame: counted from 0.
        item: the object.
        is_seen_after: it is there on the frames after this one, up to the next that is drawn.
        is_seen: it is there on this frame.
    """

    frame: int
    item: Annotation
    is_seen_after: bool = True
    is_seen: bool = True


@dataclass(frozen=True, slots=True)
class DrawnTrack:
    """One object through a video.

    Attributes:
        drawn: on which frames it was drawn and how, in order.
        end: the frame after the last of the video.
    """

    drawn: tuple[Drawn, ...]
    end: int

    @property
    def spans(self) -> Iterator[tuple[Drawn, Drawn | None, int]]:
        """Each frame that is drawn, the next one, and the frame before which it is no longer seen."""
        for place, one in enumerate(self.drawn):
            after = self.drawn[place + 1] if place + 1 < len(self.drawn) else None
            if not one.is_seen:
                continue
            until = one.frame + 1
            if one.is_seen_after:
                until = max(until, self.end if after is None else after.frame)
            yield one, after, until

    def count(self, step: int) -> int:
        """Frames on which it is seen, if only every so many are looked at."""
        return sum(1 + (until - one.frame - 1) // step for one, _, until in self.spans)


def frame_by_frame(
    tracks: Sequence[DrawnTrack], frames: range, *, on_held: Callable[[Annotation], None] = lambda _item: None
) -> Iterator[tuple[int, list[Annotation]]]:
    """Every frame with the objects seen on it, in the order of the tracks; only what is seen now is kept.

    Args:
        tracks: what was drawn.
        frames: which are wanted.
        on_held: told of each outline or mask that is shown unchanged between two frames on which it differs.
    """
    spans = [
        (one.frame, number, one, after, until)
        for number, track in enumerate(tracks)
        for one, after, until in track.spans
    ]
    spans.sort(key=lambda span: (span[0], span[1]))
    starts = [span[0] for span in spans]
    active: dict[int, tuple[Drawn, Drawn | None, int]] = {}
    place = 0
    for frame in frames:
        upto = bisect_right(starts, frame, lo=place)
        for _, number, one, after, until in spans[place:upto]:
            active[number] = (one, after, until)
        place = upto
        found = []
        for number in sorted(active):
            one, after, until = active[number]
            if frame >= until:
                del active[number]
                continue
            found.append(_at(frame, one, after, on_held))
        yield frame, found


def _at(frame: int, one: Drawn, after: Drawn | None, on_held: Callable[[Annotation], None]) -> Annotation:
    """The object on a frame from one that is drawn up to the next."""
    if frame == one.frame or after is None or not after.is_seen:
        return one.item  # an object stays where it is until it leaves
    share = (frame - one.frame) / (after.frame - one.frame)
    start, end = one.item, after.item
    if start.mask is not None or end.mask is not None:
        on_held(start)
        return start
    if start.polygons or end.polygons:
        if [len(polygon) for polygon in start.polygons] != [len(polygon) for polygon in end.polygons]:
            on_held(start)
            return start
        pairs = zip(start.polygons, end.polygons, strict=True)
        polygons: tuple[Polygon, ...] = tuple(_mixed(ones, others, share) for ones, others in pairs)
        return replace(start, polygons=polygons, box=_box(start.box, end.box, share))
    turned = (end.rotation - start.rotation + 180) % 360 - 180  # the shorter way round
    return replace(start, box=_box(start.box, end.box, share), rotation=(start.rotation + share * turned) % 360)


def _box(one: Box, other: Box, share: float) -> Box:
    x1, y1, x2, y2 = _mixed(one, other, share)
    return x1, y1, x2, y2


def _mixed(one: tuple[float, ...], other: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple((1 - share) * start + share * end for start, end in zip(one, other, strict=True))
