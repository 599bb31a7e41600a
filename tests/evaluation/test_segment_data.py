"""Labelled pictures are found in the layouts data sets come in, and wrong ones are named."""

from pathlib import Path

import numpy as np
import pytest

from dffcli.errors import DataError
from dffcli.evaluation.segment_data import camvid_split, cityscapes_split, pictures_with_masks, read_image, read_labels
from dffcli.evaluation.segment_source import parse_source
from tests.training.tiny import write_camvid, write_image

PICTURE = np.full((6, 8, 3), 90, np.uint8)


def test_camvid_pairs_pictures_with_masks(tmp_path: Path) -> None:
    pictures = camvid_split(write_camvid(tmp_path, count=3), "train")
    assert [item.image.name for item in pictures] == ["f_000.png", "f_001.png", "f_002.png"]
    assert [item.mask.parent.name for item in pictures] == ["trainannot"] * 3
    assert read_image(pictures[0].image).shape == (64, 80, 3)
    assert set(np.unique(read_labels(pictures[0], size=(64, 80)))) == {0, 1, 2}


def test_a_folder_leaves_out_pictures_without_a_mask(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "images" / name, PICTURE)
    write_image(tmp_path / "masks" / "b.png", PICTURE[..., 0])
    assert [p.image.name for p in pictures_with_masks(tmp_path / "images", tmp_path / "masks")] == ["b.png"]


def cityscapes(root: Path, *, kind: str, frames: range, labelled: int, value: int) -> None:
    for frame in frames:
        image = root / "leftImg8bit_sequence/val/aachen" / f"aachen_000003_{frame:06d}_leftImg8bit.png"
        write_image(image, PICTURE)
    mask = root / "gtFine/val/aachen" / f"aachen_000003_{labelled:06d}_gtFine_{kind}.png"
    write_image(mask, np.full((6, 8), value, np.uint8))


def test_cityscapes_snippets_know_the_frames_before_the_labelled_one(tmp_path: Path) -> None:
    cityscapes(tmp_path, kind="labelIds", frames=range(5, 24), labelled=19, value=26)
    (picture,) = cityscapes_split(tmp_path, "val")
    assert picture.image.name == "aachen_000003_000019_leftImg8bit.png"
    assert [path.name[14:20] for path in picture.earlier] == [f"{n:06d}" for n in range(18, 4, -1)]
    assert (read_labels(picture, size=(6, 8)) == 13).all()  # car


def test_cityscapes_ids_that_are_not_evaluated_are_ignored(tmp_path: Path) -> None:
    cityscapes(tmp_path, kind="labelIds", frames=range(19, 20), labelled=19, value=4)
    (picture,) = cityscapes_split(tmp_path, "val")
    assert picture.earlier == ()
    assert (read_labels(picture, size=(6, 8)) == 255).all()


def test_cityscapes_training_ids_are_taken_as_they_are(tmp_path: Path) -> None:
    cityscapes(tmp_path, kind="labelTrainIds", frames=range(18, 20), labelled=19, value=7)
    (picture,) = cityscapes_split(tmp_path, "val")
    assert (read_labels(picture, size=(6, 8)) == 7).all()


def test_broken_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train: no such folder"):
        camvid_split(tmp_path, "train")
    with pytest.raises(DataError, match=r"gtFine.val: no such folder|leftImg8bit.val: no such folder"):
        cityscapes_split(tmp_path, "val")
    root = write_camvid(tmp_path, count=1)
    (picture,) = camvid_split(root, "train")
    with pytest.raises(DataError, match=r"f_000\.png: expected the size of its picture, 5 x 4, found 80 x 64"):
        read_labels(picture, size=(4, 5))
    picture.mask.write_text("hello")
    with pytest.raises(DataError, match=r"trainannot/f_000\.png: not a readable mask"):
        read_labels(picture, size=(64, 80))
    write_image(picture.mask, np.zeros((64, 80, 3), np.uint8))
    with pytest.raises(DataError, match="expected an 8-bit mask of class ids"):
        read_labels(picture, size=(64, 80))
    picture.image.unlink()
    with pytest.raises(DataError, match="no such picture"):
        read_image(picture.image)
    with pytest.raises(DataError, match="no pictures in it"):
        camvid_split(root, "train")
    write_image(root / "train" / "other.png", PICTURE)
    with pytest.raises(DataError, match="no picture named f_000"):
        camvid_split(root, "train")


def test_a_missing_cityscapes_picture_is_named(tmp_path: Path) -> None:
    cityscapes(tmp_path, kind="labelIds", frames=range(5, 8), labelled=19, value=26)
    with pytest.raises(DataError, match=r"its picture is missing, expected .*000019_leftImg8bit"):
        cityscapes_split(tmp_path, "val")


def test_a_source_is_read_from_its_text(tmp_path: Path) -> None:
    root = write_camvid(tmp_path, count=6)
    source = parse_source(f"camvid:{root},share=0.4,loss-weight=0.5,without=f_000*|f_001*,every=2,video=yes")
    assert (source.share, source.loss_weight) == (0.4, 0.5)
    pictures = source.pictures(max_offset=3)
    assert [item.image.name for item in pictures] == ["f_002.png", "f_004.png"]
    assert [path.name for path in pictures[1].earlier] == ["f_003.png", "f_002.png", "f_001.png"]
    assert [item.image.name for item in parse_source(f"camvid:{root},only=f_005*").pictures()] == ["f_005.png"]
    assert len(parse_source(f"folder:{root / 'train'}:{root / 'trainannot'}").pictures()) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("coco:x", "found 'coco'"),
        ("folder:x", "expected folder:PICTURES:MASKS"),
        ("camvid:", "expected camvid:ROOT"),
        ("camvid:x,share", "found 'share'"),
        ("camvid:x,shere=1", "found 'shere=1'"),
        ("camvid:x,share=much", "'much' is no value for share"),
        ("camvid:x,video=maybe", "'maybe' is no value for video"),
    ],
)
def test_a_wrong_source_text_is_explained(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_source(text)
    assert message in str(caught.value)


def test_a_source_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture is left of 2"):
        parse_source(f"camvid:{write_camvid(tmp_path, count=2)},only=z*").pictures()
