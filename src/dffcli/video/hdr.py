"""Bring high dynamic range pictures to the range and colours of ordinary screens."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, UInt8Array

PQ, HLG = 16, 18  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67
BT2020 = 9  # AVCOL_PRI_BT2020
PEAK_NITS = 1000.0  # what graded material reaches; brighter lights clip
WHITE_NITS = 203.0  # diffuse white of HDR (ITU-R BT.2408), which becomes the white of the SDR picture
LEVELS = 4096  # of the tables; finer than the 8 bits that come out

BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # linear light, ITU-R BT.2407


def is_hdr(frame: VideoFrame) -> bool:
    """The frame says it is PQ (HDR10, Dolby Vision) or HLG."""
    return int(frame.color_trc) in (PQ, HLG)


def hdr_to_sdr(picture: NDArray[np.uint16], *, transfer: int = PQ, wide_gamut: bool = True) -> UInt8Array:
    """PQ or HLG code values to 8-bit RGB.

    Every channel is taken to display light, rolled off above the knee of ITU-R BT.2390's curve so that highlights keep
    their drawing, taken to BT.709 colours and encoded with the sRGB curve.

    Args:
        picture: RGB code values over the full 16 bits, `[H, W, 3]`.
        transfer: `PQ` or `HLG`.
        wide_gamut: the colours are BT.2020's.

    Returns:
        RGB, uint8, `[H, W, 3]`.
    """
    light = _light_table(transfer)[picture >> 4]  # [H, W, 3], 1 is SDR white
    if wide_gamut:
        light = cv2.transform(light, BT2020_TO_BT709)
    codes = np.clip(light * (LEVELS - 1) + 0.5, 0, LEVELS - 1).astype(np.uint16)
    narrow: UInt8Array = _srgb_table()[codes]
    return narrow


@cache
def _light_table(transfer: int) -> Float32Array:
    """Linear light, tone-mapped, for each of `LEVELS` code values; 1 is SDR white."""
    code = np.linspace(0, 1, LEVELS)
    nits = _pq_to_nits(code) if transfer == PQ else _hlg_to_nits(code)
    peak = _nits_to_pq(np.array(PEAK_NITS))
    signal = np.clip(_nits_to_pq(nits) / peak, 0, 1)
    top = float(_nits_to_pq(np.array(WHITE_NITS)) / peak)
    return (_pq_to_nits(_roll_off(signal, top) * peak) / WHITE_NITS).astype(np.float32)


def _roll_off(signal: NDArray[np.float64], top: float) -> NDArray[np.float64]:
    """ITU-R BT.2390's curve: the identity below the knee, then a Hermite spline that ends at `top`."""
    knee = 1.5 * top - 0.5
    t = np.clip((signal - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    return np.where(signal < knee, signal, spline)


def _pq_to_nits(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084, signal 0..1 to cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = code ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _nits_to_pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.maximum(nits, 0) / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def _hlg_to_nits(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """ARIB STD-B67 on a display of `PEAK_NITS`, its system gamma 1.2 taken per channel."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return PEAK_NITS * np.clip(scene, 0, 1) ** 1.2


@cache
def _srgb_table() -> UInt8Array:
    light = np.linspace(0, 1, LEVELS)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table: UInt8Array = np.rint(encoded * 255).astype(np.uint8)
    return table
