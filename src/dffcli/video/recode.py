"""Encode a sound track anew, for containers that cannot hold it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import OutputContainer
from av.packet import Packet

AudioMode = Literal["copy", "aac", "opus", "none"]

ENCODERS: dict[AudioMode, str] = {"aac": "aac", "opus": "libopus"}
"""libav's encoder for each kind of sound that can be asked for."""

BITS_A_CHANNEL = 96_000  # a second
OPUS_RATE = 48_000  # samples a second, the only one Opus knows besides a few lower ones
HOLE = Fraction(1, 20)  # seconds; a longer gap between two frames is filled with silence
MAX_HOLE = Fraction(600)  # seconds of silence at once


class Recoder:
    """One sound track, decoded and encoded again, in time with the original."""

    def __init__(self, source: Any, mode: AudioMode, output: OutputContainer) -> None:
        """Add the stream.

        Args:
            source: the track.
            mode: what it is to become.
            output: gets the stream.

        Raises:
            ValueError: it cannot be decoded, or the output cannot hold the new sound.
        """
        context = source.codec_context
        if context is None or not context.sample_rate:
            raise ValueError("cannot be decoded")
        channels = context.layout.nb_channels
        layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(channels, "stereo")
        rate = OPUS_RATE if mode == "opus" else context.sample_rate
        self._source = source
        self.target: Any = output.add_stream(ENCODERS[mode], rate=rate)
        encoder: Any = self.target.codec_context
        encoder.layout = layout
        encoder.bit_rate = BITS_A_CHANNEL * encoder.layout.nb_channels
        self._sample = Fraction(1, rate)
        encoder.time_base = self.target.time_base = self._sample
        self._rate = rate
        self._resampler = AudioResampler(format=encoder.format, layout=layout, rate=rate)
        self._fifo = AudioFifo()
        self._next: int | None = None  # the time of the next sample that goes into the fifo, in samples
        self._out: int | None = None  # the time of the next sample that goes into the encoder
        self.failed = 0

    def convert(self, packet: Packet[Any] | None) -> Sequence[Packet[Any]]:
        """The packets that are complete once this one is known; with None, the last."""
        if packet is None:
            for frame in self._flushed():
                self._take(frame)
            return [*self._encoded(is_last=True), *self.target.encode(None)]
        try:
            for frame in self._source.codec_context.decode(packet):
                self._take(frame)
        except (av.FFmpegError, ValueError):
            self.failed += 1
        return self._encoded(is_last=False)

    def _flushed(self) -> list[AudioFrame]:
        with suppress(av.FFmpegError, EOFError):
            return list(self._source.codec_context.decode(None))
        return []

    def _take(self, frame: AudioFrame) -> None:
        start = None if frame.pts is None else round(frame.pts * Fraction(frame.time_base or 1) / self._sample)
        if self._next is None:
            self._next = self._out = start or 0
        hole = 0 if start is None else start - self._next
        if hole > HOLE * self._rate:
            self._put_silence(min(hole, int(MAX_HOLE * self._rate)))
        frame.pts = None
        for ready in self._resampler.resample(frame):
            self._put(ready)

    def _put_silence(self, samples: int) -> None:
        encoder = self.target.codec_context
        while samples > 0:
            count = min(samples, self._rate)
            channels = encoder.layout.nb_channels
            shape = (channels, count) if encoder.format.is_planar else (1, count * channels)
            dtype = np.float32 if encoder.format.name.startswith("flt") else np.int16
            silence = AudioFrame.from_ndarray(np.zeros(shape, dtype), encoder.format.name, encoder.layout.name)
            silence.sample_rate = self._rate
            self._put(silence)
            samples -= count

    def _put(self, frame: AudioFrame) -> None:
        frame.pts = None
        self._fifo.write(frame)
        self._next = (self._next or 0) + frame.samples

    def _encoded(self, *, is_last: bool) -> list[Packet[Any]]:
        encoder = self.target.codec_context
        if not encoder.is_open:
            return []
        packets: list[Packet[Any]] = []
        while (frame := self._fifo.read(encoder.frame_size or 1024, is_last)) is not None:
            frame.pts, frame.time_base = self._out, self._sample
            self._out = (self._out or 0) + frame.samples
            packets += self.target.encode(frame)
        return packets
