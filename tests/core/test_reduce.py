"""Pictures made smaller."""

import cv2
import numpy as np
import pytest

from dffcli.core.reduce import reduced


def picture(h: int, w: int, *channels: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (h // 8 + 1, w // 8 + 1, *channels), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (w, h), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_the_same_size_is_the_same_picture() -> None:
    given = picture(48, 64)
    assert reduced(given, (48, 64)) is given


def test_whole_blocks_are_averaged() -> None:
    given = picture(48, 64, 3)
    wanted = given.reshape(12, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(reduced(given, (12, 16)) - wanted).max() <= 0.5


@pytest.mark.parametrize("size", [(99, 176), (117, 208), (288, 512), (7, 301), (400, 700)])
def test_any_size_is_nearly_what_exact_averaging_gives(size: tuple[int, int]) -> None:
    given = picture(360, 640)
    found = reduced(given, size).astype(int)
    grows = size[0] > 360
    how = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    wanted = cv2.resize(given, size[::-1], interpolation=how).astype(int)
    assert found.shape == size
    assert np.abs(found - wanted).mean() < 3  # of 255 grey levels


def test_a_side_that_is_prime_has_no_whole_blocks() -> None:
    assert reduced(picture(101, 103), (10, 10)).shape == (10, 10)
