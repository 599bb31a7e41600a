"""From one annotation format to another, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dffcli.errors import DataError, OutputError
from dffcli.files.atomic import claimed
from dffcli.files.check import check_outputs
from dffcli.formats.coco_reader import read_coco
from dffcli.formats.corrections import apply, read_corrections
from dffcli.formats.cvat_reader import read_cvat
from dffcli.formats.folder_reader import read_masks, read_yolo
from dffcli.formats.label_studio_reader import read_label_studio
from dffcli.formats.mot_reader import read_mot
from dffcli.formats.reading import Given, load_json, understanding
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.registry import FORMATS, check_fit, is_folder, open_record_sink, output_format
from dffcli.formats.sink import CLASSES_FILE, OutputOptions
from dffcli.formats.tables import read_classes
from dffcli.formats.yolo import LABELS_FOLDER


def convert(
    source: str,
    target: str,
    *,
    given: Given,
    options: OutputOptions,
    source_format: str | None = None,
    corrections: Path | None = None,
) -> tuple[str, str, int]:
    """Write the annotations of one file or folder in another format.

    Args:
        source: what is read.
        target: what is written; its name says the format, unless `options.format` does.
        given: what the user says of the source.
        options: how it is written.
        source_format: of the source, where its name and content do not say.
        corrections: what was put right in the source with `dff review`.

    Returns:
        The format read, the format written, and the number of frames.

    Raises:
        DataError: the source is not what it should be.
        OutputError: the target exists, cannot be written, or cannot hold what is read.
    """
    name = output_format(target, format=options.format)
    if name == "video":
        raise OutputError(f"{target}: a video needs pictures: `dff detect` and `dff segment` draw them")
    check_outputs([target], inputs=[source], overwrite=options.overwrite)
    found, sequence, records = read_annotations(source, given=given, format=source_format)
    if corrections is not None:
        records = apply(read_corrections(corrections, of=Path(source)).operations, records)
    check_fit(target, name, task=sequence.task, has_masks=True, model=Path(source).name)
    frames = 0
    files, folders = ([], [target]) if is_folder(target, name) else ([target], [])
    with (
        claimed(files=files, folders=folders, overwrite=options.overwrite),
        open_record_sink(target, name, sequence, options=options) as sink,
    ):
        for record in records:
            sink.write_record(record)
            frames += 1
    return found, name, frames


def read_annotations(
    source: str, *, given: Given, format: str | None = None
) -> tuple[str, Sequence, Iterable[FrameRecord]]:
    """The annotations of a file or folder, in any format dff knows.

    Returns:
        The format's name, what is annotated, and its frames in order.

    Raises:
        DataError: it is missing, or not what it should be.
    """
    path = Path(source)
    if not path.exists():
        raise DataError(f"{source}: no such file or folder")
    with understanding(path):
        name = format or guess_format(path)
    match name:
        case "coco" | "cocovid" | "youtube-vis":
            return (name, *read_coco(path, given))
        case "cvat":
            return (name, *read_cvat(path, given))
        case "label-studio":
            return (name, *read_label_studio(path, given))
        case "mot":
            return (name, *read_mot(path, given))
        case "masks":
            return (name, *read_masks(path, given))
        case "yolo" | "yolo-results":
            return (name, *read_yolo(path, given))
        case _:
            readable = ", ".join(known for known in FORMATS if known not in ("video", "coco-results"))
            raise DataError(f"{source}: {name} cannot be read; these can: {readable}")


def guess_format(path: Path) -> str:
    """The format of what is read, by its suffix and a look inside.

    Raises:
        DataError: it is none that is known.
    """
    if path.is_dir():
        if (path / CLASSES_FILE).is_file() and "mask_ids" in read_classes(path)[1]:
            return "masks"
        if any((path / kind / f"{kind}.txt").is_file() for kind in ("gt", "det")):
            return "mot"
        if (path / LABELS_FOLDER).is_dir() or any(path.glob("*.txt")):
            return "yolo"
        raise DataError(f"{path}: expected a folder of masks, YOLO labels or a MOT sequence")
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return "cvat"
    if suffix == ".txt":
        return "mot"
    if suffix == ".json":
        data = load_json(path)
        first = data[0] if isinstance(data, list) and data else data
        if isinstance(first, dict) and ("predictions" in first or "data" in first):
            return "label-studio"
        if isinstance(data, list):
            return "coco-results"
        if isinstance(data, dict) and data.get("videos"):
            return "cocovid" if "images" in data else "youtube-vis"
        return "coco"
    raise DataError(f"{path}: expected .json, .xml, .txt or a folder, got {suffix!r}")
