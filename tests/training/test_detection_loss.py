"""The detection losses and who answers for which object."""

import pytest
import torch

from dffcli.models.coco_det.network import BINS, cell_centres
from dffcli.training.detection_loss import (
    AlignedAssigner,
    DetectionLoss,
    Targets,
    distribution_focal_loss,
    generalized_overlaps,
    quality_focal_loss,
)

CENTRES = torch.cat([cell_centres(8, 8, 8), cell_centres(4, 4, 16)])
STRIDES = torch.cat([torch.full((64,), 8.0), torch.full((16,), 16.0)])
CELLS = len(CENTRES)


def targets(*boxes: tuple[float, float, float, float], classes: list[int], weights: list[float]) -> Targets:
    return Targets(torch.tensor(boxes).view(-1, 4), torch.tensor(classes), torch.tensor(weights))


def perfect_boxes(box: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(box).expand(CELLS, 4).clone()


def test_generalized_overlap_goes_on_falling_where_boxes_no_longer_touch() -> None:
    box = torch.tensor([[0.0, 0, 10, 10]]).expand(3, 4)
    others = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [90, 0, 100, 10]])
    iou, generalized = generalized_overlaps(box, others)
    assert iou.tolist() == pytest.approx([1, 0, 0], abs=1e-5)
    assert generalized.tolist() == pytest.approx([1, -1 / 3, -0.8], abs=1e-4)


def test_cells_within_the_object_answer_and_the_best_is_to_say_its_overlap() -> None:
    box = (8.0, 8.0, 40.0, 40.0)
    boxes = perfect_boxes(box)
    boxes[10, 2] += 16  # one cell draws it worse
    scores = torch.full((CELLS, 2), 0.1)
    found = AlignedAssigner(cells_per_object=4)(
        scores, boxes, CENTRES, STRIDES, targets(box, classes=[1], weights=[1.0])
    )
    assert len(found.cells) == 4
    assert 10 not in found.cells.tolist()
    inside = CENTRES[found.cells]
    assert bool(((inside > 8) & (inside < 40)).all())
    assert found.scores.max().item() == pytest.approx(1.0, abs=1e-4)
    assert found.scores[:, 0].sum() == 0
    assert bool((found.boxes == torch.tensor(box)).all())


def test_a_cell_answers_for_one_object_only() -> None:
    box, other = (8.0, 8.0, 40.0, 40.0), (8.0, 8.0, 44.0, 40.0)
    boxes = perfect_boxes(other)
    found = AlignedAssigner(cells_per_object=CELLS)(
        torch.full((CELLS, 1), 0.1), boxes, CENTRES, STRIDES, targets(box, other, classes=[0, 0], weights=[1.0, 1.0])
    )
    assert len(set(found.cells.tolist())) == len(found.cells)
    assert bool((found.boxes == torch.tensor(other)).all())


def test_an_object_between_the_cells_still_gets_one() -> None:
    tiny = (9.0, 9.0, 11.0, 11.0)
    found = AlignedAssigner()(
        torch.full((CELLS, 1), 0.1), perfect_boxes(tiny), CENTRES, STRIDES, targets(tiny, classes=[0], weights=[1.0])
    )
    assert 1 <= len(found.cells) <= 4
    assert bool((STRIDES[found.cells] == 8).all())


def test_ignored_objects_are_neither_taught_nor_held_against_a_find() -> None:
    box = (8.0, 8.0, 40.0, 40.0)
    found = AlignedAssigner()(
        torch.full((CELLS, 2), 0.9), perfect_boxes(box), CENTRES, STRIDES, targets(box, classes=[1], weights=[0.0])
    )
    within = ((CENTRES > 8) & (CENTRES < 40)).all(1)
    assert found.scores.sum() == 0
    assert len(found.cells) == 0
    assert bool((found.score_weights[within, 1] == 0).all())
    assert bool((found.score_weights[~within, 1] == 1).all())
    assert bool((found.score_weights[:, 0] == 1).all())


def test_certainty_weighs_an_objects_losses() -> None:
    box = (8.0, 8.0, 40.0, 40.0)
    arguments = torch.full((CELLS, 1), 0.5), perfect_boxes(box), CENTRES, STRIDES
    sure = AlignedAssigner()(*arguments, targets(box, classes=[0], weights=[1.0]))
    unsure = AlignedAssigner()(*arguments, targets(box, classes=[0], weights=[0.25]))
    torch.testing.assert_close(unsure.box_weights, sure.box_weights / 4)


def test_quality_focal_loss_vanishes_where_the_score_is_as_wished() -> None:
    logits = torch.tensor([0.0, 2.0, -2.0])
    assert quality_focal_loss(logits, logits.sigmoid()).tolist() == [0, 0, 0]
    assert bool((quality_focal_loss(logits, torch.tensor([1.0, 0.0, 1.0])) > 0).all())


def test_distribution_focal_loss_is_least_between_the_right_bins() -> None:
    def at(peak: int) -> float:
        logits = torch.zeros(1, 4, BINS)
        logits[..., peak] = logits[..., peak + 1] = 8.0
        return distribution_focal_loss(logits, torch.full((1, 4), 3.5)).item()

    assert at(3) < at(2) < at(8) + 1e-3
    assert at(3) == pytest.approx(0.693, abs=0.01)  # two bins, half each


def test_descent_on_the_loss_learns_one_picture() -> None:
    torch.manual_seed(0)
    classes = torch.full((1, CELLS, 2), -3.0, requires_grad=True)
    sides = torch.zeros(1, CELLS, 4, BINS, requires_grad=True)
    wanted = [targets((8.0, 8.0, 40.0, 40.0), (40.0, 44.0, 60.0, 62.0), classes=[0, 1], weights=[1.0, 1.0])]
    optimizer = torch.optim.Adam([classes, sides], lr=0.2)
    loss = DetectionLoss()
    history = []
    for _ in range(60):
        total = torch.stack(list(loss(classes, sides, CENTRES, STRIDES, wanted).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(total.item())
    assert history[-1] < history[0] / 3


def test_a_batch_without_objects_has_finite_losses() -> None:
    none = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    classes = torch.zeros(1, CELLS, 2, requires_grad=True)
    losses = DetectionLoss()(classes, torch.zeros(1, CELLS, 4, BINS, requires_grad=True), CENTRES, STRIDES, [none])
    assert losses["overlap"].item() == 0
    assert losses["class"].item() > 0


def test_a_class_that_nobody_looked_for_is_neither_taught_nor_held_against_a_find() -> None:
    box = (8.0, 8.0, 40.0, 40.0)
    one = targets(box, classes=[1], weights=[1.0])
    looked_for = Targets(one.boxes, one.classes, one.weights, torch.tensor([False, True]))
    found = AlignedAssigner()(torch.full((CELLS, 2), 0.1), perfect_boxes(box), CENTRES, STRIDES, looked_for)
    assert found.score_weights[:, 0].sum() == 0
    assert bool((found.score_weights[:, 1] > 0).all())
    nothing_there = Targets(
        torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0), torch.tensor([False, True])
    )
    found = AlignedAssigner()(torch.full((CELLS, 2), 0.1), perfect_boxes(box), CENTRES, STRIDES, nothing_there)
    assert found.score_weights[:, 0].sum() == 0
    assert bool((found.score_weights[:, 1] == 1).all())
