"""A clip on which every schedule can be tried: features, fields and answers are computed once, and kept on disk."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from dffcli.categories import Category
from dffcli.core.propagation import propagation_for
from dffcli.core.protocols import FlowEstimator, Propagation, VideoModel
from dffcli.core.types import (
    BoxMaps,
    Features,
    FlowField,
    Frame,
    KeyFrame,
    Prediction,
    PreparedImage,
    SegmentationMap,
    Task,
)
from dffcli.flow.dis import DisFlow
from dffcli.video.reader import open_source

MOST_FIELDS = 4000  # remembered at a time: about 150 KB each


@dataclass
class Clip:
    """A clip's features and its reduced grey pictures; the frames themselves are blank.

    Attributes:
        name: of the clip.
        images: the frames on the network's grid; label maps are answered at the size of the feature map.
        features: of every frame, half precision.
    """

    name: str
    images: list[PreparedImage]
    features: list[list[np.ndarray]]

    @classmethod
    def of(cls, path: Path, model: VideoModel, flow: DisFlow, *, keep: Path | None) -> Clip:
        """Run the feature network over all frames, or take what an earlier run has kept."""
        kept = None if keep is None else keep / f"{model.name}-{'-'.join(path.parts[-2:])}.pickle"
        if kept is not None and kept.is_file():
            rows, features = pickle.loads(kept.read_bytes())  # written by this script
        else:
            rows, features = [], []
            with open_source(str(path)) as source, torch.inference_mode():
                for frame in source:
                    image = model.prepare(frame)
                    features.append([values.half().contiguous().numpy() for values in model.features(image)])
                    rows.append((frame.size, image.content_size, image.padded_size, flow.reduce(image)))
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(pickle.dumps((rows, features), protocol=5))
        images = []
        for index, (size, content, padded, grey) in enumerate(rows):
            shown = features[index][0].shape[2:] if model.task is Task.SEGMENT else size
            blank = np.broadcast_to(np.uint8(0), (*shown, 3))
            image = PreparedImage(Frame(index, blank, Fraction(index, 25)), content, padded, lambda: torch.zeros(0))
            image.cache["grey", flow.settings.long_side] = grey
            images.append(image)
        return cls(path.name, images, features)

    def frames(self) -> Iterator[Frame]:
        """The blank frames."""
        return (image.frame for image in self.images)


@dataclass
class RememberingModel:
    """Answers from remembered features."""

    inner: VideoModel
    clip: Clip
    answers: dict[int, Prediction] = field(default_factory=dict)

    name = "remembering"

    @property
    def task(self) -> Task:
        return self.inner.task

    @property
    def categories(self) -> tuple[Category, ...]:
        return self.inner.categories

    def prepare(self, frame: Frame) -> PreparedImage:
        return self.clip.images[frame.index]

    def features(self, image: PreparedImage) -> Features:
        kind = BoxMaps if self.task is Task.DETECT else tuple
        values = (torch.from_numpy(array).float() for array in self.clip.features[image.frame.index])
        return kind(array.contiguous(memory_format=torch.channels_last) for array in values)

    def head(self, features: Features, image: PreparedImage, *, is_key: bool) -> Prediction:
        if is_key and image.frame.index in self.answers:
            return self.answers[image.frame.index]
        answer: Prediction
        if self.task is Task.SEGMENT:
            answer = SegmentationMap(features[0][0].argmax(0).to(torch.uint8).numpy())  # features are logits
        else:
            answer = self.inner.head(features, image, is_key=is_key)
        if is_key:
            self.answers[image.frame.index] = answer
        return answer

    def fresh(self, index: int) -> Prediction:
        """The per-frame answer."""
        image = self.clip.images[index]
        return self.answers[index] if index in self.answers else self.head(self.features(image), image, is_key=True)


@dataclass
class RememberingFlow:
    """Each pair's field once; its guess is the neighbour's field to the same key, so it is the same each time."""

    inner: FlowEstimator
    known: dict[tuple[int, int], FlowField] = field(default_factory=dict)

    name = "remembering"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        pair = key.frame.index, current.frame.index
        if pair not in self.known:
            if len(self.known) > MOST_FIELDS:
                self.known.clear()
            found = self.inner.estimate(key, current, guess=guess)
            error = None if found.photometric_error is None else found.photometric_error.astype(np.float16)
            self.known[pair] = replace(found, displacement=found.displacement.half(), photometric_error=error)
        stored = self.known[pair]
        error = None if stored.photometric_error is None else stored.photometric_error.astype(np.float32)
        return replace(stored, displacement=stored.displacement.float(), photometric_error=error)


@dataclass
class RememberingPropagation:
    """Every answer that was propagated once."""

    inner: Propagation
    known: dict[tuple[int, ...], Prediction] = field(default_factory=dict)

    @classmethod
    def of(cls, model: RememberingModel) -> RememberingPropagation:
        """As the inner model's answers travel, every detection told."""
        found = propagation_for(model.inner)
        return cls(replace(found, model=model) if hasattr(found, "model") else found)  # type: ignore[type-var]

    def at_key(self, key: KeyFrame) -> Prediction:
        return key.prediction

    def from_one(self, key: KeyFrame, field: FlowField, image: PreparedImage) -> Prediction:
        place = key.frame.index, image.frame.index
        if place not in self.known:
            self.known[place] = self.inner.from_one(key, field, image)
        return self.known[place]

    def from_both(
        self, before: KeyFrame, back: FlowField, image: PreparedImage, onward: FlowField, after: KeyFrame
    ) -> Prediction:
        place = before.frame.index, image.frame.index, after.frame.index
        if place not in self.known:
            self.known[place] = self.inner.from_both(before, back, image, onward, after)
        return self.known[place]
