"""What is done to each result before it is written: wanted classes, wanted scores, identities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches

import numpy as np

from dffcli.categories import Category
from dffcli.core.agreement import WEAK
from dffcli.core.types import FrameResult, Prediction, SegmentationMap
from dffcli.errors import ModelError, SettingError

UNLABELLED = 255  # category id of a pixel whose class was not asked for

Finish = Callable[[FrameResult], FrameResult]
"""From the engine's result to what is written; to be given every frame in order."""


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """What is done to tracks before they are written.

    Attributes:
        min_track: tracks seen on fewer frames are left out; it is decided within twice as many frames.
        fill_gaps: gaps of at most so many frames are filled, along the flow as far as it is known.
        smooth: boxes are smoothed over so many frames before and after.
    """

    min_track: int = 1
    fill_gaps: int = 0
    smooth: int = 0

    @property
    def words(self) -> dict[str, int]:
        """Those that do anything, by name."""
        default = TrackSettings()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}

    @property
    def frames_ahead(self) -> int:
        """How many frames after one must be known before it can be told."""
        return max(2 * (self.min_track - 1), self.smooth) + self.fill_gaps


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """What is to be done to the results of a run.

    Attributes:
        score_threshold: detections below it are dropped, 0..1.
        classes: names of the categories to keep; all if empty.
        track: give each object one id through the video.
        tracks: what is done to tracks then.
    """

    score_threshold: float = 0.5
    classes: tuple[str, ...] = ()
    track: bool = False
    tracks: TrackSettings = field(default_factory=TrackSettings)

    def __post_init__(self) -> None:
        if not 0 <= self.score_threshold <= 1:
            raise ModelError(f"score threshold: expected 0 to 1, got {self.score_threshold:g}")
        if self.tracks.words and not self.track:
            name = next(iter(self.tracks.words)).replace("_", "-")
            raise SettingError(f"--{name}: there are no tracks to treat without --track")

    @property
    def lowest_score(self) -> float:
        """Detections that score less are neither written nor answer one that is, where two are compared.

        Tracks are kept alive by low scores, so with them all are needed.
        """
        return 0.0 if self.track else WEAK * self.score_threshold

    def check(self, categories: tuple[Category, ...]) -> None:
        """Refuse classes that a model does not know.

        Raises:
            ModelError: there is one.
        """
        wanted_ids(self.classes, categories)

    def over(self, results: Iterable[FrameResult], categories: tuple[Category, ...]) -> Iterator[FrameResult]:
        """The results of one video, in frame order, as they are to be written.

        Raises:
            ModelError: a class is not among the model's.
        """
        finished = map(self.begin(categories), results)
        if not self.tracks.words:
            return finished
        from dffcli.run.track_window import TrackWindow

        return TrackWindow(self.tracks).over(finished)

    def begin(self, categories: tuple[Category, ...]) -> Finish:
        """A fresh one for one video: identities are remembered from frame to frame.

        Raises:
            ModelError: a class is not among the model's.
        """
        if not self.track:
            return keeper(categories, classes=self.classes, score_threshold=self.score_threshold)
        from dffcli.run.tracking import Tracker  # its library takes half a second to import

        tracker = Tracker(score_threshold=self.score_threshold)  # low scores continue tracks, but are never written
        keep_classes = keeper(categories, classes=self.classes, score_threshold=0.0)
        keep_scores = keeper(categories, classes=(), score_threshold=self.score_threshold)
        return lambda result: keep_scores(tracker.update(keep_classes(result)))


def wanted_ids(classes: tuple[str, ...], categories: tuple[Category, ...]) -> list[int]:
    """The ids of the classes asked for, in order.

    Raises:
        ModelError: a class is not among the model's.
    """
    ids = {category.name: category.id for category in categories}
    for name in classes:
        if name not in ids:
            near = get_close_matches(name, ids, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(ids)}"
            raise ModelError(f"class {name!r} is not one the model knows: {hint}")
    return sorted(ids[name] for name in classes)


def keeper(categories: tuple[Category, ...], *, classes: tuple[str, ...], score_threshold: float) -> Finish:
    """What drops the results that were not asked for.

    Raises:
        ModelError: a class is not among the model's.
    """
    wanted = np.array(wanted_ids(classes, categories), dtype=np.int64)
    table = np.full(256, UNLABELLED, np.uint8)
    table[wanted] = wanted

    def keep(prediction: Prediction) -> Prediction:
        if isinstance(prediction, SegmentationMap):
            return SegmentationMap(table[prediction.category_ids]) if classes else prediction
        rows = prediction.scores >= score_threshold
        if classes:
            rows &= np.isin(prediction.category_ids, wanted)
        return prediction if rows.all() else prediction.select(rows)

    return lambda result: replace(result, prediction=keep(result.prediction))
