"""Settings of the process, made before torch and OpenCV are imported."""

import os

import pytest

from dffcli._runtime import settle

NAMES = ("OMP_WAIT_POLICY", "OPENCV_FOR_THREADS_NUM")


def test_idle_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    settle()
    assert [os.environ[name] for name in NAMES] == ["PASSIVE", "1"]


def test_what_the_user_has_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("ACTIVE", "4"), strict=True):
        monkeypatch.setenv(name, value)
    settle()
    assert [os.environ[name] for name in NAMES] == ["ACTIVE", "4"]
