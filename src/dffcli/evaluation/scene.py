"""A street that never was: pictures whose motion, boxes and labels are known exactly.

Everything is a flat textured layer placed by an affine map per frame (the layer's own motion, then the camera's pan and
zoom), so where a point of one frame lies in another, and whether it is seen there, is computed and not estimated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Float32Array, UInt8Array
from dffcli.evaluation.textures import Texture, backdrop, figure

Float64Array = NDArray[np.float64]
SIZE = (360, 640)
FRAMES = 121
CUT = 72  # the frame at which the second shot begins
RATE = 25  # frames per second
CAR, PEDESTRIAN = 8, 9  # CamVid's ids, as in all label maps here


@dataclass(frozen=True, slots=True)
class Layer:
    """One flat thing of the scene.

    Attributes:
        name: what it is; empty for the backdrop.
        track: its identity through the video, 0 for the backdrop.
        texture: how it looks, and where it is solid.
        position: of its texture's centre in the world at the shot's beginning, `x, y`.
        velocity: of the same, in world pixels a frame.
        spin: radians a frame.
        sway: amplitude of a vertical swing, in world pixels.
    """

    name: str
    track: int
    texture: Texture
    position: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    spin: float = 0.0
    sway: float = 0.0

    def placement(self, age: float) -> Float64Array:
        """From texture to world pixels at `age` frames into the shot, `[3, 3]`."""
        h, w = self.texture.image.shape[:2]
        angle = self.spin * age
        x = self.position[0] + self.velocity[0] * age
        y = self.position[1] + self.velocity[1] * age + self.sway * np.sin(0.25 * age)
        turn = np.array([[np.cos(angle), -np.sin(angle), x], [np.sin(angle), np.cos(angle), y], [0, 0, 1]])
        return np.asarray(turn @ np.array([[1, 0, -(w - 1) / 2], [0, 1, -(h - 1) / 2], [0, 0, 1.0]]))


@dataclass(frozen=True, slots=True)
class Camera:
    """A pan and zoom: what lies at `center` of the world at first moves by `pan` a frame, and grows by `zoom`."""

    center: tuple[float, float]
    pan: tuple[float, float]
    zoom: float

    def view(self, age: float, size: tuple[int, int]) -> Float64Array:
        """From world to picture pixels, `[3, 3]`."""
        scale = float(np.exp(self.zoom * age))
        x, y = self.center[0] + self.pan[0] * age, self.center[1] + self.pan[1] * age
        h, w = size
        return np.array([[scale, 0, (w - 1) / 2 - scale * x], [0, scale, (h - 1) / 2 - scale * y], [0, 0, 1.0]])


@dataclass(frozen=True, slots=True)
class Shot:
    """One camera over layers, the farthest first; frames `start` to `end`, the end excluded."""

    start: int
    end: int
    camera: Camera
    layers: tuple[Layer, ...]

    def to_picture(self, layer: Layer, index: int, size: tuple[int, int]) -> Float64Array:
        """From a layer's texture to the picture of frame `index`, `[3, 3]`."""
        age = index - self.start
        return self.camera.view(age, size) @ layer.placement(age)


@dataclass(frozen=True, slots=True)
class Box:
    """What is seen of an object: `x1, y1, x2, y2` in pixels, as COCO counts."""

    name: str
    track: int
    corners: tuple[int, int, int, int]
    pixels: int


