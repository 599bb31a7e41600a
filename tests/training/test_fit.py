"""The training loop: it learns, it resumes as if nothing had happened, it survives a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dffcli.errors import DataError, WeightsError
from dffcli.training.ahead import batches_ahead
from dffcli.training.checkpoint import load_checkpoint
from dffcli.training.fit import FitSettings, StepReport, fit, learning_rate_at
from dffcli.training.log import read_log
from dffcli.training.objective import Batch


class LineObjective:
    """Finds the plane z = 2 x - y by a two-layer network with a batch norm (so that buffers matter)."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        self._module = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))

    @property
    def module(self) -> nn.Module:
        return self._module

    def batch(self, step: int, *, seed: int) -> Batch:
        places = torch.randn(16, 2, generator=torch.Generator().manual_seed(seed * 1000 + step))
        return {"places": places, "nested": [places[:, :1]]}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        wanted = 2 * batch["places"][:, :1] - batch["places"][:, 1:]
        return {"square": (self._module(batch["places"]) - wanted).square().mean()}

    def validate(self, module: nn.Module) -> dict[str, float]:
        with torch.inference_mode():
            return {"at_one": module(torch.ones(1, 2)).item()}


SETTINGS = FitSettings(
    steps=60, learning_rate=0.05, warmup_steps=5, validate_every=20, log_every=4, average_decay=0.8, weight_decay=0.0
)


def losses_of(folder: Path) -> dict[int, float]:
    return {r["step"]: r["losses"]["square"] for r in read_log(folder / "log.jsonl") if "losses" in r}


def test_losses_fall_and_the_average_is_what_is_returned(tmp_path: Path) -> None:
    seen: list[StepReport] = []
    result = fit(LineObjective(), SETTINGS, folder=tmp_path, on_step=seen.append)
    losses = losses_of(tmp_path)
    assert losses[60] < 0.2 * losses[4]
    assert [report.step for report in seen] == list(range(1, 61))
    assert result.measures == seen[-1].measures
    assert result.measures["at_one"] == pytest.approx(1.0, abs=0.5)
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_stopped_run_resumes_as_if_it_had_not_stopped(tmp_path: Path, optimizer: str) -> None:
    settings = FitSettings(
        steps=40, learning_rate=0.01, warmup_steps=5, validate_every=0, log_every=4, optimizer=optimizer,
        checkpoint_seconds=0.0,
    )  # fmt: skip

    class StopError(Exception):
        pass

    def stop_at_30(report: StepReport) -> None:
        if report.step == 30:
            raise StopError

    whole = fit(LineObjective(), settings, folder=tmp_path / "whole")
    with pytest.raises(StopError):
        fit(LineObjective(), settings, folder=tmp_path / "parts", on_step=stop_at_30)
    assert load_checkpoint(tmp_path / "parts/checkpoint.pt")["step"] == 28  # the last log record before
    resumed = fit(LineObjective(), settings, folder=tmp_path / "parts", resume=True)
    assert losses_of(tmp_path / "parts") == losses_of(tmp_path / "whole")
    for left, right in zip(whole.module.state_dict().values(), resumed.module.state_dict().values(), strict=True):
        assert torch.equal(left, right)


def test_a_killed_run_resumes_with_the_same_losses(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from tests.training.test_fit import LineObjective
from dffcli.training.fit import FitSettings, fit
settings = FitSettings(steps=400, learning_rate=0.01, validate_every=0, log_every=5, checkpoint_seconds=0.0)
slow = (lambda report: time.sleep(0.01)) if sys.argv[2] == "slow" else None
fit(LineObjective(), settings, folder=Path(sys.argv[1]), resume=sys.argv[3] == "resume", on_step=slow)
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}

    def command(folder: str, pace: str, start: str) -> list[str]:
        return [sys.executable, "-c", script, str(tmp_path / folder), pace, start]

    subprocess.run(command("whole", "fast", "new"), env=environment, check=True)
    process = subprocess.Popen(command("killed", "slow", "new"), env=environment)
    log = tmp_path / "killed/log.jsonl"
    deadline = time.monotonic() + 300
    while not (log.exists() and len(log.read_text().splitlines()) >= 8) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(read_log(log)) < 80  # it was in the middle
    subprocess.run(command("killed", "fast", "resume"), env=environment, check=True)
    assert losses_of(tmp_path / "killed") == losses_of(tmp_path / "whole")


def test_a_second_run_does_not_overwrite_the_first(tmp_path: Path) -> None:
    fit(LineObjective(), FitSettings(steps=1), folder=tmp_path)
    with pytest.raises(DataError, match="holds a training run already"):
        fit(LineObjective(), FitSettings(steps=1), folder=tmp_path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no checkpoint there"):
        load_checkpoint(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.pt: not a readable checkpoint"):
        load_checkpoint(tmp_path / "text.pt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="expected a checkpoint written by `dff train`"):
        load_checkpoint(tmp_path / "other.pt")


def test_a_log_line_cut_short_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"step": 1}) + '\n{"step": 2, "los')
    assert read_log(log) == [{"step": 1}]
    log.write_text('{"step"\n' + json.dumps({"step": 2}) + "\n")
    with pytest.raises(DataError, match=r"log\.jsonl:1"):
        read_log(log)


def test_the_rate_rises_then_falls_to_zero() -> None:
    for schedule in ("poly", "cosine"):
        settings = FitSettings(steps=100, learning_rate=1.0, warmup_steps=10, schedule=schedule)
        rates = [learning_rate_at(step, settings) for step in range(101)]
        assert rates[0] == pytest.approx(0.1)
        assert max(rates) == rates[10] == pytest.approx(1.0)
        assert rates[10:] == sorted(rates[10:], reverse=True)
        assert rates[100] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_batches_made_ahead_come_in_order(threads: int) -> None:
    def make(step: int) -> Batch:
        time.sleep(0.002 * (step % 3))
        return {"step": step}

    found = [batch["step"] for batch in batches_ahead(make, first=2, last=12, threads=threads)]
    assert found == list(range(2, 12))


def test_a_batch_that_fails_ends_the_run_with_its_error() -> None:
    def make(step: int) -> Batch:
        if step == 3:
            raise DataError("broken.png: not a readable picture")
        return {"step": step}

    batches = batches_ahead(make, first=0, last=9, threads=2)
    assert [next(batches)["step"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"broken\.png"):
        next(batches)


def test_a_frozen_network_cannot_be_trained(tmp_path: Path) -> None:
    objective = LineObjective()
    objective.module.requires_grad_(False)
    with pytest.raises(DataError, match="frozen"):
        fit(objective, FitSettings(steps=1), folder=tmp_path)


def test_a_part_can_learn_at_a_rate_of_its_own(tmp_path: Path) -> None:
    objective = LineObjective()  # its first layer's parameters are named 0.weight and 0.bias
    before = [parameter.detach().clone() for parameter in objective.module.parameters()]
    settings = replace(SETTINGS, steps=4, rate_shares={"0": 0.0})
    fit(objective, settings, folder=tmp_path)
    moved = [not torch.equal(old, new) for old, new in zip(before, objective.module.parameters(), strict=True)]
    assert moved == [False, False, True, True, True, True]
    assert settings.rate_share("segmenter.0.weight") == 0.0
    assert settings.rate_share("segmenter.1.weight") == 1.0
