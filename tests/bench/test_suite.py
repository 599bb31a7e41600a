"""The standard suite on a small scene."""

import json
from pathlib import Path

import pytest

from dffcli.bench.flow_suite import flow_errors, propagation
from dffcli.bench.plan import BenchPlan
from dffcli.bench.suite import run_suite, suite_markdown
from dffcli.core.types import FlowField, Frame, PreparedImage
from dffcli.errors import InputError
from dffcli.evaluation.scene import Scene, standard_scene
from dffcli.flow import build_flow
from tests.bench.test_run import SlowModel, build


@pytest.fixture(scope="module")
def scene() -> Scene:
    return standard_scene(size=(64, 96), frames=12, cut=9)


def frames_of(scene: Scene) -> list[Frame]:
    from fractions import Fraction

    return [Frame(index, scene.image(index), Fraction(index, 25)) for index in range(scene.frames)]


class ExactFlow:
    """The scene's own motion."""

    name = "exact"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        import torch

        displacement, _ = self.scene.flow(key.frame.index, current.frame.index)
        return FlowField(torch.from_numpy(displacement)[None])


def test_the_exact_flow_has_no_error_and_no_flow_has_the_motion_as_its_error(scene: Scene) -> None:
    found = {(e.flow, e.gap): e for e in flow_errors(scene, frames_of(scene), [ExactFlow(scene), build_flow("none")])}
    assert found["exact", 1].seen == found["exact", 5].hidden == 0
    assert found["none", 5].motion > 1
    assert found["none", 5].seen == pytest.approx(found["none", 5].motion, rel=0.3)


def test_the_exact_flow_carries_labels_better_than_none() -> None:
    scene = standard_scene(size=(64, 96), frames=10, cut=99)
    found = propagation(scene, frames_of(scene), [ExactFlow(scene), build_flow("none")], intervals=(3,))
    by = {(p.flow, p.two_sided): p.mean_iou for p in found}
    assert by["exact", False] > by["none", False]
    assert by["exact", True] > by["none", True]


def test_the_suite_runs_and_leaves_the_clip_behind(scene: Scene, tmp_path: Path) -> None:
    plan = BenchPlan("", ("fake",), intervals=(2,), flows=("none",), frames=4, memory=False, end_to_end=False)
    keep = tmp_path / "clip"
    found = run_suite(plan, keep=keep, scene=scene, build=build(SlowModel()))
    assert len(json.loads(json.dumps(found.to_json()))["flow_errors"]) == 2  # gaps of 1 and 5; 10 lies beyond the cut
    assert "| none |" in suite_markdown(found)
    assert sorted(path.name for path in keep.iterdir()) == ["boxes.json", "clip.mp4", "flow", "masks"]
    with pytest.raises(InputError, match="exists"):
        run_suite(plan, keep=keep, scene=scene)
