"""What is decided and refused before torch is loaded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from dffcli.core.defaults import MAX_INTERVAL, TARGET
from dffcli.core.schedule import FixedInterval, TargetAgreement
from dffcli.core.types import Task
from dffcli.errors import DFFError, ModelError, OutputError, SettingError
from dffcli.run.config import RunConfig
from dffcli.run.plan import plan

SEGMENT = RunConfig("in.mp4", (), Task.SEGMENT)
DETECT = RunConfig("in.mp4", (), Task.DETECT)


def test_what_is_left_open_is_decided() -> None:
    assert plan(SEGMENT).model.info.name == "street-seg"
    assert plan(DETECT).model.info.name == "coco-det"
    schedule = plan(SEGMENT).schedule.make()
    assert isinstance(schedule, TargetAgreement)
    assert (schedule.target, schedule.max_interval, schedule.two_sided) == (TARGET, MAX_INTERVAL, True)


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ({"key_interval": 7}, FixedInterval(7)),
        ({"schedule": "fixed"}, FixedInterval(10)),
        ({"schedule": "fixed", "key_interval": 1}, FixedInterval(1)),
        ({"schedule": "adaptive", "max_interval": 9}, TargetAgreement(max_interval=9)),
        ({"target_agreement": 0.9}, TargetAgreement(0.9)),
        ({"max_cost": 4}, TargetAgreement(max_cost=4)),
        ({"max_interval": 1}, TargetAgreement(max_interval=1)),
    ],
)
def test_schedules_follow_the_configuration(asked: dict[str, object], got: object) -> None:
    assert plan(replace(SEGMENT, **asked)).schedule.make() == got


def test_every_video_gets_a_schedule_of_its_own() -> None:
    schedule = plan(SEGMENT).schedule
    assert schedule.make() is not schedule.make()


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        (replace(SEGMENT, model="street-sec"), ModelError, "did you mean street-seg"),
        (replace(SEGMENT, model="coco-det"), ModelError, "is for `dff detect`"),
        (replace(SEGMENT, flow="diss"), ModelError, "did you mean dis"),
        (replace(SEGMENT, flow="gone.safetensors"), ModelError, "no such file"),
        (replace(SEGMENT, device="abacus"), ModelError, "expected auto, cpu"),
        (replace(SEGMENT, runtime="steam"), ModelError, "expected one of torch"),
        (replace(DETECT, model="dff-rfcn-resnet101", runtime="onnx"), ModelError, "runs on torch only, not on onnx"),
        (replace(SEGMENT, classes=("caar",)), ModelError, "did you mean 'car'"),
        (replace(SEGMENT, outputs=("out.txt",)), OutputError, "holds boxes"),
        (replace(SEGMENT, outputs=("out.json", "out.json")), OutputError, "named twice"),
        (replace(DETECT, outputs=("masks/",)), OutputError, "takes masks"),
        (replace(SEGMENT, key_interval=5, schedule="adaptive"), SettingError, "--key-interval is for the fixed"),
        (
            replace(SEGMENT, key_interval=5, target_agreement=0.9),
            SettingError,
            "--target-agreement is for the adaptive",
        ),
        (replace(SEGMENT, schedule="fixed", target_agreement=0.9), SettingError, "--target-agreement is for"),
        (replace(SEGMENT, key_interval=5, max_cost=4), SettingError, "--max-cost is for the adaptive"),
        (replace(SEGMENT, max_cost=9, max_interval=8), SettingError, "--max-cost: expected at most --max-interval, 8"),
        (replace(SEGMENT, key_interval=5, max_interval=9), SettingError, "--max-interval is for the adaptive"),
        (replace(SEGMENT, start=Fraction(5), end=Fraction(4)), SettingError, "--start before --end"),
        (replace(SEGMENT, track=True), SettingError, "track: is for detect"),
        (replace(SEGMENT, score_threshold=0.2), SettingError, "score threshold: is for detect"),
    ],
)
def test_what_cannot_be_done_is_refused(config: RunConfig, error: type[DFFError], said: str) -> None:
    with pytest.raises(error, match=said):
        plan(config)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"score_threshold": 1.5}, "score threshold: expected 0 to 1, got 1.5"),
        ({"key_interval": 0}, "key interval: expected at least 1, got 0"),
        ({"target_agreement": 96.0}, "target agreement: expected 0.5 to 0.999, got 96"),
        ({"schedule": "sometimes"}, "schedule: expected one of fixed, adaptive, got 'sometimes'"),
        ({"start": Fraction(-1)}, "start: expected at least 0"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_where_it_is_born(asked: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        replace(SEGMENT, **asked)


def test_planning_does_not_import_torch() -> None:
    code = (
        "import sys; from dffcli.core.task import Task; from dffcli.run.config import RunConfig;"
        "from dffcli.run.plan import plan; plan(RunConfig('in.mp4', ('out.mp4', 'out.json'), Task.DETECT));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parent).returncode == 0
