"""A decoder's picture to an upright RGB one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av import VideoFrame
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from dffcli.core.types import UInt8Array
from dffcli.video.hdr import BT2020, hdr_to_sdr, is_hdr

LUMA_FORMATS = frozenset(
    ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray")  # 8 bits, Y first
)
HD_SIZE_WH = (1280, 576)
"""Untagged pictures at least this wide, or higher than this, are taken for BT.709, others for BT.601, as players do."""

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes a stored picture upright: transpose first, then flip."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def is_identity(self) -> bool:
        """The picture is upright as stored."""
        return not (self.transpose or self.flip_x or self.flip_y)

    @property
    def is_mirrored(self) -> bool:
        """More than a rotation."""
        return self.transpose ^ self.flip_x ^ self.flip_y

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise, where it is a pure rotation (a mirror is not counted)."""
        if self.transpose:
            return 90 if self.flip_y else 270
        return 180 if self.flip_y else 0

    def apply(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The upright picture `[H, W, ...]`, contiguous."""
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        if self.flip_x:
            picture = picture[:, ::-1]
        if self.flip_y:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


TURNS = {
    90: Orientation(transpose=True, flip_y=True),
    180: Orientation(flip_x=True, flip_y=True),
    270: Orientation(transpose=True, flip_x=True),
}
"""By degrees counter-clockwise."""


def side_data_of(frame: VideoFrame) -> list[Any] | None:
    """What the decoder says beside the picture; None where it holds something newer than PyAV's table of it."""
    try:
        side_data: Any = frame.side_data  # typed as a mapping of strings, but it iterates over its values
        return list(side_data)
    except ValueError:
        return None


def read_orientation(frame: VideoFrame) -> Orientation:
    """The frame's display matrix, to the nearest quarter turn."""
    side_data = side_data_of(frame)
    if side_data is None:
        return TURNS.get(frame.rotation % 360, Orientation())
    for data in side_data:
        if data.type is SideDataType.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()  # x' = a x + c y, y' = b x + d y
            if abs(a) + abs(d) >= abs(b) + abs(c):
                return Orientation(flip_x=a < 0, flip_y=d < 0)
            return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Orientation()


class PictureConverter:
    """Decoded frames to RGB, by the colour matrix and range each frame names."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def rgb(self, frame: VideoFrame) -> UInt8Array:
        """The stored picture in RGB, `[H, W, 3]`. Transparency is dropped."""
        source = None
        if frame.colorspace == _UNSPECIFIED and (frame.width >= HD_SIZE_WH[0] or frame.height > HD_SIZE_WH[1]):
            source = Colorspace.ITU709
        if is_hdr(frame):
            codes = self._reformatter.reformat(frame, format="rgb48le", threads=1).to_ndarray()
            return hdr_to_sdr(
                codes.astype(np.uint16, copy=False),
                transfer=int(frame.color_trc),
                wide_gamut=frame.color_primaries == BT2020,
            )
        picture = self._reformatter.reformat(frame, format="rgb24", src_colorspace=source, threads=1)
        return picture.to_ndarray().astype(np.uint8, copy=False)

    def luma(self, frame: VideoFrame) -> UInt8Array | None:
        """The decoder's 8-bit luma plane `[H, W]`, a copy; None where there is none."""
        if frame.format.name not in LUMA_FORMATS:
            return None
        plane: Any = frame.planes[0]  # a buffer
        rows: UInt8Array = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width].copy()


def letterbox(picture: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Fit a picture into `(height, width)`, keeping its proportions, black around it."""
    h, w = picture.shape[:2]
    scale = min(size[0] / h, size[1] / w)
    inner_h, inner_w = max(1, round(h * scale)), max(1, round(w * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((*size, *picture.shape[2:]), np.uint8)
    top, left = (size[0] - inner_h) // 2, (size[1] - inner_w) // 2
    canvas[top : top + inner_h, left : left + inner_w] = cv2.resize(
        picture, (inner_w, inner_h), interpolation=interpolation
    )
    return canvas
