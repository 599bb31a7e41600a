"""Give every frame a time after the one before, changing as few times as can be."""

from __future__ import annotations

from fractions import Fraction

DEFAULT_RATE = Fraction(25)  # frames per second, where a source names none


class FrameClock:
    """Timestamps of a stream to strictly increasing seconds.

    A good timestamp is kept exactly. A missing one comes one frame after the time before. One that repeats the time
    before, or lies at most two frames back, is put one tick after it, so that nothing else moves. One that lies further
    back means that the clock was set anew (joined recordings): the frame comes one frame after the one before and the
    following ones keep their distances to it.
    """

    def __init__(self, *, time_base: Fraction, rate: Fraction | None) -> None:
        self._tick = time_base
        self._step = 1 / rate if rate else 1 / DEFAULT_RATE
        self._previous: Fraction | None = None
        self._shift = Fraction(0)
        self.made_up = 0
        self.moved = 0
        self.is_reset = False

    def place(self, pts: int | None) -> Fraction:
        """The time of the next frame, in seconds.

        Args:
            pts: its timestamp in ticks of the time base, if it has one.
        """
        before = self._previous
        if pts is None:
            self.made_up += 1
            time = Fraction(0) if before is None else before + self._step
        else:
            time = pts * self._tick
            if before is not None and time <= before:
                time = self._move(time, before)
        self._previous = time
        return time

    def _move(self, time: Fraction, before: Fraction) -> Fraction:
        if self._shift and time + self._shift > before:
            return time + self._shift
        if time >= before - 2 * self._step:
            self.moved += 1
            return before + self._tick
        self.is_reset = True
        self._shift = before + self._step - time
        return before + self._step
