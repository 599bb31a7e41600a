"""How well neighbouring classes are told apart when painted over a picture, also without seeing red and green.

Every pair of classes that border on each other in CamVid's labels is painted at 50 % opacity over the same five greys
(both sides of a border show about the same picture below). The distance is CIEDE2000 between the two mixtures, as seen
with full colour vision, without red cones (protanopia) and without green cones (deuteranopia), simulated after Machado,
Oliveira and Fernandes (2009), severity 1. A distance of 1 is just noticeable side by side under good light.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common import parser, save, table
from dffcli.categories import CAMVID, Category, recolored

Array = NDArray[np.float64]

SIGHT: dict[str, Array] = {
    "full colour vision": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
"""Linear RGB as it is seen, by kind of sight."""

GREYS = (32, 80, 128, 176, 224)  # below the paint
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
BORDER_SHARE = 0.01  # of a class's border that it must share with another to count as its neighbour


def to_lab(rgb: Array, *, sight: Array) -> Array:
    """CIELAB of sRGB 0..255 `[..., 3]` as it is seen."""
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ sight.T, 0, 1) @ TO_XYZ.T / WHITE
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def ciede2000(one: Array, other: Array) -> Array:
    """The colour difference of Sharma, Wu and Dalal (2005), of CIELAB `[..., 3]`."""
    lightness1, a1, b1 = np.moveaxis(one, -1, 0)
    lightness2, a2, b2 = np.moveaxis(other, -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, hue2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = chroma1 * chroma2 == 0
    turn = np.where(grey, 0.0, (hue2 - hue1 + 180) % 360 - 180)
    hue_difference = 2 * np.sqrt(chroma1 * chroma2) * np.sin(np.radians(turn / 2))
    lightness, chroma = (lightness1 + lightness2) / 2, (chroma1 + chroma2) / 2
    hue = np.where(grey, hue1 + hue2, (hue1 + turn / 2) % 360)
    weight = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    s_lightness = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    s_chroma, s_hue = 1 + 0.045 * chroma, 1 + 0.015 * chroma * weight
    rotation = -np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    rotation = rotation * 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    parts = (lightness2 - lightness1) / s_lightness, (chroma2 - chroma1) / s_chroma, hue_difference / s_hue
    return np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2 + rotation * parts[1] * parts[2])


def painted_distances(colors: Array, *, sight: Array, opacity: float = 0.5) -> Array:
    """The smallest distance, over the greys, of every pair of colours `[N, 3]` painted over a picture, `[N, N]`."""
    greys = np.array(GREYS, np.float64)[:, None, None]
    lab = to_lab(opacity * colors + (1 - opacity) * greys, sight=sight)  # [greys, N, 3]
    return ciede2000(lab[:, :, None], lab[:, None]).min(0)


def neighbours(masks: Path, *, classes: int) -> list[tuple[int, int]]:
    """Pairs of classes that share a border in CamVid's labels, by position."""
    import cv2

    counts = np.zeros((256, 256))
    for path in sorted(masks.glob("*.png")):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for one, other in ((mask[:, 3:], mask[:, :-3]), (mask[3:], mask[:-3])):  # across a thin unlabelled seam
            counts += np.bincount(one.ravel().astype(np.int64) * 256 + other.ravel(), minlength=65536).reshape(256, 256)
    counts = (counts + counts.T)[:classes, :classes]
    np.fill_diagonal(counts, 0)
    shares = counts / counts.sum(1, keepdims=True)
    return [(i, j) for i, j in combinations(range(classes), 2) if max(shares[i, j], shares[j, i]) > BORDER_SHARE]


def judge(categories: Sequence[Category], pairs: Sequence[tuple[int, int]]) -> list[tuple[str, float, str]]:
    """By kind of sight: the smallest distance of a pair and the pair."""
    colors = np.array([category.color for category in categories], np.float64)
    rows = []
    for name, sight in SIGHT.items():
        distances = painted_distances(colors, sight=sight)
        i, j = min(pairs, key=lambda pair: distances[pair])
        rows.append((name, float(distances[i, j]), f"{categories[i].name} and {categories[j].name}"))
    return rows


def main() -> None:
    options = parser(__doc__).parse_args()
    pairs = neighbours(options.data / "camvid" / "trainannot", classes=len(CAMVID))
    rows = []
    for title, palette in (("dff's", "own"), ("CamVid's own", "camvid")):
        for sight, distance, pair in judge(recolored(CAMVID, palette), pairs):
            rows.append([title, sight, f"{distance:.1f}", pair])
    apart = [
        f"{CAMVID[i].name}-{CAMVID[j].name}" for i, j in combinations(range(len(CAMVID)), 2) if (i, j) not in pairs
    ]
    method = " ".join((__doc__ or "").split("\n", 2)[2].split())
    save(
        "palette",
        title="Colours of neighbouring street classes at 50 % opacity",
        text=f"{method}\n\n{len(pairs)} pairs are neighbours; all but "
        f"these: {', '.join(apart)}.\n\n" + table(["colours", "sight", "smallest distance", "between"], rows),
        command="python benchmarks/palette.py",
    )


if __name__ == "__main__":
    main()
