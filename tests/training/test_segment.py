"""Views, measures and losses of segmentation; a tiny segmenter learns a tiny world."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dffcli.categories import CAMVID
from dffcli.core.engine import Engine
from dffcli.core.schedule import FixedInterval
from dffcli.errors import DataError, ShapeError
from dffcli.evaluation.segment_data import as_video, camvid_split
from dffcli.evaluation.segment_eval import score_snippets, score_stills, score_video
from dffcli.evaluation.segment_metrics import class_ious, confusion, mean_iou
from dffcli.flow.hold import HoldFlow
from dffcli.models.street.segmenter_model import StreetSegmentationModel
from dffcli.training.augment import IGNORE, ViewRange, apply_view, apply_view_to_mask, random_colors, random_view
from dffcli.training.fit import FitSettings, fit
from dffcli.training.segment import (
    PictureSet,
    SegmentObjective,
    SegmentSettings,
    class_weights,
    overlap_loss,
    take_back,
)
from tests.training.tiny import scene, tiny_segmenter, write_camvid


def test_picture_and_mask_are_seen_through_the_same_view() -> None:
    rng = np.random.default_rng(0)
    _, mask = scene(rng)
    image = np.repeat(mask[..., None] * 100, 3, axis=2)
    for _ in range(20):
        matrix = random_view(mask, size=(64, 64), view_range=ViewRange(base_width=80), rare=(2,), rng=rng)
        view = apply_view(image, matrix, size=(64, 64))[..., 0].astype(int)
        labels = apply_view_to_mask(mask, matrix, size=(64, 64), reduction=2)
        assert labels.shape == (32, 32)
        known = labels != IGNORE
        assert known.mean() > 0.5
        reduced = view.reshape(32, 2, 32, 2).mean((1, 3))
        assert (np.abs(reduced - 100 * labels.astype(int))[known] < 50).mean() > 0.93  # all but edges


def test_colors_change_but_shapes_stay() -> None:
    rng = np.random.default_rng(1)
    image, _ = scene(rng)
    for seed in range(12):
        changed = random_colors(image, rng=np.random.default_rng(seed))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        assert np.array_equal(changed, random_colors(image, rng=np.random.default_rng(seed)))


def test_iou_of_a_known_case() -> None:
    truth = np.array([[0, 0, 1], [1, 1, 255]], np.uint8)
    found = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    matrix = confusion(truth, found, classes=3)
    assert matrix.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert class_ious(matrix)[:2].tolist() == pytest.approx([1 / 3, 0.5])
    assert np.isnan(class_ious(matrix)[2])
    assert mean_iou(matrix) == pytest.approx(5 / 12)
    with pytest.raises(ShapeError):
        confusion(truth, found[:1], classes=3)


def test_taking_the_weights_back_divides_the_chances_by_them() -> None:
    module = tiny_segmenter()
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = module.eval()(picture)[0].softmax(1)
    take_back(module, (0.5, 1.0, 4.0), share=1.0)
    with torch.inference_mode():
        after = module(picture)[0].softmax(1)
    wanted = before / torch.tensor([0.5, 1.0, 4.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(after, wanted / wanted.sum(1, keepdim=True))
    with pytest.raises(DataError, match="a weight for each of 3 classes, got 2"):
        take_back(module, (1.0, 2.0), share=1.0)


def test_overlap_loss_is_zero_for_the_truth_and_blind_to_what_is_ignored() -> None:
    truth = torch.tensor([[[0, 1], [2, IGNORE]]])
    sure = 50.0 * torch.nn.functional.one_hot(truth.clamp(max=2), 3).permute(0, 3, 1, 2).float()
    loss_weight = torch.ones(1)
    assert overlap_loss(sure, truth, loss_weight).item() == pytest.approx(0, abs=1e-4)
    changed = sure.clone()
    changed[0, :, 1, 1] = torch.tensor([50.0, 0.0, 0.0])
    assert overlap_loss(changed, truth, loss_weight).item() == pytest.approx(0, abs=1e-4)
    assert overlap_loss(-sure, truth, loss_weight).item() > 0.3


def test_rare_classes_weigh_more(tmp_path: Path) -> None:
    weights = class_weights(camvid_split(write_camvid(tmp_path), "train"), classes=4)
    assert weights[2] > weights[1]
    assert weights[3] == 4.0  # never there


def objective(root: Path, *, loss_weight: float = 1.0) -> SegmentObjective:
    pictures = camvid_split(write_camvid(root, count=6), "train")
    settings = SegmentSettings(classes=3, batch_size=4, view_size=(64, 64), view_range=ViewRange(base_width=80))
    sets = [PictureSet("tiny", pictures, loss_weight=loss_weight)]
    return SegmentObjective(tiny_segmenter(), sets=sets, validation={"tiny": pictures[:2]}, settings=settings)


def test_batches_depend_on_step_and_seed_only(tmp_path: Path) -> None:
    first, second = objective(tmp_path), objective(tmp_path)
    second.batch(3, seed=0)
    assert torch.equal(first.batch(7, seed=0)["images"], second.batch(7, seed=0)["images"])
    assert not torch.equal(first.batch(7, seed=0)["images"], first.batch(8, seed=0)["images"])
    assert not torch.equal(first.batch(7, seed=0)["images"], first.batch(7, seed=1)["images"])


def test_pasting_shows_more_of_what_is_rare_and_labels_it(tmp_path: Path) -> None:
    plain = objective(tmp_path)
    pasting = SegmentObjective(
        plain.module, sets=plain.sets, validation={}, settings=replace(plain.settings, pasted=(2,), weather_share=0.5)
    )
    shares = [
        np.mean([(task.view(0, index, seed=0).labels == 2).mean() for index in range(60)]) for task in (plain, pasting)
    ]
    assert shares[1] > 1.15 * shares[0]
    red = [view for view in (pasting.view(0, index, seed=0) for index in range(20)) if (view.labels == 2).any()]
    for view in red:
        box = np.kron(view.labels == 2, np.ones((2, 2), bool))
        rest = np.kron((view.labels != 2) & (view.labels != IGNORE), np.ones((2, 2), bool))
        redness = view.image[..., 0].astype(int) - view.image[..., 1]
        assert np.median(redness[box]) >= np.median(redness[rest])


def test_what_is_trusted_less_counts_less_against_the_rest(tmp_path: Path) -> None:
    batch = objective(tmp_path).batch(0, seed=0)
    module = tiny_segmenter()
    task = objective(tmp_path)
    logits, *aids = module(batch["images"])
    wrong = batch["labels"].clone()
    wrong[0] = (wrong[0] + 1) % 3
    plain = task.losses_of(logits, aids, wrong, torch.ones(4))
    wary = task.losses_of(logits, aids, wrong, torch.tensor([1e-6, 1.0, 1.0, 1.0]))
    right = task.losses_of(logits[1:], [aid[1:] for aid in aids], wrong[1:], torch.ones(3))
    assert plain["cross_entropy"].item() != pytest.approx(right["cross_entropy"].item(), rel=1e-3)
    assert wary["cross_entropy"].item() == pytest.approx(right["cross_entropy"].item(), rel=1e-3)


def test_a_tiny_segmenter_learns_a_tiny_world(tmp_path: Path) -> None:
    settings = FitSettings(steps=60, learning_rate=1e-2, warmup_steps=5, validate_every=0, average_decay=0.9)
    result = fit(objective(tmp_path / "data"), settings, folder=tmp_path / "run")
    assert result.measures["tiny"] > 75
    model = StreetSegmentationModel(result.module, name="tiny", categories=CAMVID[:3], like=(64, 80))  # type: ignore[arg-type]
    pictures = camvid_split(tmp_path / "data", "train")
    stills = score_stills(model, pictures[:2])
    assert stills.mean_iou == pytest.approx(result.measures["tiny"], abs=0.5)
    assert stills.key_share == 1.0
    assert stills.class_iou["sky"] == pytest.approx(100, abs=15)
    video = as_video(pictures, max_offset=5)
    every = score_video(Engine(model, HoldFlow(), FixedInterval(1)), video)
    assert every.mean_iou == score_stills(model, pictures).mean_iou
    held = score_video(Engine(model, HoldFlow(), FixedInterval(3), two_sided=True), video)
    assert held.key_share == pytest.approx(1 / 3)
    assert held.mean_iou < every.mean_iou  # the pictures have nothing in common
    snippets = score_snippets(lambda: Engine(model, HoldFlow(), FixedInterval(2)), video[1:], interval=2)
    assert snippets.key_share == pytest.approx(3 / 5)
    with pytest.raises(DataError, match="expected 1 frames before it, found 0"):
        score_snippets(lambda: Engine(model, HoldFlow(), FixedInterval(2)), pictures, interval=2)


def test_impossible_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="multiples of 32"):
        SegmentSettings(classes=3, view_size=(60, 64))
    with pytest.raises(DataError, match="expected 2 to 254"):
        SegmentSettings(classes=1)
    with pytest.raises(DataError, match="no pictures to train on"):
        SegmentObjective(tiny_segmenter(), sets=[], validation={}, settings=SegmentSettings(classes=3))
