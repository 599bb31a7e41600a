"""Small videos with known pictures, made where they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from dffcli.core.types import UInt8Array

SIZE = (48, 64)
TICK = Fraction(1, 12800)
RATE = 25
FRAME_TICKS = 512  # 1/25 s


def picture(index: int, size: tuple[int, int] = SIZE) -> UInt8Array:
    """Grey that brightens with the index, red in the upper left quarter, blue in the lower left."""
    h, w = size
    image = np.full((h, w, 3), 40 + 5 * (index % 40), np.uint8)
    image[: h // 2, : w // 2] = (200, 30, 30)
    image[h // 2 :, : w // 2] = (30, 30, 200)
    return image


def make_video(
    path: Path,
    frames: int = 10,
    *,
    size: tuple[int, int] = SIZE,
    ticks: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    format: str | None = None,
    rotation: tuple[int, bool, bool] | None = None,
    aspect: Fraction | None = None,
    sound: str | None = None,
    sound_ticks: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    matrix: int = 6,
    full_range: bool = False,
    transfer: int = 1,
    images: Sequence[UInt8Array] | None = None,
    time_base: Fraction = TICK,
) -> Path:
    """Write a video.

    Args:
        path: the file.
        frames: how many pictures.
        size: `(height, width)`.
        ticks: their times in `time_base`; 25 a second from zero where not given.
        codec: libav's name of the encoder.
        pix_fmt: libav's name of the pixel format.
        format: libav's name of the container, where the suffix does not say.
        rotation: counter-clockwise degrees, mirrored horizontally, mirrored vertically, as a display matrix.
        aspect: width of a pixel over its height.
        sound: encoder of a second of a tone, if there is to be one.
        sound_ticks: times of the sound's packets in 1/48000 s, where they are to be odd.
        options: of the encoder.
        container_options: of the muxer.
        matrix: AVColorSpace that the file names (and is converted with).
        full_range: luma from 0 to 255.
        transfer: AVColorTransferCharacteristic that the file names.
        images: pictures to encode instead of `picture(i)`.
        time_base: seconds of a tick.
    """
    ticks = [i * FRAME_TICKS for i in range(frames)] if ticks is None else ticks
    with av.open(str(path), "w", format=format, options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=RATE)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = size[1], size[0], pix_fmt
        context.time_base = stream.time_base = time_base
        context.colorspace, context.color_range = matrix, 2 if full_range else 1
        context.color_trc = transfer
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        defaults = {"crf": "8", "preset": "ultrafast"} if codec == "libx264" else {}
        context.options = defaults | (options or {})
        tone: Any = container.add_stream(sound, rate=48000) if sound else None
        for index, tick in enumerate(ticks):
            image = picture(index, size) if images is None else images[index]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(
                format=pix_fmt, dst_colorspace={1: 1, 6: 5, 9: 9}.get(matrix), dst_color_range=2 if full_range else 1
            )
            frame.pts, frame.time_base = tick, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            _mux_tone(container, tone, sound_ticks)
    return path


def times_of(ticks: Sequence[int], time_base: Fraction = TICK) -> list[Fraction]:
    """Ticks as seconds."""
    return [tick * time_base for tick in ticks]


def packets_of(path: Path, *types: str) -> list[list[bytes]]:
    """The contents of every packet of every stream of those types."""
    found: dict[int, list[bytes]] = {}
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type in types]
        for stream in streams:
            found[stream.index] = []
        if streams:
            for packet in container.demux(streams):
                if packet.size:
                    found[packet.stream.index].append(bytes(packet))
    return list(found.values())


def _mux_tone(container: Any, stream: Any, ticks: Sequence[int] | None) -> None:
    samples = (np.sin(np.arange(48000) / 20) * 8000).astype(np.float32) / 32768
    layout = stream.codec_context.layout.name
    channels = stream.codec_context.layout.nb_channels
    packets = []
    size = stream.codec_context.frame_size or 960
    for start in range(0, len(samples) - size, size):
        chunk = np.repeat(samples[None, start : start + size], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(chunk), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    for index, packet in enumerate(packets):
        if ticks is not None and index < len(ticks):
            packet.pts = packet.dts = ticks[index]
        container.mux(packet)
