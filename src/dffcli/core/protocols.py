"""The roles of the method, as the engine sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dffcli.categories import Category
from dffcli.core.types import (
    Disagreement,
    Features,
    FlowField,
    Frame,
    KeyFrame,
    KeyReason,
    Prediction,
    PreparedImage,
    Stretch,
    Task,
)

if TYPE_CHECKING:
    from torch import Tensor


class VideoModel(Protocol):
    """A recognition network split in two: N_feat (expensive, on key frames) and N_task (cheap, on every frame)."""

    @property
    def name(self) -> str:
        """The name `--model` takes."""

    @property
    def task(self) -> Task:
        """What it answers."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """What it can name; the background of a detector is not among them."""

    def prepare(self, frame: Frame) -> PreparedImage:
        """Place a frame on the network's input grid; costs nothing until a tensor is asked for."""

    def features(self, image: PreparedImage) -> Features:
        """N_feat: maps `[1, C, h, w]`, the last before the cheap layers."""

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Prediction:
        """N_task: boxes or masks in frame pixels. `is_key` lets two-stage heads use fewer proposals elsewhere."""


@runtime_checkable
class SparesLowScores(Protocol):
    """A detector that spends no work on detections nobody will see; those that score enough are the same."""

    def with_lowest_score(self, score: float) -> VideoModel:
        """The same model, asked for scores from there on, 0..1."""


@runtime_checkable
class CarriesObjects(Protocol):
    """A model that says by what its answers travel; those of a model that does not say travel by its maps."""

    @property
    def carries_objects(self) -> bool:
        """Whether the detections of key frames are carried, and not the maps they are read from."""


class FlowEstimator(Protocol):
    """F of the paper: where each place of the current frame was in the key frame."""

    @property
    def name(self) -> str:
        """The name `--flow` takes."""

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The field current -> key on a grid that spans the padded input.

        `guess` is the field of the frame beside the current one, to the same key: something to start from, or to chain
        the motion between the two frames onto.
        """


class Warp(Protocol):
    """W of the paper, for maps."""

    def __call__(
        self, features: Features, field: FlowField, *, weight: Tensor | None = None, onto: Features | None = None
    ) -> Features:
        """Bring a key frame's maps to the current frame.

        Args:
            features: the key frame's maps, `[1, C, h, w]`.
            field: current -> key.
            weight: how much each place counts, `[1, 1, h', w']`; 1 if absent.
            onto: maps to add the result to, in place.
        """


class Propagation(Protocol):
    """How answers travel from key frames to the frames beside them."""

    def at_key(self, key: KeyFrame) -> Prediction:
        """A key frame's own answer, as it is told."""

    def from_one(self, key: KeyFrame, field: FlowField, image: PreparedImage) -> Prediction:
        """A frame's answer from one key frame; `field` leads current -> key."""

    def from_both(
        self, before: KeyFrame, back: FlowField, image: PreparedImage, onward: FlowField, after: KeyFrame
    ) -> Prediction:
        """A frame's answer from the key frames on both sides; `back` leads to the one before, `onward` to the other."""


class Schedule(Protocol):
    """Who is a key frame."""

    @property
    def max_interval(self) -> int:
        """No key frame is more than this many frames after the one before; the engine's memory is bounded by it."""

    @property
    def memory(self) -> tuple[float, ...] | None:
        """All it has learned, in numbers; None at a key frame from which another cannot go on as this one would."""

    def recall(self, memory: tuple[float, ...]) -> None:
        """Go on from what another one of its kind had learned; nothing from an empty memory."""

    def key_reason(self, frames_since_key: int, estimate: Callable[[], FlowField]) -> KeyReason | None:
        """Why this frame is to be a key frame, or None. `estimate()` gives the field to the last key, computed once."""


@runtime_checkable
class LearnsFromResults(Protocol):
    """A schedule that goes by what propagation costs, and says what it has cost."""

    def begin(self, *, two_sided: bool) -> None:
        """Told before the first frame whether frames between two key frames will be reached from both."""

    def learn(self, distances: tuple[int, ...], compare: Callable[[], Disagreement]) -> None:
        """Told of a key frame whose own answer can be compared with what would have been carried there.

        Args:
            distances: frames to the key frame before, or to those on both sides.
            compare: makes the comparison; it costs a warp and a head for each side, and a field for the second.
        """

    def needs_repair(self, interval: int, *, two_sided: int) -> bool:
        """Whether a stretch that has just ended turned out so bad that a key frame is to be put in its middle.

        Args:
            interval: frames of the stretch, its key frame included.
            two_sided: how many of them still wait for it.
        """

    def needs_last(self, frames: int) -> bool:
        """Whether the last frame of all, so many frames after the last key frame, is to be one too."""

    def stretch(self, interval: int, *, two_sided: int) -> Stretch | None:
        """What a stretch that has just ended cost, as far as is known; None where nothing is measured."""


@runtime_checkable
class LearningSchedule(Schedule, LearnsFromResults, Protocol):
    """Both in one."""
