"""Weather in training views, and rare things pasted over them."""

import numpy as np
import pytest

from dffcli.training.pasting import cut_out, paste
from dffcli.training.weather import KINDS, Kind, random_weather
from tests.training.tiny import scene


@pytest.mark.parametrize("kind", sorted(set(KINDS), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_weather_changes_the_light_and_leaves_the_scene(kind: Kind) -> None:
    image, _ = scene(np.random.default_rng(0), size=(96, 128))
    for seed in range(10):
        seen = kind(image, np.random.default_rng(seed))
        assert seen.shape == image.shape
        assert seen.dtype == np.uint8
        assert not np.array_equal(seen, image)
        blurred = [item.reshape(24, 4, 32, 4, 3).mean((1, 3)).ravel() for item in (seen, image)]
        assert np.corrcoef(*blurred)[0, 1] > 0.3  # the same scene all the same
        assert np.array_equal(seen, kind(image, np.random.default_rng(seed)))


def test_every_kind_of_weather_comes_by_itself() -> None:
    image, _ = scene(np.random.default_rng(0))
    seen = {random_weather(image, rng=np.random.default_rng(seed)).tobytes() for seed in range(40)}
    assert len(seen) == 40


def test_small_specks_are_not_cut_out() -> None:
    labels = np.zeros((32, 40), np.uint8)
    labels[4:20, 4:12] = 2  # a person
    labels[28, 30] = 2  # a speck
    labels[0:3] = 1
    where = cut_out(labels, wanted=(2,))
    assert where[4:20, 4:12].all()
    assert where.sum() == 16 * 8
    assert not cut_out(labels, wanted=(5,)).any()


def test_what_is_pasted_brings_its_pixels_and_its_labels() -> None:
    below, above = np.full((64, 80, 3), 50, np.uint8), np.full((64, 80, 3), 200, np.uint8)
    labels, others = np.full((32, 40), 1, np.uint8), np.full((32, 40), 2, np.uint8)
    where = np.zeros((32, 40), bool)
    where[8:24, 10:20] = True
    image, mixed = paste(below, labels, from_image=above, from_labels=others, where=where)
    assert (mixed == np.where(where, 2, 1)).all()
    assert (image[20:44, 24:36] == 200).all()  # well inside
    assert (image[:12] == 50).all()
    assert (image[:, 48:] == 50).all()
