"""The values that travel between the rooms: frozen, and checked where they are born."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dffcli.core.show import brief, shown
from dffcli.core.task import Task as Task
from dffcli.errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

UInt8Array = NDArray[np.uint8]
Float32Array = NDArray[np.float32]
Masks = NDArray[np.bool_]
"""Instance masks in frame pixels, `[N, H, W]` bool."""


class KeyReason(StrEnum):
    """Why a frame was made a key frame: a slug for files and programs, with a sentence for people beside it."""

    FIRST = "first"
    INTERVAL = "interval"
    MAX_INTERVAL = "max-interval"
    DRIFT = "drift"
    SUDDEN_CHANGE = "sudden-change"
    SCENE_CUT = "scene-cut"
    REPAIR = "repair"
    LAST = "last"
    CORRUPT = "corrupt"
    RESIZED = "resized"

    @property
    def sentence(self) -> str:
        """The same for people."""
        return _SENTENCES[self]

    @classmethod
    def slug(cls, text: str | None) -> str | None:
        """A reason as a file tells it, its slug if it is one of these by any of its names."""
        return None if text is None else _OLD_WORDS.get(text, text)

    @classmethod
    def _missing_(cls, value: object) -> KeyReason | None:
        """Files of version 0.1 hold words instead of slugs."""
        slug = _OLD_WORDS.get(value) if isinstance(value, str) else None
        return None if slug is None else cls(slug)


_SENTENCES = {
    KeyReason.FIRST: "the first frame",
    KeyReason.INTERVAL: "the fixed interval was over",
    KeyReason.MAX_INTERVAL: "the longest interval was reached",
    KeyReason.DRIFT: "as far as results carry at the agreement asked for",
    KeyReason.SUDDEN_CHANGE: "the picture suddenly changed more than motion explains",
    KeyReason.SCENE_CUT: "a scene cut",
    KeyReason.REPAIR: "the middle of a stretch that had gone wrong",
    KeyReason.LAST: "the last frame",
    KeyReason.CORRUPT: "the frame after a decoding error",
    KeyReason.RESIZED: "the picture's size changed",
}
_OLD_WORDS = {
    "first frame": "first",
    "fixed interval": "interval",
    "longest interval reached": "max-interval",
    "as far as results carry": "drift",
    "warped key suddenly matches worse": "sudden-change",
    "scene cut": "scene-cut",
    "frame after a decoding error": "corrupt",
    "picture size changed": "resized",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source, upright.

    Attributes:
        index: position in the source, counted from 0 as the decoder delivers.
        image: RGB, uint8, `[H, W, 3]`.
        pts_seconds: exact time of presentation.
        duration_seconds: exact time on screen, where the source says.
        luma: the decoder's 8-bit luma plane `[H, W]`, upright, where there is one (saves a colour conversion).
        is_corrupt: the decoder marked this picture as damaged.
        name: file name of a still that was read from a folder.
        motion_vectors: the codec's own vectors as PyAV's structured array, where asked for and exported.
        is_resized: the stored picture's size changed with this frame; it is letterboxed to the source's first size.
    """

    index: int
    image: UInt8Array
    pts_seconds: Fraction
    duration_seconds: Fraction | None = None
    luma: UInt8Array | None = None
    is_corrupt: bool = False
    name: str | None = None
    motion_vectors: NDArray[Any] | None = None
    is_resized: bool = False

    __repr__ = shown

    def __post_init__(self) -> None:
        if getattr(self.image, "ndim", 0) != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ShapeError(f"expected an RGB uint8 [H, W, 3] image, got {brief(self.image)}")
        if not isinstance(self.pts_seconds, Fraction):
            found = f"{type(self.pts_seconds).__name__} {self.pts_seconds!r}"
            raise ShapeError(f"expected the time of a frame as a Fraction of seconds, got {found}")
        if self.luma is not None and self.luma.shape != self.image.shape[:2]:
            raise ShapeError(f"expected a luma plane of {self.image.shape[:2]}, got {self.luma.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True)
class PreparedImage:
    """A frame on a network's input grid, made when first asked for.

    Flow and features share this grid, padding included: `content_size` is the resized picture, which lies in the
    top left corner of `padded_size`.

    Attributes:
        frame: where it comes from.
        content_size: `(height, width)` of the resized picture, in input pixels.
        padded_size: `(height, width)` of the network's input, padding included.
        make_tensor: computes the normalised input `[1, 3, *padded_size]`; called at most once.
    """

    frame: Frame
    content_size: tuple[int, int]
    padded_size: tuple[int, int]
    make_tensor: Callable[[], Tensor]

    __repr__ = shown

    def __post_init__(self) -> None:
        if self.content_size[0] > self.padded_size[0] or self.content_size[1] > self.padded_size[1]:
            raise ShapeError(f"expected content {self.content_size} to fit into the input {self.padded_size}")

    @cached_property
    def tensor(self) -> Tensor:
        """The network's normalised input, `[1, 3, *padded_size]`."""
        return self.make_tensor()

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """What flow estimators derive from this picture once (a reduced grey picture, say), by their own key."""
        return {}


Features = tuple["Tensor", ...]
"""What a feature network leaves: maps `[1, C, h, w]` on grids that span the padded input, warped one by one."""


class BoxMaps(tuple["Tensor", ...]):
    """Features that end in boxes: what a dense detector says of each place, and where the sides of its box are.

    The last four channels of each map are the distances from a place to the left, upper, right and lower side, in
    cells of that map.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FlowField:
    """Where each place of the current frame was in the key frame (the output of F, section 3.1 of the paper).

    Attributes:
        displacement: `(dx, dy)`, current -> key, in pixels of its own grid, `[1, 2, h, w]` float32; the grid spans the
            padded input.
        scale_map: the paper's scale field S, `[1, C, h, w]` on the feature grid, multiplied after warping; or None.
        photometric_error: mean absolute grey difference between the warped key picture and the current one, on the
            displacement's grid, `[h, w]` float32 in grey levels 0..255; or None where the estimator has no picture.
        grid: "exact" samples at p + flow(p). "mmtracking" keeps that project's rule, whose grid is not the identity
            at zero flow.
        padding: what lies outside the key's map: its "border", or "zeros" as in the released networks.
        current: the picture it leads from, so that the next frame's field can be chained onto it; or None.
    """

    displacement: Tensor
    scale_map: Tensor | None = None
    photometric_error: Float32Array | None = None
    grid: Literal["exact", "mmtracking"] = "exact"
    padding: Literal["border", "zeros"] = "border"
    current: PreparedImage | None = field(default=None, repr=False, compare=False)

    __repr__ = shown

    def __post_init__(self) -> None:
        shape = tuple(self.displacement.shape)
        if len(shape) != 4 or shape[:2] != (1, 2):
            raise ShapeError(f"expected a displacement of [1, 2, h, w], got {list(shape)}")
        if self.photometric_error is not None and self.photometric_error.shape != shape[2:]:
            raise ShapeError(f"expected a photometric error of {shape[2:]}, got {self.photometric_error.shape}")


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects found on one frame, one row each, in frame pixels, best first.

    Attributes:
        boxes: `x1, y1, x2, y2`, `[N, 4]` float32.
        scores: 0..1, `[N]` float32.
        category_ids: ids of the model's categories (not positions), `[N]` int64.
        masks: instance masks `[N, H, W]` bool, from models that give them.
        track_ids: identities through the video, `[N]` int64, once tracked.
        key_rows: of objects that were carried, their rows among all that was found on each of the result's
            `key_indices`, -1 where it has none, `[N, K]` int64: the identity an object keeps on its way.
    """

    boxes: Float32Array
    scores: Float32Array
    category_ids: NDArray[np.int64]
    masks: Masks | None = None
    track_ids: NDArray[np.int64] | None = None
    key_rows: NDArray[np.int64] | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.boxes.shape != (n, 4) or self.category_ids.shape != (n,):
            raise ShapeError(f"expected {n} rows, got boxes {self.boxes.shape}, ids {self.category_ids.shape}")
        if self.masks is not None and (self.masks.ndim != 3 or len(self.masks) != n):
            raise ShapeError(f"expected masks of [{n}, H, W], got {self.masks.shape}")
        if self.track_ids is not None and self.track_ids.shape != (n,):
            raise ShapeError(f"expected {n} track ids, got {self.track_ids.shape}")
        if self.key_rows is not None and (self.key_rows.ndim != 2 or len(self.key_rows) != n):
            raise ShapeError(f"expected key rows of [{n}, K], got {self.key_rows.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[Any]) -> Detections:
        """The rows picked by a boolean mask or an index array."""
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.category_ids[rows],
            None if self.masks is None else self.masks[rows],
            None if self.track_ids is None else self.track_ids[rows],
            None if self.key_rows is None else self.key_rows[rows],
        )


@dataclass(frozen=True, slots=True)
class SegmentationMap:
    """A category for every pixel of one frame.

    Attributes:
        category_ids: ids of the model's categories, `[H, W]` uint8, frame pixels.
    """

    category_ids: UInt8Array

    __repr__ = shown

    def __post_init__(self) -> None:
        if getattr(self.category_ids, "ndim", 0) != 2 or self.category_ids.dtype != np.uint8:
            raise ShapeError(f"expected a map of category ids, uint8 [H, W], got {brief(self.category_ids)}")


Prediction = Detections | SegmentationMap


def check_prediction(prediction: object, frame: Frame) -> None:
    """Refuse what is no answer about a frame.

    Raises:
        ShapeError: it is not.
    """
    if isinstance(prediction, SegmentationMap):
        size = prediction.category_ids.shape
        if size != frame.size:
            raise ShapeError(f"head: expected a map of the frame's size {frame.size}, got {size}")
    elif not isinstance(prediction, Detections):
        raise ShapeError(f"head: expected Detections or a SegmentationMap, got {_kind(prediction)}")
    elif prediction.masks is not None and prediction.masks.shape[1:] != frame.size:
        raise ShapeError(f"head: expected masks of the frame's size {frame.size}, got {prediction.masks.shape[1:]}")


def check_features(features: object) -> None:
    """Refuse what is no feature maps.

    Raises:
        ShapeError: it is not.
    """
    wanted = "features: expected a tuple of maps [1, C, h, w]"
    if not isinstance(features, tuple):
        raise ShapeError(f"{wanted}, got {_kind(features)}")
    for values in features:
        if getattr(values, "ndim", 0) != 4 or values.shape[0] != 1:
            raise ShapeError(f"{wanted}, got {_kind(values)} in it")


def _kind(value: object) -> str:
    """A value that was not expected, in words."""
    return f"a {type(value).__name__}{f' {brief(value)}' if hasattr(value, 'shape') else ''}"


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame on which the feature network ran, with its own answer."""

    frame: Frame
    image: PreparedImage
    features: Features
    prediction: Prediction
    reason: KeyReason

    __repr__ = shown

    def __post_init__(self) -> None:
        check_features(self.features)
        check_prediction(self.prediction, self.frame)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How much of one answer another does not share.

    Attributes:
        wrong: how much of it differs.
        total: what was compared: the boxes of both answers; a picture counts for so many boxes.
    """

    wrong: float
    total: float

    @property
    def share(self) -> float:
        """0 where the answers are the same, or there is nothing to compare; 1 where they have nothing in common."""
        return self.wrong / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """The frames after one key frame, up to and with the next: what propagation cost there, as far as it was measured.

    Attributes:
        frames: how many.
        disagreement: mean share, over these frames, in which they are thought to differ from per-frame results.
        weight: of the stretch among others: its frames, times how much there is to compare on one.
        comparisons: how many of a fresh answer with a carried one this rests on beyond those of the stretches before.
    """

    frames: int
    disagreement: float
    weight: float
    comparisons: int


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What is known of one frame.

    Attributes:
        frame: the picture.
        prediction: boxes or masks in frame pixels.
        key_reason: why it was made a key frame; None on a propagated frame.
        key_indices: indices of the key frames its features come from (itself on a key frame).
        displacement: current -> first of `key_indices`, `[1, 2, h, w]` as in `FlowField`; None on a key frame.
        schedule_memory: of a key frame, what the schedule knew then, so that a run can go on from there; None where
            none can.
        stretch: of the frame that ends one, what the stretch cost; None elsewhere, and where nothing is measured.
    """

    frame: Frame
    prediction: Prediction
    key_reason: KeyReason | None
    key_indices: tuple[int, ...] = field(default=())
    displacement: Tensor | None = None
    schedule_memory: tuple[float, ...] | None = ()
    stretch: Stretch | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_prediction(self.prediction, self.frame)

    @property
    def is_key(self) -> bool:
        """Whether the feature network ran on this frame."""
        return self.key_reason is not None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself, before its first frame.

    Attributes:
        name: short name for titles and ids (file name without folder).
        size: `(height, width)` of the upright picture.
        time_base: unit of the source's timestamps, in seconds.
        average_rate: frames per second as declared; None where unknown.
        frame_count: as declared or counted; None where unknown. Never to be trusted to the frame.
        duration_seconds: as declared; None where unknown.
        sample_aspect_ratio: width of a pixel over its height.
        is_live: a camera or a network stream: frames cannot be waited for or read again.
        may_stall: reading it can take for ever: a live source, or a pipe.
        rotation: degrees the stored picture was turned counter-clockwise to be upright (already applied).
        path: the local file or folder it comes from, if any.
        clock_zero_seconds: what the source's clock shows at its beginning, where that number means nothing (MPEG-TS,
            live streams); 0 elsewhere. Written videos start there.
        start_seconds: where the part that was asked for begins, on the source's clock; None where it is the beginning.
        end_seconds: where it ends; None where it is the end.
    """

    name: str
    size: tuple[int, int]
    time_base: Fraction
    average_rate: Fraction | None = None
    frame_count: int | None = None
    duration_seconds: Fraction | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    is_live: bool = False
    may_stall: bool = False
    rotation: int = 0
    path: str | None = None
    clock_zero_seconds: Fraction = Fraction(0)
    start_seconds: Fraction | None = None
    end_seconds: Fraction | None = None
