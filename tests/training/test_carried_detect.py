"""Learning to detect through the warp of a flow that is not trained."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dffcli.categories import Category
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.flow import build_flow
from dffcli.models.coco_det.network import BINS, CocoDetector
from dffcli.training.carried_detect import CarriedDetectObjective, carried_outputs, views_alike
from dffcli.training.detect import DetectionSet, DetectObjective, DetectSettings, PictureSizes
from dffcli.training.detection_augment import Augmentation

SQUARE = (Category(1, "square", (255, 0, 0)),)


def moving_square(folder: Path, *, frames: int = 5, labelled: bool = True) -> DetectionData:
    """A textured square that moves 3 pixels a frame; only the last frame is labelled."""
    texture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    members = []
    for number in range(frames):
        image = np.full((64, 64, 3), 100, np.uint8)
        x = 8 + 3 * number
        image[20:44, x : x + 24] = texture
        cv2.imwrite(str(folder / f"{number}.png"), image)
        is_last = number == frames - 1
        labels = BoxLabels.from_rows([[x, 20, x + 24, 44]], [1]) if is_last and labelled else None
        members.append(LabelledFrame(folder / f"{number}.png", labels))
    return DetectionData((LabelledSequence("square", tuple(members)),), ((1, "square"),))


def single(data: DetectionData, **changes: float) -> DetectObjective:
    torch.manual_seed(0)
    settings = DetectSettings(
        4, batch_size=2, sizes=PictureSizes(((1.0, (64,)),)), augmentation=Augmentation(), validation_size=64
    )
    settings = replace(settings, **changes)  # type: ignore[arg-type]
    return DetectObjective(CocoDetector(classes=1), categories=SQUARE, sets=[DetectionSet(data)], settings=settings)


def test_frames_of_a_video_are_augmented_alike(tmp_path: Path) -> None:
    learned = single(moving_square(tmp_path))
    views = views_alike(learned, 0, 3, 64, how=[1, 2])
    assert len(views) == 4
    assert [view.boxes.tolist() for view in views] == [views[-1].boxes.tolist()] * 4
    again = views_alike(learned, 0, 0, 64, how=[1, 2])
    assert np.array_equal(again[0].image, views[-1].image)
    assert not np.array_equal(views[0].image, views[-1].image)


def test_maps_are_read_where_the_displacement_leads() -> None:
    classes = torch.arange(16.0).view(1, 1, 4, 4)
    distances = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 4 * BINS, 4, 4)
    displacement = torch.zeros(1, 2, 4, 4)
    displacement[:, 0] = 1.0  # what is here was one cell further right
    ((moved, between),) = carried_outputs([(classes, distances)], (displacement,))
    assert moved[0, 0, 2].tolist() == pytest.approx([9, 10, 11, 11])
    assert between[0, 5, 2].tolist() == pytest.approx([9, 10, 11, 11], abs=1e-4)
    ((kept, _),) = carried_outputs([(classes, distances)], (None,))
    assert torch.equal(kept, classes)


def test_the_loss_at_the_labelled_frame_reaches_the_network_through_the_warp(tmp_path: Path) -> None:
    learned = CarriedDetectObjective(single(moving_square(tmp_path)), flow=build_flow("dis"), max_offset=4)
    batch = learned.batch(0, seed=1)
    assert any(field is not None for field in batch["displacements"])
    sum(learned.losses(batch).values(), torch.zeros(())).backward()
    assert learned.module.stem.weight.grad.abs().sum() > 0  # type: ignore[union-attr,operator]


def test_a_still_is_its_own_key(tmp_path: Path) -> None:
    learned = CarriedDetectObjective(single(moving_square(tmp_path, frames=1)), flow=build_flow("dis"), max_offset=4)
    batch = learned.batch(0, seed=0)
    assert batch["displacements"] == (None, None)
    assert torch.equal(batch["keys"], batch["images"])


def test_an_offset_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="largest offset"):
        CarriedDetectObjective(single(moving_square(tmp_path)), flow=build_flow("dis"), max_offset=0)


def test_what_the_network_knew_is_asked_for_on_pictures_that_nobody_labelled(tmp_path: Path) -> None:
    data = moving_square(tmp_path)
    nobody = DetectionData(
        tuple(
            LabelledSequence(s.name, tuple(LabelledFrame(f.path, BoxLabels.from_rows([], [])) for f in s.frames))
            for s in data.sequences
        ),
        categories=(),
    )
    with pytest.raises(DataError, match="nothing to learn from"):
        single(nobody)
    learned = single(nobody, distillation=1.0)
    batch = learned.batch(0, seed=0)
    losses = learned.losses(batch)
    assert losses["class"] == 0  # not even the background is taught
    assert losses["kept class"].item() == pytest.approx(0, abs=1e-5)  # nothing is learned yet, nothing forgotten
    with torch.no_grad():
        learned.module.pred[0].bias += 1.0  # type: ignore[index,union-attr,operator]
    assert learned.losses(batch)["kept class"] > 0