@dataclass(frozen=True)
class Scene:
    """All shots.

    Attributes:
        shots: one after the other, without a gap.
        size: `(height, width)` of the pictures.
    """

    shots: tuple[Shot, ...]
    size: tuple[int, int] = SIZE

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return self.shots[-1].end

    def shot(self, index: int) -> Shot:
        """The shot that frame `index` is of."""
        return next(shot for shot in self.shots if index < shot.end)

    @cached_property
    def _pixels(self) -> Float64Array:
        h, w = self.size
        columns, rows = np.meshgrid(np.arange(w, dtype=float), np.arange(h, dtype=float))
        return np.stack((columns, rows, np.ones((h, w))))  # [3, H, W]

    def owners(self, index: int) -> UInt8Array:
        """Which layer is seen at each pixel, by its position in the shot, `[H, W]`."""
        shot = self.shot(index)
        owner = np.zeros(self.size, np.uint8)
        for number, layer in enumerate(shot.layers[1:], 1):
            matrix = shot.to_picture(layer, index, self.size)
            rows, columns = self._around(layer, matrix)
            part = self._pixels[:, rows, columns]
            solid = layer.texture.is_solid_at(_inside(matrix, part.reshape(3, -1)))
            owner[rows, columns][solid.reshape(part.shape[1:])] = number
        return owner

    def _around(self, layer: Layer, to_picture: Float64Array) -> tuple[slice, slice]:
        """Rows and columns of the picture that a layer can reach."""
        h, w = layer.texture.labels.shape
        corners = to_picture @ np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1.0]])
        (left, top), (right, bottom) = np.floor(corners[:2].min(1)), np.ceil(corners[:2].max(1)) + 1
        limits = np.clip((top, bottom, left, right), 0, np.repeat(self.size, 2)).astype(int)
        return slice(limits[0], limits[1]), slice(limits[2], limits[3])

    def image(self, index: int) -> UInt8Array:
        """The picture, RGB `[H, W, 3]`."""
        return self._paint(index, lambda texture: (texture.image, cv2.INTER_LINEAR))

    def labels(self, index: int) -> UInt8Array:
        """CamVid's class of every pixel, `[H, W]`."""
        return self._paint(index, lambda texture: (texture.labels, cv2.INTER_NEAREST))

    def _paint(self, index: int, look: Callable[[Texture], tuple[UInt8Array, int]]) -> UInt8Array:
        shot, owner = self.shot(index), self.owners(index)
        h, w = self.size
        picture: UInt8Array | None = None
        for number, layer in enumerate(shot.layers):
            values, interpolation = look(layer.texture)
            matrix = shot.to_picture(layer, index, self.size)[:2]
            placed = cv2.warpAffine(values, matrix, (w, h), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
            if picture is None:
                picture = np.asarray(placed, np.uint8)
            else:
                picture[owner == number] = placed[owner == number]
        return np.ascontiguousarray(picture)

    def boxes(self, index: int) -> list[Box]:
        """What is seen of every object."""
        owner = self.owners(index)
        found = []
        for number, layer in enumerate(self.shot(index).layers):
            rows, columns = np.nonzero(owner == number)
            if layer.name and rows.size:
                corners = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
                found.append(Box(layer.name, layer.track, corners, int(rows.size)))
        return found

    def flow(self, key: int, current: int) -> tuple[Float32Array, NDArray[np.bool_]]:
        """The exact flow.

        Args:
            key: index of one frame.
            current: index of another of the same shot.

        Returns:
            `(dx, dy)` in pixels, current -> key, `[2, H, W]`, and where what the current frame shows is also seen in
            the key frame, `[H, W]`. Across a cut nothing is seen, and the flow is zero.
        """
        h, w = self.size
        shot = self.shot(current)
        if shot is not self.shot(key):
            return np.zeros((2, h, w), np.float32), np.zeros((h, w), np.bool_)
        owner = self.owners(current)
        target = np.empty((2, h, w))
        for number, layer in enumerate(shot.layers):
            here, there = (shot.to_picture(layer, index, self.size) for index in (current, key))
            mine = owner == number
            target[:, mine] = (there @ np.linalg.inv(here) @ self._pixels[:, mine])[:2]
        seen = (target[0] >= 0) & (target[0] <= w - 1) & (target[1] >= 0) & (target[1] <= h - 1)
        for number, layer in enumerate(shot.layers[1:], 1):
            behind = seen & (owner < number)
            points = np.vstack((target[:, behind], np.ones(int(behind.sum()))))
            there = shot.to_picture(layer, key, self.size)
            seen[behind] = ~layer.texture.is_solid_at(_inside(there, points))
        return (target - self._pixels[:2]).astype(np.float32), seen


def _inside(to_picture: Float64Array, points: Float64Array) -> Float64Array:
    """Places of picture points in a layer's texture, `[2, N]`."""
    return np.asarray((np.linalg.inv(to_picture) @ points)[:2])


def standard_scene(*, seed: int = 0, size: tuple[int, int] = SIZE, frames: int = FRAMES, cut: int = CUT) -> Scene:
    """The scene of the standard suite: two shots, a moving camera, six objects that hide each other, one cut.

    Args:
        seed: decides the textures; the motion is the same for all.
        size: of the pictures; all distances grow with it.
        frames: how many.
        cut: where the second shot begins; none if beyond the end.
    """
    shots = [_street(np.random.default_rng((seed, 0)), 0, min(cut, frames), size, direction=1)]
    if cut < frames:
        shots.append(_street(np.random.default_rng((seed, 1)), cut, frames, size, direction=-1))
    return Scene(tuple(shots), size)


def _street(rng: np.random.Generator, start: int, end: int, size: tuple[int, int], *, direction: int) -> Shot:
    h, w = size
    unit = h / 360  # all distances below are for a picture 360 pixels high

    def thing(
        number: int, name: str, label: int, shape: tuple[int, int], at: tuple[float, float], **motion: Any
    ) -> Layer:
        texture = figure(rng, (round(shape[0] * unit), round(shape[1] * unit)), label=label)
        velocity = motion.pop("velocity")
        return Layer(
            name,
            number,
            texture,
            (direction * at[0] * unit, at[1] * unit),
            (direction * velocity[0] * unit, velocity[1] * unit),
            sway=motion.get("sway", 0.0) * unit,
            spin=motion.get("spin", 0.0),
        )

    ground = backdrop(rng, (round(2.2 * h), round(3.2 * w)))
    camera = Camera((-direction * 60 * unit, 0.0), (direction * 2.2 * unit, 0.1 * unit), zoom=0.0025 * direction)
    first = 1 + 10 * (direction < 0)
    return Shot(
        start,
        end,
        camera,
        (
            Layer("", 0, ground, (0.0, 0.0)),
            thing(first, "person", PEDESTRIAN, (64, 26), (-190, 52), velocity=(2.9, 0.0), sway=2.0),
            thing(first + 1, "person", PEDESTRIAN, (70, 28), (170, 56), velocity=(-0.6, 0.0), sway=3.0),
            thing(first + 2, "car", CAR, (72, 150), (-230, 84), velocity=(5.4, 0.1)),
            thing(first + 3, "car", CAR, (84, 176), (240, 108), velocity=(-1.4, 0.2)),
            thing(first + 4, "person", PEDESTRIAN, (112, 44), (20, 110), velocity=(1.2, 0.1), sway=4.0, spin=0.002),
            thing(first + 5, "car", CAR, (104, 220), (-420, 150), velocity=(6.0, 0.0)),
        ),
    )


def varied_scene(*, seed: int, size: tuple[int, int] = SIZE, frames: int = 20) -> Scene:
    """One shot of a street of its own: camera, number of objects, sizes, textures and motion all follow the seed.

    Args:
        seed: decides everything.
        size: of the pictures; all distances grow with it.
        frames: how many.
    """
    rng = np.random.default_rng((seed, 2))
    h, w = size
    unit = h / 360  # all distances below are for a picture 360 pixels high
    half_wide = w / unit / 2
    layers = [Layer("", 0, backdrop(rng, (round(2.2 * h), round(3.2 * w))), (0.0, 0.0))]
    count = int(rng.integers(3, 9))
    for number, depth in enumerate(np.sort(rng.uniform(0, 1, count)), 1):  # 0 is far, 1 near: low and large
        is_car = rng.random() < 0.5
        tall = (rng.uniform(60, 80) if is_car else rng.uniform(70, 95)) * (0.6 + 1.2 * depth)
        shape = (round(tall * unit), round(tall * unit * (2.1 if is_car else 0.4)))
        at = (rng.uniform(-1.1, 1.1) * half_wide * unit, (50 + 95 * depth - tall / 4) * unit)
        speed = rng.uniform(-7, 7) if is_car else rng.uniform(-3, 3)
        layers.append(
            Layer(
                "car" if is_car else "person",
                number,
                figure(rng, shape, label=CAR if is_car else PEDESTRIAN),
                at,
                (speed * unit, rng.uniform(-0.3, 0.3) * unit),
                spin=rng.uniform(-0.004, 0.004),
                sway=0.0 if is_car else rng.uniform(0, 4) * unit,
            )
        )
    pan = (rng.uniform(-5, 5) * unit, rng.uniform(-0.6, 0.6) * unit)
    start = (-pan[0] * frames / 2, -pan[1] * frames / 2)  # the middle of the way is the middle of the world
    camera = Camera(start, pan, zoom=rng.uniform(-0.008, 0.008))
    return Scene((Shot(0, frames, camera, tuple(layers)),), size)
