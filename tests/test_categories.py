"""The classes' colours are told apart."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dffcli.categories import CAMVID, PALETTES, recolored
from tests.shared import DATA, needs_shared

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CAMVID_DATA = DATA / "camvid"

# Sharma, Wu and Dalal (2005), table 1: two colours in CIELAB, and their distance.
PUBLISHED = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    """`benchmarks/palette.py`, which holds how colours are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        spec = importlib.util.spec_from_file_location("palette_benchmark", BENCHMARKS / "palette.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules.pop("common", None)
    return module


@pytest.mark.parametrize(("one", "other", "distance"), PUBLISHED)
def test_colour_distances_are_the_published_ones(
    measure: ModuleType, one: tuple[float, ...], other: tuple[float, ...], distance: float
) -> None:
    assert measure.ciede2000(np.array(one), np.array(other)) == pytest.approx(distance, abs=1e-4)
    assert measure.ciede2000(np.array(other), np.array(one)) == pytest.approx(distance, abs=1e-4)


def test_red_and_green_are_alike_without_the_cones_for_them(measure: ModuleType) -> None:
    colors = np.array([[200.0, 120.0, 0.0], [120.0, 160.0, 0.0]])
    seen = {name: measure.painted_distances(colors, sight=sight)[0, 1] for name, sight in measure.SIGHT.items()}
    assert seen["full colour vision"] > 15
    assert seen["deuteranopia"] < 5


def test_neighbouring_street_classes_are_told_apart_by_everyone(measure: ModuleType) -> None:
    for sight, distance, pair in measure.judge(CAMVID, NEIGHBOURS):
        assert distance > 12, (sight, pair)
    assert min(distance for _, distance, _ in measure.judge(recolored(CAMVID, "camvid"), NEIGHBOURS)) < 3


@needs_shared
def test_the_neighbours_are_those_of_camvid(measure: ModuleType) -> None:
    assert measure.neighbours(CAMVID_DATA / "trainannot", classes=len(CAMVID)) == NEIGHBOURS


def test_a_palette_changes_colours_and_nothing_else() -> None:
    assert recolored(CAMVID, "own") == CAMVID
    changed = recolored(CAMVID, "camvid")
    assert [(category.id, category.name) for category in changed] == [(c.id, c.name) for c in CAMVID]
    assert {category.name: category.color for category in changed} == PALETTES["camvid"]


APART = {(0, 3), (0, 4), (0, 7), (0, 8), (0, 9), (0, 10), (1, 3), (3, 6), (3, 7), (6, 9), (6, 10)}
"""Pairs of positions that hardly ever border on each other: sky and road, sign and pedestrian, and so on."""

NEIGHBOURS = [(i, j) for i in range(11) for j in range(i + 1, 11) if (i, j) not in APART]
