"""Labelled pictures for evaluation and training, from annotations in any format that `dff convert` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dffcli.errors import DataError
from dffcli.evaluation.detection_data import BoxLabels, DetectionData, LabelledFrame, LabelledSequence
from dffcli.formats.account import Account
from dffcli.formats.convert import read_annotations
from dffcli.formats.mot.layout import IMAGES_FOLDER
from dffcli.formats.reading import Annotated, Given, Reading
from dffcli.formats.record import FrameRecord, bounds, corners


def labels_of(record: FrameRecord) -> BoxLabels:
    """The labels of a frame: the one way from annotations to what training and evaluation take.

    A score is the labeller's confidence; crowds and objects marked to be ignored are ignored; a rotated box is the
    upright one around it.
    """
    items = record.objects
    boxes = [bounds((corners(item.box, item.rotation),)) if item.rotation else item.box for item in items]
    return BoxLabels.from_rows(
        boxes,
        [item.category_id for item in items],
        confidences=[1.0 if item.score is None or item.is_ignored else item.score for item in items],
        is_ignored=[item.is_crowd or item.is_ignored for item in items],
        track_ids=[-1 if item.track is None else item.track for item in items],
    )


def read_detection_data(path: Path, *, images: Path | None = None, names: Sequence[str] = ()) -> DetectionData:
    """Read a data set, finding out what it is.

    Args:
        path: a file or folder in any format that can be read.
        images: the folder that names of pictures are relative to; by default where each format has them.
        names: class names of a YOLO folder, in their order, where it does not say them itself.

    Raises:
        DataError: it is none of these, or broken; or there are labels of a picture that is not there.
    """
    if images is None and path.is_file():
        images = path.parent / "images" if (path.parent / "images").is_dir() else path.parent
    if images is None and (path / "annotations.json").is_file():
        images = path / "images"
    account = Account()
    format, videos = read_annotations(Reading(path, Given(images=images, names=tuple(names)), account=account))
    sequences = tuple(sequence for video in videos for sequence in _sequences(video, images or path, format))
    refuse_broken(path, account)
    if not sequences:
        raise DataError(f"{path}: holds no pictures")
    categories = {item.id: item.name for video in videos for item in video.sequence.categories}
    return DetectionData(sequences, tuple(categories.items()))


def refuse_broken(path: Path, account: Account) -> None:
    """Refuse labels of which some cannot be read: what is learnt and measured must not depend on what is skipped.

    Raises:
        DataError: there are such labels.
    """
    for kind in ("unreadable", "of-no-image", "of-no-video"):
        if kind in account.losses:
            line = account.losses[kind]
            raise DataError(f"{path}: {line.count} x {line.what}; first: {line.example}")


def _sequences(video: Annotated, root: Path, format: str) -> Iterator[LabelledSequence]:
    """A video as one sequence, stills as one each."""
    frames: list[LabelledFrame] = []
    for record in video.records:
        if format == "mot" and record.picture is None:
            if record.objects:
                raise DataError(
                    f"{root}: frame {record.index + 1} is labelled, but {IMAGES_FOLDER} has no such picture"
                )
            continue
        picture = record.picture or root / (record.name or f"{record.index:06d}.jpg")
        frame = LabelledFrame(picture, labels_of(record) if record.is_labelled else None)
        if video.sequence.is_video:
            frames.append(frame)
        else:
            yield LabelledSequence(record.name or picture.name, (frame,))
    if frames:
        yield LabelledSequence(video.sequence.info.name, tuple(frames))
