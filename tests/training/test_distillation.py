"""A detector held to what it answered before."""

import pytest
import torch

from dffcli.models.coco_det.network import BINS
from dffcli.training.distillation import distillation_losses


def answers(*, logit: float = 2.0, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """One grid of 4 x 4 cells, two classes; one cell saw an object of the first."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.full((1, 2, 4, 4), -6.0)
    classes[0, 0, 1, 2] = logit
    return [(classes, torch.randn(1, 4 * BINS, 4, 4, generator=generator))]


def test_what_is_answered_as_before_costs_nothing() -> None:
    losses = distillation_losses(answers(), answers(), weight=1.0)
    assert {name: value.item() for name, value in losses.items()} == pytest.approx(
        {"kept class": 0, "kept distance": 0}, abs=1e-6
    )


def test_a_forgotten_object_costs_more_the_more_it_is_forgotten() -> None:
    little, much = (
        distillation_losses(answers(logit=logit), answers(), weight=1.0)["kept class"] for logit in (1.0, -4.0)
    )
    assert 0 < little < much


def test_distances_count_where_an_object_was_seen() -> None:
    moved_there, moved_elsewhere = answers(), answers()
    moved_there[0][1][0, :, 1, 2] += torch.arange(4.0 * BINS)
    moved_elsewhere[0][1][0, :, 3, 3] += torch.arange(4.0 * BINS)
    there, elsewhere = (
        distillation_losses(moved, answers(), weight=1.0)["kept distance"] for moved in (moved_there, moved_elsewhere)
    )
    assert there > 100 * elsewhere


def test_the_weight_multiplies_both() -> None:
    once, twice = (distillation_losses(answers(seed=1, logit=0.0), answers(), weight=w) for w in (1.0, 2.0))
    for name, value in once.items():
        assert value > 0
        assert twice[name].item() == pytest.approx(2 * value.item())


def test_a_class_that_was_not_known_before_is_free_to_be_learned() -> None:
    learned = answers()
    learned[0][0][0, 1, 1, 2] = 5.0  # the second class, found where nothing was
    held = distillation_losses(learned, answers(), weight=1.0)["kept class"]
    free = distillation_losses(learned, answers(), weight=1.0, known=torch.tensor([True, False]))["kept class"]
    assert held > 0.1
    assert free == 0
