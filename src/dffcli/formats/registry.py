"""Which format an output's name asks for, and the sink that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dffcli.core.task import Task
from dffcli.errors import OutputError

if TYPE_CHECKING:
    from dffcli.formats.files import FileSink, FolderSink
    from dffcli.formats.record import Sequence
    from dffcli.formats.sink import OutputOptions

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        summary: what it is, in a few words.
        suffixes: how its files end; empty for a folder.
        is_folder_allowed: it can be a folder.
        tasks: what it can hold.
        needs_masks: of detections it holds instance masks alone.
        needs_tracks: it tells one track after the other.
    """

    summary: str
    suffixes: tuple[str, ...] = (".json",)
    is_folder_allowed: bool = False
    tasks: tuple[Task, ...] = (Task.DETECT,)
    needs_masks: bool = False
    needs_tracks: bool = False


_BOTH = (Task.DETECT, Task.SEGMENT)

FORMATS = {
    "video": Format("the video with its annotation drawn in", VIDEO_SUFFIXES, tasks=_BOTH),
    "masks": Format("a folder of PNG masks, one a frame", (), is_folder_allowed=True, tasks=_BOTH, needs_masks=True),
    "coco": Format("COCO annotation file", tasks=_BOTH),
    "coco-results": Format("COCO list of results", tasks=_BOTH),
    "cocovid": Format("CocoVID: COCO with videos and tracks", tasks=_BOTH),
    "youtube-vis": Format("YouTube-VIS instance masks", needs_masks=True, needs_tracks=True),
    "label-studio": Format("Label Studio video regions"),
    "cvat": Format("CVAT for video 1.1", (".xml",), tasks=_BOTH),
    "mot": Format("MOTChallenge text", (".txt",), is_folder_allowed=True),
    "yolo": Format("YOLO text, to train on", (), is_folder_allowed=True),
    "yolo-results": Format("YOLO text with confidence and track", (), is_folder_allowed=True),
}
"""Every format by the name `--format` takes."""

_BY_SUFFIX = {".json": "coco", ".xml": "cvat", ".txt": "mot"} | dict.fromkeys(VIDEO_SUFFIXES, "video")
_BY_DOUBLE_SUFFIX = {
    ".results": "coco-results",
    ".cocovid": "cocovid",
    ".youtube-vis": "youtube-vis",
    ".ytvis": "youtube-vis",
    ".label-studio": "label-studio",
    ".labelstudio": "label-studio",
}
"""What stands before `.json` in a name like boxes.cocovid.json."""


def output_format(path: str, *, format: str | None = None) -> str:
    """The name of an output's format.

    Args:
        path: the output's name.
        format: what was asked for, where the name does not say.

    Raises:
        OutputError: the name asks for nothing known, or for something else than `format`.
    """
    place = Path(path)
    suffix = place.suffix.lower()
    is_folder = path.endswith("/") or place.is_dir() or not suffix
    if format is None:
        found = "masks" if is_folder else _BY_SUFFIX.get(suffix)
        if suffix == ".json" and not is_folder:
            found = _BY_DOUBLE_SUFFIX.get(Path(place.stem).suffix.lower(), found)
        if found is None:
            raise OutputError(f"{path}: expected {' '.join(_BY_SUFFIX)} or a folder, got {suffix!r}")
        return found
    if format not in FORMATS:
        raise OutputError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    if is_folder and not FORMATS[format].is_folder_allowed:
        raise OutputError(f"{path}: expected a name ending in {' or '.join(FORMATS[format].suffixes)} for {format}")
    if not is_folder and suffix not in FORMATS[format].suffixes:
        wanted = " or ".join((*FORMATS[format].suffixes, *(["a folder"] if FORMATS[format].is_folder_allowed else [])))
        raise OutputError(f"{path}: expected {wanted} for {format}, got {suffix!r}")
    return format


def is_video(path: str) -> bool:
    """Whether a name can be nothing but a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES and not path.endswith("/") and not Path(path).is_dir()


def is_folder(path: str, name: str) -> bool:
    """Whether an output of that name and format is a folder, else a file."""
    return path.endswith("/") or Path(path).suffix.lower() not in FORMATS[name].suffixes


def output_formats(paths: tuple[str, ...], *, format: str | None = None) -> list[str]:
    """The format of every output; `format` is for those that are no video, and there has to be one.

    Raises:
        OutputError: as `output_format`.
    """
    names = [output_format(path, format=None if is_video(path) else format) for path in paths]
    if format is not None and format not in names:
        output_format(paths[0], format=format)  # says what is wrong with it
    return names


def check_fit(path: str, name: str, *, task: Task, has_masks: bool, model: str) -> None:
    """Refuse a format that cannot hold what a model gives.

    Raises:
        OutputError: it cannot.
    """
    form = FORMATS[name]
    if task not in form.tasks:
        raise OutputError(
            f"{path}: {name} holds boxes, and {model} gives a category for every pixel; "
            "write .json, .xml, a folder of masks or a video"
        )
    if task is Task.DETECT and form.needs_masks and not has_masks:
        raise OutputError(
            f"{path}: {form.summary}: takes masks, and {model} gives boxes alone; "
            "write .json, .xml, .txt or .mp4, use --model maskrcnn_resnet50_fpn_v2, or run dff segment"
        )


def open_record_sink(path: str, name: str, sequence: Sequence, *, options: OutputOptions) -> FileSink | FolderSink:
    """The sink of a format that needs no pictures.

    Args:
        path: the output's name.
        name: of the format, any but `video`.
        sequence: what is annotated.
        options: how it is written.

    Raises:
        OutputError: the classes have no ids of the kind asked for.
    """
    from dffcli.formats.coco import CocoWriter
    from dffcli.formats.cvat import CvatWriter
    from dffcli.formats.files import FileSink, FolderSink
    from dffcli.formats.label_studio import LabelStudioWriter
    from dffcli.formats.masks import InstanceMaskWriter, LabelMaskWriter
    from dffcli.formats.mot import MotFolderWriter, MotTextWriter
    from dffcli.formats.yolo import YoloWriter
    from dffcli.formats.youtube_vis import YouTubeVisWriter

    is_file = not is_folder(path, name)
    match name:
        case "masks" if sequence.task is Task.SEGMENT:
            return FolderSink(path, LabelMaskWriter(sequence, mask_ids=options.mask_ids))
        case "masks":
            return FolderSink(path, InstanceMaskWriter(sequence))
        case "mot" if is_file:
            return FileSink(path, MotTextWriter())
        case "mot":
            return FolderSink(path, MotFolderWriter(sequence))
        case "yolo" | "yolo-results":
            return FolderSink(path, YoloWriter(sequence, with_scores=name == "yolo-results"))
        case "cvat":
            return FileSink(path, CvatWriter(sequence))
        case "label-studio":
            return FileSink(path, LabelStudioWriter(sequence))
        case "youtube-vis":
            return FileSink(path, YouTubeVisWriter(sequence))
        case "cocovid":
            return FileSink(path, CocoWriter(sequence, form="video"))
        case "coco-results":
            return FileSink(path, CocoWriter(sequence, form="results"))
        case _:
            return FileSink(path, CocoWriter(sequence, form="image"))
