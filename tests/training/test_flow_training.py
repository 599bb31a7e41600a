"""Pairs with known flow, the light network, and joint training through the warp."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dffcli.core.types import Frame, PreparedImage
from dffcli.errors import DataError, WeightsError
from dffcli.evaluation.segment_data import as_video, camvid_split
from dffcli.flow import build_flow
from dffcli.flow.light import LightFlow, LightFlowNet, compare, grey_input
from dffcli.flow.light_file import export_light_flow, load_light_flow
from dffcli.models.street.segmenter_model import export
from dffcli.training.fit import FitSettings, fit
from dffcli.training.flow_objective import FlowObjective
from dffcli.training.flow_pairs import MotionRange, make_pair
from dffcli.training.joint import JointObjective, JointSegmenter, with_scale
from dffcli.training.log import read_log
from dffcli.training.objective import Batch
from dffcli.training.segment import PictureSet, SegmentSettings
from tests.training.tiny import tiny_segmenter, write_camvid, write_image


@pytest.fixture
def stills(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for index in range(3):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        path = tmp_path / f"still_{index}.png"
        write_image(path, cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC))
        paths.append(path)
    return paths


def test_the_known_displacement_brings_key_to_current(stills: list[Path]) -> None:
    errors, plain = [], []
    for seed in range(8):
        pair = make_pair(stills, size=(96, 128), motion=MotionRange(shift=20), rng=np.random.default_rng(seed))
        rows, columns = np.indices((96, 128), dtype=np.float32)
        x, y = columns + pair.displacement[..., 0], rows + pair.displacement[..., 1]
        inside = (x > 1) & (x < 126) & (y > 1) & (y < 94)
        carried = cv2.remap(pair.key, x, y, cv2.INTER_LINEAR).astype(float)
        errors.append(np.median(np.abs(carried - pair.current)[inside]))
        plain.append(np.median(np.abs(pair.key.astype(float) - pair.current)[inside]))
    assert np.mean(errors) < 9  # the two films differ a little in light
    assert np.mean(errors) < 0.7 * np.mean(plain)


def test_pairs_depend_on_chance_only(stills: list[Path]) -> None:
    first, second = (
        make_pair(stills, size=(32, 48), motion=MotionRange(), rng=np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(first.displacement, second.displacement)
    assert np.array_equal(first.current, second.current)


def test_comparison_is_greatest_at_the_true_shift() -> None:
    now = torch.randn(1, 8, 12, 12, generator=torch.Generator().manual_seed(0))
    carried = torch.roll(now, (1, -2), (2, 3))  # what is now at p lies at p + (1, -2)
    likeness = compare(now, carried, radius=2)[0, :, 4:8, 4:8].mean((1, 2))
    assert likeness.shape == (25,)
    assert int(likeness.argmax()) == (1 + 2) * 5 + (-2 + 2)


def test_an_untrained_network_starts_near_no_motion_and_scale_one() -> None:
    torch.manual_seed(0)
    network = LightFlowNet(scale_channels=4)
    fields, scale = network(network.encode(torch.zeros(2, 1, 32, 48)), network.encode(torch.zeros(2, 1, 32, 48)))
    assert [tuple(field.shape) for field in fields] == [(2, 2, 2, 3), (2, 2, 4, 6), (2, 2, 8, 12)]
    assert fields[-1].abs().max() < 1
    assert scale is not None
    assert torch.equal(scale, torch.ones(2, 4, 8, 12))


def test_a_guess_is_where_the_field_starts() -> None:
    torch.manual_seed(0)
    network = LightFlowNet()
    maps = network.encode(torch.zeros(1, 1, 32, 48))
    guess = torch.zeros(1, 2, 16, 24)
    guess[:, 0] = 6.0  # pixels of a 16 x 24 grid: 3 on the finest, 8 x 12
    with torch.inference_mode():
        fields, _ = network(maps, maps, guess)
    assert fields[-1][:, 0].mean().item() == pytest.approx(3.0, abs=0.8)


def prepared(image: np.ndarray, *, padded: tuple[int, int]) -> PreparedImage:
    frame = Frame(0, image, Fraction(0))
    return PreparedImage(frame, content_size=frame.size, padded_size=padded, make_tensor=lambda: torch.zeros(1))


def test_the_estimator_spans_the_padded_input_and_encodes_a_picture_once(stills: list[Path]) -> None:
    torch.manual_seed(0)
    flow = LightFlow(LightFlowNet(scale_channels=3))
    image = cv2.imread(str(stills[0]))
    key, current = prepared(image, padded=(128, 160)), prepared(image, padded=(128, 160))
    assert grey_input(key).shape == (1, 1, 128, 160)
    field = flow.estimate(key, current)
    assert field.displacement.shape == (1, 2, 32, 40)
    assert field.scale_map is not None
    assert field.scale_map.shape == (1, 3, 32, 40)
    encoded = next(value for name, value in key.cache.items() if name[0] == "light")
    flow.estimate(key, current, guess=field)
    assert next(value for name, value in key.cache.items() if name[0] == "light") is encoded


class OnePairsObjective(FlowObjective):
    """Sees the same pairs at every step."""

    def batch(self, step: int, *, seed: int) -> Batch:
        return super().batch(0, seed=seed)


def test_the_network_learns_the_motion_of_a_few_pairs(stills: list[Path], tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = OnePairsObjective(LightFlowNet(), stills=stills, size=(32, 48), batch_size=2)
    settings = FitSettings(steps=30, learning_rate=3e-3, warmup_steps=3, validate_every=0, log_every=1)
    result = fit(task, settings, folder=tmp_path / "run")
    losses = [record["losses"]["stride_4"] for record in read_log(tmp_path / "run/log.jsonl")]
    assert losses[-1] < 0.6 * losses[0]
    assert result.measures["of_no_motion"] > 1


def test_a_flow_network_survives_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LightFlowNet(scale_channels=3)
    export_light_flow(tmp_path / "flow.safetensors", network)
    again = load_light_flow(tmp_path / "flow.safetensors")
    for old, new in zip(network.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-3, atol=1e-3)  # kept in half precision
    flow = build_flow(str(tmp_path / "flow.safetensors"))
    assert flow.name == "light from flow.safetensors"
    image = np.zeros((64, 80, 3), np.uint8)
    field = flow.estimate(prepared(image, padded=(64, 80)), prepared(image, padded=(64, 80)))
    assert field.photometric_error is not None
    assert field.photometric_error.shape == field.displacement.shape[2:]
    export(tmp_path / "seg.safetensors", tiny_segmenter(), categories=())
    with pytest.raises(WeightsError, match="expected a network of kind light-flow, found street-seg"):
        build_flow(str(tmp_path / "seg.safetensors"))
    with pytest.raises(WeightsError, match="only a light flow network"):
        export_light_flow(tmp_path / "x.safetensors", torch.nn.Linear(1, 1))


def joint(root: Path, *, frozen: str = "nothing", video: bool = True) -> JointObjective:
    pictures = camvid_split(write_camvid(root, count=4), "train")
    torch.manual_seed(0)
    return JointObjective(
        JointSegmenter(tiny_segmenter(), LightFlowNet(), frozen=frozen),  # type: ignore[arg-type]
        sets=[PictureSet("tiny", as_video(pictures, max_offset=3) if video else pictures)],
        validation={"tiny": pictures[:1]},
        settings=SegmentSettings(classes=3, batch_size=4, view_size=(64, 64)),
        max_offset=2,
    )


def moved(objective: JointObjective, folder: Path) -> dict[str, bool]:
    """Which parts three steps change."""
    module = objective.module
    assert isinstance(module, JointSegmenter)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    fit(objective, FitSettings(steps=3, learning_rate=1e-2, warmup_steps=0, schedule="constant"), folder=folder)
    changed = {name for name, value in module.named_parameters() if not torch.equal(value, before[name])}
    parts = ("segmenter.backbone", "segmenter.classifier", "flow.encoder", "flow.scale")
    return {part: any(name.startswith(part) for name in changed) for part in parts}


def test_gradients_reach_features_flow_and_scale(tmp_path: Path) -> None:
    assert all(moved(joint(tmp_path / "data"), tmp_path / "run").values())


@pytest.mark.parametrize(("frozen", "still"), [("flow", "flow"), ("features", "segmenter")])
def test_what_is_frozen_stays(tmp_path: Path, frozen: str, still: str) -> None:
    changes = moved(joint(tmp_path / "data", frozen=frozen), tmp_path / "run")
    assert all(changed != part.startswith(still) for part, changed in changes.items())


def test_stills_pass_by_the_warp(tmp_path: Path) -> None:
    objective = joint(tmp_path, video=False)
    batch = objective.batch(0, seed=0)
    assert not batch["is_pair"].any()
    objective.losses(batch)["cross_entropy"].backward()
    module = objective.module
    assert isinstance(module, JointSegmenter)
    assert all(parameter.grad is None for parameter in module.flow.parameters())


def test_a_pair_shows_the_same_view_of_both_frames(tmp_path: Path) -> None:
    objective = joint(tmp_path)
    for path in (tmp_path / "train").glob("*.png"):  # a video in which nothing moves
        write_image(path, cv2.imread(str(tmp_path / "train/f_000.png"))[..., ::-1])
    batch = next(batch for step in range(9) if (batch := objective.batch(step, seed=0))["is_pair"].any())
    assert torch.equal(batch["key_greys"], batch["current_greys"])


def test_norms_keep_their_statistics_in_joint_training(tmp_path: Path) -> None:
    module = joint(tmp_path).module.train()
    assert all(not part.training for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d))


def test_a_scale_field_is_added_to_a_known_flow_network() -> None:
    torch.manual_seed(0)
    plain = LightFlowNet()
    wider = with_scale(plain, 5)
    assert wider.scale_channels == 5
    assert torch.equal(wider.encoder[0][0][0].weight, plain.encoder[0][0][0].weight)  # type: ignore[index]
    assert with_scale(wider, 5) is wider


def test_impossible_settings_are_refused(tmp_path: Path, stills: list[Path]) -> None:
    with pytest.raises(DataError, match="no pictures to make pairs from"):
        FlowObjective(LightFlowNet(), stills=[])
    with pytest.raises(DataError, match="multiples of 16"):
        FlowObjective(LightFlowNet(), stills=stills, size=(50, 64))
    with pytest.raises(DataError, match="largest offset"):
        JointObjective(
            JointSegmenter(tiny_segmenter(), LightFlowNet()),
            sets=[],
            validation={},
            settings=SegmentSettings(classes=3),
            max_offset=0,
        )
