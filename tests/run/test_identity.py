"""No setting that can shape a result is forgotten when a run is resumed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dffcli.core.types import Task
from dffcli.option import Setting, settings_of
from dffcli.run.config import RunConfig
from dffcli.run.identity import WHOLE_BYTES, digest, identity_of
from dffcli.run.plan import plan

OTHER: dict[str, Any] = {
    "source": "other.mp4",
    "task": Task.SEGMENT,
    "model": "fcos_resnet50_fpn",
    "weights": "random",
    "device": "cpu",
    "runtime": "compile",
    "score_threshold": 0.4,
    "classes": ("car",),
    "track": True,
    "min_track": 3,
    "fill_gaps": 2,
    "smooth": 1,
    "start": Fraction(1),
    "end": Fraction(2),
    "key_interval": 7,
    "schedule": "fixed",
    "max_interval": 8,
    "target_agreement": 0.9,
    "max_cost": 3,
    "causal": True,
    "flow": "farneback",
    "outputs": ("o.json", "second.mp4"),
    "format": "cocovid",
    "mask_ids": "voc",
    "keyframe_tolerance": 0.5,
    "first_category_id": 1,
    "every": 3,
    "only_key_frames": True,
    "save_frames": "png",
    "media_url": "/data/",
    "opacity": 0.1,
    "crf": 30,
    "palette": "camvid",
    "audio": "aac",
    "stream": 1,
    "fps": Fraction(10),
    "roll": Fraction(60),
    "class_names": ("a", "b"),
}
"""Another value for every setting that shapes results."""

WITHOUT_EFFECT: dict[str, Any] = {"max_pixels": 9_000_000, "overwrite": True, "resume": True, "report": Path("r.json")}
"""Another value for every setting that says it cannot shape a result."""

CONFIG = RunConfig("in.mp4", ("o.json",), Task.DETECT)


def changed(setting: Setting, value: object) -> RunConfig:
    change = {setting.name: value}
    if setting.group == ("output",):
        return replace(CONFIG, output=replace(CONFIG.output, **change))
    assert setting.group == ()
    return replace(CONFIG, **change)


def test_every_setting_is_known_here() -> None:
    assert {setting.name for setting in settings_of(CONFIG)} == OTHER.keys() | WITHOUT_EFFECT.keys()


@pytest.mark.parametrize("setting", list(settings_of(CONFIG)), ids=lambda setting: setting.words)
def test_a_setting_counts_unless_it_says_that_it_shapes_no_result(setting: Setting) -> None:
    shapes_result = setting.option is None or setting.option.shapes_result
    value = (OTHER if shapes_result else WITHOUT_EFFECT)[setting.name]
    assert value != setting.value
    before, after = identity_of(CONFIG), identity_of(changed(setting, value))
    assert (before != after) is shapes_result


def test_outputs_count_by_where_they_lie_and_not_by_what_is_there(tmp_path: Path) -> None:
    config = replace(CONFIG, outputs=(str(tmp_path / "o.json"),))
    before = identity_of(config)
    (tmp_path / "o.json").write_text("written by the interrupted run")
    assert identity_of(config) == before


def test_a_field_that_says_nothing_counts() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Config:
        new: int = 1

    assert identity_of(Config(1)) != identity_of(Config(2))


def test_two_ways_to_ask_for_the_same_run_are_one() -> None:
    assert (
        plan(CONFIG).identity
        == plan(replace(CONFIG, schedule="adaptive", target_agreement=0.96, max_interval=120)).identity
    )
    assert plan(replace(CONFIG, schedule="fixed")).identity == plan(replace(CONFIG, key_interval=10)).identity


@pytest.mark.parametrize("name", ["weights", "flow", "source"])
def test_a_file_changed_in_place_counts_though_size_and_time_are_the_same(name: str, tmp_path: Path) -> None:
    import os

    path = tmp_path / "net.safetensors"
    path.write_bytes(b"one way")
    os.utime(path, (1, 1))
    config = replace(CONFIG, **{name: path if name == "weights" else str(path)})
    before = plan(config).identity
    assert plan(config).identity == before
    path.write_bytes(b"another")
    os.utime(path, (1, 1))
    assert plan(config).identity != before


@pytest.mark.parametrize("spec", ["frames", "frames/*.png"])
def test_a_picture_changed_in_a_folder_counts(spec: str, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "frames" / name).write_bytes(b"one")
    config = replace(CONFIG, source=str(tmp_path / spec))
    before = plan(config).identity
    (tmp_path / "frames" / "b.png").write_bytes(b"other")
    assert plan(config).identity != before


def test_large_files_are_digested_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(WHOLE_BYTES + 1)
    before = digest([path])
    with path.open("r+b") as file:
        file.seek(WHOLE_BYTES)
        file.write(b"x")
    assert digest([path]) != before
