"""Write a small street-like clip: `python tests/make_clip.py OUT.mp4` (24 frames, a square that moves)."""

import sys
from fractions import Fraction

import av
import numpy as np


def make_clip(path: str, *, frames: int = 24, size: tuple[int, int] = (96, 128), rate: int = 12) -> None:
    h, w = size
    rows, columns = np.indices((h, w))
    ground = np.stack((rows * 255 // h, columns * 255 // w, (rows + columns) % 256), axis=2).astype(np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for index in range(frames):
            picture = ground.copy()
            picture[30:60, 10 + 3 * index : 40 + 3 * index] = (220, 40, 40)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    make_clip(sys.argv[1])
