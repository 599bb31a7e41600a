"""Give every frame a time after the one before, changing as few times as can be."""

from __future__ import annotations

from fractions import Fraction

DEFAULT_RATE = Fraction(25)  # frames per second, where a source names none
PATIENCE = Fraction(3)  # seconds of picture in which its clock has to follow a track's
BACK_STEPS = 2  # frames; a clock that falls back further than this was set anew


class FrameClock:
    """Timestamps of a stream to strictly increasing seconds.

    A good timestamp is kept exactly. A missing one comes one frame after the time before. One that repeats the time
    before, or lies at most two frames back, is put one tick after it, so that nothing else moves. One that lies further
    back means that the clock was set anew (joined recordings): the frame comes one frame after the one before and the
    following ones keep their distances to it.

    Attributes:
        step: seconds of one frame.
        shifts: what was added to the times from each place on at which the clock was set anew.
        latest: the time of the latest frame.
        made_up, moved: frames that had no timestamp, or one that was moved.
    """

    def __init__(self, *, time_base: Fraction, rate: Fraction | None, first: Fraction = Fraction(0)) -> None:
        """Begin.

        Args:
            time_base: seconds of a tick.
            rate: frames a second.
            first: the time of the first frame, should it have none of its own.
        """
        self._tick = time_base
        self.step = 1 / rate if rate else 1 / DEFAULT_RATE
        self._first = first
        self.latest: Fraction | None = None
        self._gap: Fraction | None = None
        self.shifts: list[Fraction] = []
        self.made_up = 0
        self.moved = 0

    @property
    def is_reset(self) -> bool:
        """The clock was set anew on the way."""
        return bool(self.shifts)

    def resume(self, *, after: Fraction) -> None:
        """The source was lost and found again: the next frame comes `after` seconds later than the one before.

        A clock that went on meanwhile is believed, one that begins anew is shifted.
        """
        self._gap = after

    def place(self, pts: int | Fraction | None) -> Fraction:
        """The time of the next frame, in seconds.

        Args:
            pts: its timestamp in ticks of the time base, if it has one.
        """
        before = self.latest
        if self._gap is not None and before is not None:
            time = self._after_gap(None if pts is None else pts * self._tick, before, max(self._gap, self.step))
            self._gap, self.latest = None, time
            return time
        if pts is None:
            self.made_up += 1
            time = self._first if before is None else before + self.step
        else:
            raw = pts * self._tick
            time = raw + min(self._shift, Fraction(0))
            if before is not None and time <= before:
                time = self._move(raw, time, before)
        self.latest = time
        return time

    @property
    def _shift(self) -> Fraction:
        return self.shifts[-1] if self.shifts else Fraction(0)

    def _after_gap(self, time: Fraction | None, before: Fraction, gap: Fraction) -> Fraction:
        if time is None:
            return before + gap
        for shift in (self._shift, Fraction(0)):
            if before < time + shift <= before + 2 * gap + PATIENCE:
                if shift != self._shift:
                    self.shifts.append(shift)
                return time + shift
        self.shifts.append(before + gap - time)
        return before + gap

    def _move(self, raw: Fraction, time: Fraction, before: Fraction) -> Fraction:
        if raw + self._shift > before:
            return raw + self._shift
        if time >= before - BACK_STEPS * self.step:
            self.moved += 1
            return before + self._tick
        self.shifts.append(before + self.step - raw)
        return before + self.step


class TrackClock:
    """Times of a sound or subtitle track on the clock of the picture beside it.

    Where the picture's clock was set anew, the track's was too: its packets from there on are shifted by as much.
    """

    def __init__(self, picture: FrameClock | None) -> None:
        """Follow `picture`; None keeps every time."""
        self._picture = picture
        self._seen = 0
        self._raw: Fraction | None = None
        self._placed: Fraction | None = None

    def place(self, time: Fraction, *, is_last_word: bool = False) -> Fraction | None:
        """The packet's time on the picture's clock.

        Args:
            time: as the file has it.
            is_last_word: the picture has ended: there is nothing to wait for.

        Returns:
            None where the picture has not come to the place at which the clock was set anew; ask again later.
        """
        picture = self._picture
        if picture is not None and self._is_leap(time, picture):
            if self._seen < len(picture.shifts):
                self._seen += 1
            elif not is_last_word and not self._is_alone(picture):
                return None
        self._raw = time
        is_later = self._placed is None or time > self._placed  # as `FrameClock`, which keeps such a time as it is
        shift = picture.shifts[self._seen - 1] if picture is not None and self._seen else Fraction(0)
        if shift < 0 or not is_later:
            time += shift
        self._placed = time
        return time

    def _is_leap(self, time: Fraction, picture: FrameClock) -> bool:
        """The clock was set anew: it went back, or far ahead where the picture's is known to have been set anew."""
        if self._raw is None:
            return False
        is_behind = time < self._raw - BACK_STEPS * picture.step
        return is_behind or (time > self._raw + PATIENCE and self._seen < len(picture.shifts))

    def _is_alone(self, picture: FrameClock) -> bool:
        """The picture is long past this place and its clock was not set anew: only the track's was."""
        return picture.latest is not None and self._placed is not None and picture.latest > self._placed + PATIENCE
