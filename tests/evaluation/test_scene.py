"""The rendered scene says the truth about itself."""

import cv2
import numpy as np
import pytest

from dffcli.evaluation.scene import Scene, standard_scene, varied_scene
from dffcli.evaluation.scene_files import HIDDEN, coco_video, flo_bytes, write_clip, write_truth
from dffcli.video.reader import open_source

CUT = 6


@pytest.fixture(scope="module")
def scene() -> Scene:
    return standard_scene(size=(96, 160), frames=10, cut=CUT)


def read_at(picture: np.ndarray, displacement: np.ndarray, interpolation: int) -> np.ndarray:
    rows, columns = np.indices(picture.shape[:2], dtype=np.float32)
    return cv2.remap(picture, columns + displacement[0], rows + displacement[1], interpolation)


@pytest.mark.parametrize(("key", "current"), [(0, 1), (0, 5), (5, 2), (6, 9)])
def test_the_exact_flow_reproduces_the_picture_where_it_is_seen(scene: Scene, key: int, current: int) -> None:
    displacement, seen = scene.flow(key, current)
    assert 0.6 < seen.mean() < 1
    warped = read_at(scene.image(key), displacement, cv2.INTER_LINEAR)
    difference = np.abs(warped.astype(int) - scene.image(current)).max(axis=2)
    assert difference[seen].mean() < 5  # grey levels: edges of layers are not smoothed
    assert difference[~seen].mean() > 4 * difference[seen].mean()


def test_the_exact_flow_carries_the_labels(scene: Scene) -> None:
    displacement, seen = scene.flow(0, 5)
    carried = read_at(scene.labels(0), displacement, cv2.INTER_NEAREST)
    assert (carried == scene.labels(5))[seen].mean() > 0.98  # edges lie between pixels


def test_flow_there_and_back_ends_where_it_began(scene: Scene) -> None:
    there, seen = scene.flow(4, 1)
    back = scene.flow(1, 4)[0]
    moved = np.stack([read_at(np.ascontiguousarray(part), there, cv2.INTER_LINEAR) for part in back])
    inside = seen & (scene.owners(1) == 0)
    assert np.median(np.hypot(*(there + moved))[inside]) < 0.05


def test_nothing_is_seen_across_the_cut(scene: Scene) -> None:
    displacement, seen = scene.flow(CUT - 1, CUT)
    assert not seen.any()
    assert not displacement.any()


def test_the_scene_is_the_same_every_time(scene: Scene) -> None:
    again = standard_scene(size=(96, 160), frames=10, cut=CUT)
    assert (again.image(3) == scene.image(3)).all()
    assert (standard_scene(seed=1, size=(96, 160), frames=10, cut=CUT).image(3) != scene.image(3)).any()


def test_boxes_enclose_what_is_seen_of_each_object(scene: Scene) -> None:
    owner = scene.owners(4)
    boxes = scene.boxes(4)
    assert {box.name for box in boxes} == {"person", "car"}
    layers = scene.shot(4).layers
    for box in boxes:
        number = next(k for k, layer in enumerate(layers) if layer.track == box.track)
        x1, y1, x2, y2 = box.corners
        assert (owner == number).sum() == box.pixels == (owner[y1:y2, x1:x2] == number).sum()


def test_objects_hide_each_other() -> None:
    scene = standard_scene(frames=72)
    visible = [{box.track: box.pixels for box in scene.boxes(index)} for index in (40, 70)]
    assert any(visible[1].get(track, 0) < 0.8 * pixels for track, pixels in visible[0].items())


def test_clip_and_truth_can_be_read_again(scene: Scene, tmp_path) -> None:
    write_clip(scene, tmp_path / "clip.mp4")
    write_truth(scene, tmp_path)
    with open_source(str(tmp_path / "clip.mp4")) as source:
        frames = list(source)
    assert len(frames) == scene.frames
    assert np.abs(frames[4].image.astype(int) - scene.image(4)).mean() < 8  # compressed, half the colour resolution
    mask = cv2.imread(str(tmp_path / "masks" / "000004.png"), cv2.IMREAD_UNCHANGED)
    assert (mask == scene.labels(4)).all()
    vectors = np.frombuffer((tmp_path / "flow" / "000002.flo").read_bytes(), "<f4", offset=12).reshape(96, 160, 2)
    exact, seen = scene.flow(1, 2)
    assert np.allclose(vectors.transpose(2, 0, 1)[:, seen], exact[:, seen])
    assert (vectors[~seen] == np.float32(HIDDEN)).all()


def test_flo_starts_with_its_magic_number_and_size() -> None:
    data = flo_bytes(np.zeros((2, 3, 5), np.float32))
    assert np.frombuffer(data[:4], "<f4")[0] == np.float32(202021.25)
    assert np.frombuffer(data[4:12], "<i4").tolist() == [5, 3]
    assert len(data) == 12 + 3 * 5 * 8


def test_the_boxes_are_a_coco_video(scene: Scene) -> None:
    content = coco_video(scene)
    assert len(content["images"]) == scene.frames
    first = content["annotations"][0]
    assert {"image_id", "category_id", "instance_id", "bbox"} <= first.keys()


def test_every_seed_is_a_street_of_its_own() -> None:
    one, again, other = (varied_scene(seed=seed, size=(96, 160), frames=6) for seed in (1, 1, 2))
    assert np.array_equal(one.image(3), again.image(3))
    assert not np.array_equal(one.image(3), other.image(3))
    moved = [np.abs(scene.flow(0, 5)[0]).mean() for scene in (one, other)]
    assert min(moved) > 0.5
    assert abs(moved[0] - moved[1]) > 0.1


def test_a_varied_street_moves_as_its_flow_says() -> None:
    for seed in range(4):
        scene = varied_scene(seed=seed, size=(96, 160), frames=6)
        displacement, seen = scene.flow(1, 4)
        carried = read_at(scene.image(1), displacement, cv2.INTER_LINEAR)
        error = np.abs(carried.astype(int) - scene.image(4))[seen].mean()
        held = np.abs(scene.image(1).astype(int) - scene.image(4))[seen].mean()
        assert error < 6
        assert error < 0.6 * held
