"""What travels from key frames to the frames beside them: a model's maps, or the objects it has found."""

from __future__ import annotations

from dataclasses import dataclass

from dffcli.core.blend import side_weights
from dffcli.core.objects import ObjectPropagation
from dffcli.core.protocols import CarriesObjects, Propagation, VideoModel, Warp
from dffcli.core.types import Features, FlowField, KeyFrame, Prediction, PreparedImage
from dffcli.core.warp import warp


@dataclass(frozen=True, slots=True)
class MapPropagation:
    """The paper's: features are warped, and the task network answers from them.

    Attributes:
        model: whose maps they are.
        warp: W.
    """

    model: VideoModel
    warp: Warp = warp

    def at_key(self, key: KeyFrame) -> Prediction:
        """What the task network said there."""
        return key.prediction

    def from_one(self, key: KeyFrame, field: FlowField, image: PreparedImage) -> Prediction:
        """Section 3.1 of the paper."""
        return self.model.head(self.warp(key.features, field), image, is_key=False)

    def from_both(
        self, before: KeyFrame, back: FlowField, image: PreparedImage, onward: FlowField, after: KeyFrame
    ) -> Prediction:
        """From the maps of both sides, blended place by place."""
        progress = (image.frame.index - before.frame.index) / (after.frame.index - before.frame.index)
        share_before, share_after = side_weights(back, onward, progress=progress)
        features: Features | None = None
        if share_before is not None:
            features = self.warp(before.features, back, weight=share_before)
        if share_after is not None:
            features = self.warp(after.features, onward, weight=share_after, onto=features)
        return self.model.head(features or (), image, is_key=False)


def propagation_for(model: VideoModel, *, warp: Warp = warp, lowest_score: float = 0.0) -> Propagation:
    """What the model says its answers travel by; maps, if it says nothing.

    Args:
        model: in whose name.
        warp: W, for maps.
        lowest_score: objects that score less are not asked for.
    """
    if carries_objects(model):
        return ObjectPropagation(lowest_score)
    return MapPropagation(model, warp)


def carries_objects(model: VideoModel) -> bool:
    """Whether the model's answers travel as objects."""
    return isinstance(model, CarriesObjects) and model.carries_objects
