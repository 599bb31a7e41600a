"""One figure for the whole of the two-sided form, on a street whose motion and labels are known exactly."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from dffcli.categories import Category
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.core.types import FlowField, Frame, PreparedImage, SegmentationMap, Task
from dffcli.evaluation.scene import standard_scene

SIZE, FRAMES, CUT = (90, 160), 22, 12
CLASSES = 12


class TrueModel:
    """Features that know the class of every pixel."""

    name, task, categories = "true", Task.SEGMENT, (Category(0, "sky", (0, 0, 0)),)

    def __init__(self) -> None:
        self.scene = standard_scene(size=SIZE, frames=FRAMES, cut=CUT)
        self.truth = [self.scene.labels(index) for index in range(FRAMES)]
        self.grey = [cv2.cvtColor(self.scene.image(index), cv2.COLOR_RGB2GRAY) for index in range(FRAMES)]

    def frames(self) -> list[Frame]:
        return [Frame(n, np.zeros((*SIZE, 3), np.uint8), Fraction(n, 25)) for n in range(FRAMES)]

    def prepare(self, frame: Frame) -> PreparedImage:
        return PreparedImage(frame, SIZE, SIZE, lambda: torch.zeros(1, 3, *SIZE))

    def features(self, image: PreparedImage) -> tuple[torch.Tensor, ...]:
        known = torch.from_numpy(self.truth[image.frame.index].astype(np.int64))
        return (torch.nn.functional.one_hot(known, CLASSES).permute(2, 0, 1)[None].float(),)

    def head(self, features: tuple[torch.Tensor, ...], image: PreparedImage, *, is_key: bool) -> SegmentationMap:
        return SegmentationMap(features[0][0].argmax(0).numpy().astype(np.uint8))

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        """The exact flow, with how badly the pictures match under it."""
        start, end = current.frame.index, key.frame.index
        vectors, _ = self.scene.flow(end, start)
        rows, columns = np.indices(SIZE, np.float32)
        moved = cv2.remap(self.grey[end], columns + vectors[0], rows + vectors[1], cv2.INTER_LINEAR)
        error = cv2.blur(cv2.absdiff(moved, self.grey[start]).astype(np.float32), (3, 3))
        return FlowField(torch.from_numpy(vectors)[None], photometric_error=error)


@pytest.mark.parametrize(("two_sided", "golden"), [(True, 0.99194), (False, 0.93367)])
def test_labels_reach_the_frames_between_key_frames(two_sided: bool, golden: float) -> None:
    model = TrueModel()
    engine = Engine(model, model, FixedInterval(7), two_sided=two_sided)  # type: ignore[arg-type]
    found = [one for one in engine.run(model.frames()) if not one.is_key]
    right = [np.mean(one.prediction.category_ids == model.truth[one.frame.index]) for one in found]  # type: ignore[union-attr]
    assert np.mean(right) == pytest.approx(golden, abs=0.0005)
