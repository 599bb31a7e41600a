"""Learning to detect from a tiny set of squares and discs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dffcli.categories import Category
from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.models.coco_det.network import CocoDetector
from dffcli.training.detect import DetectionSet, DetectObjective, DetectSettings, PictureSizes
from dffcli.training.detection_augment import Augmentation, LabelWeights, Sample, mirrored
from dffcli.training.fit import FitSettings, fit

PAIR = (Category(1, "square", (255, 0, 0)), Category(2, "disc", (0, 255, 0)))
ONE_SIZE = PictureSizes(((1.0, (64,)),))
STILL = Augmentation(mosaic=0, scale=(1.0, 1.0), stretch=0, mirror=0, blur=0, grey=0, colour=0)


def shapes(folder: Path, *, count: int = 6, confidence: float = 1.0) -> DetectionData:
    """Bright squares and discs on grey, one a picture, and their boxes; categories are called 7 and 8."""
    rng = np.random.default_rng(0)
    sequences = []
    for number in range(count):
        image = np.full((64, 64, 3), 100, np.uint8)
        x, y, side = (int(v) for v in (*rng.integers(4, 24, 2), rng.integers(20, 36)))
        if number % 2:
            cv2.circle(image, (x + side // 2, y + side // 2), side // 2, (40, 220, 40), -1)
        else:
            cv2.rectangle(image, (x, y), (x + side - 1, y + side - 1), (220, 40, 40), -1)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        labels = BoxLabels.from_rows([[x, y, x + side, y + side]], [7 + number % 2], confidences=[confidence])
        sequences.append(LabelledSequence(f"{number}.png", (LabelledFrame(folder / f"{number}.png", labels),)))
    return DetectionData(tuple(sequences), ((7, "Square"), (8, "disc")))


def objective(data: DetectionData, *, augmentation: Augmentation | None = None, steps: int = 10) -> DetectObjective:
    torch.manual_seed(0)
    network = CocoDetector(classes=2)
    settings = DetectSettings(
        steps, batch_size=2, sizes=ONE_SIZE, augmentation=augmentation or Augmentation(), validation_size=64
    )
    return DetectObjective(
        network, categories=PAIR, sets=[DetectionSet(data)], validation={"shapes": data}, settings=settings
    )


def test_the_same_step_and_seed_give_the_same_batch(tmp_path: Path) -> None:
    learned = objective(shapes(tmp_path))
    first, again, other = learned.batch(3, seed=1), learned.batch(3, seed=1), learned.batch(4, seed=1)
    assert torch.equal(first["images"], again["images"])
    assert all(torch.equal(a, b) for a, b in zip(first["boxes"], again["boxes"], strict=True))
    assert not torch.equal(first["images"], other["images"])


def test_labels_are_matched_by_name_whatever_their_ids(tmp_path: Path) -> None:
    learned = objective(shapes(tmp_path))
    assert learned.sample(0).classes.tolist() == [0]
    assert learned.sample(1).classes.tolist() == [1]


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_boxes_stay_on_their_objects(tmp_path: Path, mosaic: float) -> None:
    data = shapes(tmp_path)
    augmentation = Augmentation(mosaic=mosaic, blur=0, grey=0, colour=0)
    batch = objective(data, augmentation=augmentation).batch(0, seed=0)
    for image, boxes, weights in zip(batch["images"], batch["boxes"], batch["weights"], strict=True):
        bright = (image.numpy().max(2) > 170).astype(np.uint8)
        seen = np.zeros_like(bright)
        for box, weight in zip(boxes.numpy(), weights.tolist(), strict=True):
            x1, y1, x2, y2 = (int(v) for v in (*np.floor(box[:2]), *np.ceil(box[2:])))
            seen[y1:y2, x1:x2] = 1
            if weight:
                assert bright[y1:y2, x1:x2].mean() > 0.6  # a disc fills 0.79 of its box
        assert bright.sum() > 0
        assert (bright & ~seen.astype(bool)).sum() <= 0.02 * bright.sum()


def test_a_mirrored_box_is_as_far_from_the_other_side() -> None:
    sample = Sample(
        np.zeros((10, 20, 3), np.uint8),
        np.array([[1, 2, 5, 8]], np.float32),
        np.zeros(1, np.int64),
        np.ones(1, np.float32),
    )
    assert mirrored(sample).boxes.tolist() == [[15, 2, 19, 8]]
    assert mirrored(mirrored(sample)).boxes.tolist() == sample.boxes.tolist()


def test_unsure_labels_count_less_and_the_least_sure_not_at_all() -> None:
    labels = BoxLabels.from_rows(np.zeros((4, 4)), [1] * 4, confidences=[0.2, 0.35, 0.5, 0.9])
    assert LabelWeights()(labels).tolist() == pytest.approx([0, 0.5, 1, 1])
    crowd = BoxLabels.from_rows(np.zeros((1, 4)), [1], is_ignored=[True])
    assert LabelWeights()(crowd).tolist() == [0]


def test_a_rare_category_is_drawn_more_often(tmp_path: Path) -> None:
    data = shapes(tmp_path, count=20)
    mostly_squares = DetectionData((*data.sequences[::2], data.sequences[1]), data.categories)
    limits = objective(mostly_squares)._draw_limits
    drawn = np.diff(limits, prepend=0)
    assert drawn[-1] > 1.5 * drawn[0]
    assert limits[-1] == pytest.approx(1)


def test_no_label_of_these_categories_is_said(tmp_path: Path) -> None:
    data = shapes(tmp_path)
    with pytest.raises(DataError, match="6 pictures without a labelled square, disc"):
        objective(DetectionData(data.sequences, ((7, "cat"), (8, "dog"))))
    with pytest.raises(DataError, match="nothing to learn from"):
        objective(shapes(tmp_path, confidence=0.1))


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    learned = objective(shapes(tmp_path))
    (tmp_path / "0.png").unlink()
    with pytest.raises(DataError, match=r"0\.png"):
        learned.sample(0)
    (tmp_path / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a readable picture"):
        learned.sample(0)


def test_it_learns_and_a_resumed_run_goes_on_identically(tmp_path: Path) -> None:
    data = shapes(tmp_path)
    settings = FitSettings(steps=4, warmup_steps=2, log_every=1, validate_every=0, schedule="constant")
    whole = fit(objective(data, augmentation=STILL), settings, folder=tmp_path / "whole")
    half = FitSettings(steps=2, warmup_steps=2, log_every=1, validate_every=0, schedule="constant")
    fit(objective(data, augmentation=STILL), half, folder=tmp_path / "half")
    resumed = fit(objective(data, augmentation=STILL), settings, folder=tmp_path / "half", resume=True)
    for first, second in zip(whole.module.parameters(), resumed.module.parameters(), strict=True):
        assert torch.equal(first, second)
    assert set(whole.measures) == {"shapes AP50", "shapes AP"}
    assert all(0 <= value <= 100 for value in whole.measures.values())


@pytest.mark.slow
def test_a_small_detector_finds_squares_and_discs(tmp_path: Path) -> None:
    data = shapes(tmp_path, count=4)
    learned = objective(data, augmentation=STILL, steps=120)
    settings = FitSettings(
        steps=120, learning_rate=4e-3, warmup_steps=10, average_decay=0.9, validate_every=0, weight_decay=0.0
    )
    result = fit(learned, settings, folder=tmp_path / "run")
    assert result.measures["shapes AP50"] > 60
