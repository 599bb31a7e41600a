"""What is drawn, and what is left as it was."""

import numpy as np
import pytest

from dffcli.categories import Category
from dffcli.core.types import Detections, SegmentationMap
from dffcli.render.overlay import Overlay
from dffcli.render.text import chip
from tests.formats.samples import STUFF, THINGS

GREY = np.full((120, 160, 3), 100, np.uint8)


def boxes(*rows: tuple[float, float, float, float], tracks: list[int] | None = None) -> Detections:
    n = len(rows)
    return Detections(
        np.array(rows, np.float32).reshape(n, 4),
        np.linspace(0.9, 0.5, n, dtype=np.float32),
        np.ones(n, np.int64),
        track_ids=None if tracks is None else np.array(tracks),
    )


def test_a_map_is_blended_with_its_colours() -> None:
    labels = np.ones((120, 160), np.uint8)
    drawn = Overlay(STUFF, opacity=0.5, legend=False).draw(GREY, SegmentationMap(labels))
    expected = (np.array(STUFF[1].color) + 100) / 2
    assert np.abs(drawn - expected).max() <= 0.5
    assert (GREY == 100).all()


def test_what_has_no_class_is_left_as_it_was() -> None:
    labels = np.full((120, 160), 255, np.uint8)
    labels[:60] = 1
    drawn = Overlay(STUFF, opacity=0.7, legend=False).draw(GREY, SegmentationMap(labels))
    np.testing.assert_array_equal(drawn[60:], GREY[60:])


def test_background_is_no_class_to_paint() -> None:
    categories = (Category(0, "background", (0, 0, 0)), Category(1, "cat", (9, 9, 9)))
    drawn = Overlay(categories, opacity=1.0).draw(GREY, SegmentationMap(np.zeros((120, 160), np.uint8)))
    np.testing.assert_array_equal(drawn, GREY)


def test_the_legend_names_what_has_been_seen_and_stays() -> None:
    overlay = Overlay(STUFF, opacity=0.0)
    road = overlay.draw(GREY, SegmentationMap(np.ones((120, 160), np.uint8)))
    label = chip("road", color=STUFF[1].color, height=13)
    np.testing.assert_array_equal(road[-13:, : label.shape[1]], label)
    np.testing.assert_array_equal(road[-13:, label.shape[1] :], GREY[-13:, label.shape[1] :])
    both = overlay.draw(GREY, SegmentationMap(np.zeros((120, 160), np.uint8)))
    sky = chip("sky", color=STUFF[0].color, height=13)
    np.testing.assert_array_equal(both[-13:, : sky.shape[1] + label.shape[1]], np.hstack((sky, label)))


def test_a_box_is_drawn_in_the_colour_of_its_class() -> None:
    drawn = Overlay(THINGS, opacity=0.5).draw(GREY, boxes((40, 50, 90, 100)))
    assert drawn[100, 65].tolist() == list(THINGS[0].color)
    assert drawn[75, 65].tolist() == [100, 100, 100]


def test_tracks_have_their_own_colours() -> None:
    drawn = Overlay(THINGS, opacity=0.5).draw(GREY, boxes((10, 50, 50, 100), (80, 50, 120, 100), tracks=[1, 2]))
    assert drawn[100, 30].tolist() != drawn[100, 100].tolist()


def test_an_instance_is_tinted_inside_its_mask_alone() -> None:
    found = boxes((40, 50, 90, 100))
    mask = np.zeros((1, 120, 160), bool)
    mask[0, 60:70, 50:60] = True
    drawn = Overlay(THINGS, opacity=1.0).draw(GREY, Detections(found.boxes, found.scores, found.category_ids, mask))
    assert (drawn[60:70, 50:60] == THINGS[0].color).all()
    assert drawn[75, 75].tolist() == [100, 100, 100]


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (16, 16)])
def test_the_smallest_pictures_can_be_drawn_upon(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    found = boxes((-5, -5, 1000, 1000), (0, 0, 0, 0), (float("nan"), 0, 1, 1), (-9, -9, -8, -8))
    assert Overlay(THINGS, opacity=0.5).draw(image, found).shape == image.shape
    labels = SegmentationMap(np.ones(size, np.uint8))
    assert Overlay(STUFF, opacity=0.5).draw(image, labels).shape == image.shape


def test_labels_do_not_cover_each_other() -> None:
    alone = Overlay(THINGS, opacity=0.5).draw(GREY, boxes((10, 50, 150, 110)))
    crowd = Overlay(THINGS, opacity=0.5).draw(GREY, boxes(*[(10.0, 50.0, 150.0, 110.0)] * 20))
    np.testing.assert_array_equal(alone[37:50], crowd[37:50])
