"""Every format, a line each, and which of them an output's name asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dffcli.errors import OutputError
from dffcli.formats.holds import Holds

if TYPE_CHECKING:
    from dffcli.core.task import Task
    from dffcli.formats.account import Account
    from dffcli.formats.files import RecordSink
    from dffcli.formats.reading import Annotated, Reading
    from dffcli.formats.record import Sequence
    from dffcli.formats.sink import OutputOptions

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
ENTRY_POINTS = "dffcli.formats"
"""Other packages add formats under this name: an entry point whose name is the format's and whose object a `Format`."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        summary: what it is, in a few words.
        holds: what can be said in it.
        home: the module with its `read(Reading)` and `write(Target)`, by its full name or by that within this package;
            empty for videos.
        suffixes: how its files end; empty for a folder.
        marks: what may stand before the suffix to say that it is this format (`.cocovid` in boxes.cocovid.json).
        is_folder: it can be a folder.
        pictures: the folder within such a folder that pictures are saved in; empty where there is none.
        is_read, is_written: it can be.
    """

    summary: str
    holds: Holds = field(default_factory=Holds)
    home: str = ""
    suffixes: tuple[str, ...] = (".json",)
    marks: tuple[str, ...] = ()
    is_folder: bool = False
    pictures: str = ""
    is_read: bool = True
    is_written: bool = True

    def reader(self) -> Callable[[Reading], list[Annotated]]:
        """What reads it."""
        found: Callable[[Reading], list[Annotated]] = self._part("read")
        return found

    def writer(self) -> Callable[..., RecordSink]:
        """What writes it."""
        found: Callable[..., RecordSink] = self._part("write")
        return found

    def _part(self, name: str) -> Any:
        return getattr(import_module(self.home if "." in self.home else f"dffcli.formats.{self.home}"), name)


_COCO = Holds(
    maps=True, polygons=True, parts=True, masks=True, tracks=True, scores=True, crowds=True, ignored=True,
    occluded=True, attributes=True, times=True, key_frames=True, names=True, sizes=True, class_ids=True,
)  # fmt: skip
_RESULTS = Holds(maps=True, masks=True, tracks=True, scores=True, class_ids=True)
_CVAT = Holds(
    maps=True, rotation=True, polygons=True, masks=True, tracks=True, scores=True, by_track=True, occluded=True,
    attributes=True,
)  # fmt: skip
_MASKS = Holds(
    maps=True, boxes=False, masks=True, tracks=True, scores=True, times=True, key_frames=True, names=True, sizes=True,
    class_ids=True,
)  # fmt: skip
_VIS = Holds(
    boxes=False, masks=True, tracks=True, untracked=False, scores="track", by_track=True, names=True, class_ids=True
)
_MOT = Holds(tracks=True, scores=True, ignored=True, attributes=("visibility",), class_ids=True)
_YOLO = Holds(
    polygons=True, outside=False, shares=True, times=True, key_frames=True, names=True, sizes=True, class_ids=True
)
_RESULTS_TEXT = replace(_YOLO, tracks=True, scores=True)
_STUDIO = Holds(shares=True, rotation=True, tracks=True, scores="track", by_track=True)
_VOC = Holds(tracks=True, names=True, sizes=True)

_IMAGES = "images"

BUILT_IN: Mapping[str, Format] = {
    "video": Format("the video with its annotation drawn in", Holds(maps=True), "", VIDEO_SUFFIXES, is_read=False),
    "masks": Format("PNG masks, one a frame", _MASKS, "masks", (), is_folder=True),
    "coco": Format("COCO annotation file", _COCO, "coco", is_folder=True, pictures=_IMAGES),
    "coco-results": Format("COCO list of results", _RESULTS, "coco", marks=(".results",), is_read=False),
    "cocovid": Format("CocoVID: COCO with videos and tracks", _COCO, "coco", marks=(".cocovid",)),
    "youtube-vis": Format("YouTube-VIS instance masks", _VIS, "youtube_vis", marks=(".youtube-vis", ".ytvis")),
    "label-studio": Format("Label Studio", _STUDIO, "label_studio", marks=(".label-studio", ".labelstudio")),
    "cvat": Format("CVAT for video 1.1", _CVAT, "cvat", (".xml",)),
    "mot": Format("MOTChallenge text", _MOT, "mot", (".txt",), is_folder=True, pictures="img1"),
    "yolo": Format("YOLO text, to train on", _YOLO, "yolo", (), is_folder=True, pictures=_IMAGES),
    "yolo-results": Format(
        "YOLO with confidence and track", _RESULTS_TEXT, "yolo", (), is_folder=True, pictures=_IMAGES
    ),
    "imagenet": Format("ImageNet VID and DET", _VOC, "imagenet", (), is_folder=True, is_written=False),
}
"""The formats that come with dff, by the name `--format` takes; a line each."""


@cache
def formats() -> Mapping[str, Format]:
    """Every format by its name: dff's own, then those of other installed packages.

    Raises:
        OutputError: another package's entry is no format.
    """
    found = dict(BUILT_IN)
    for entry in entry_points(group=ENTRY_POINTS):
        loaded = entry.load()
        if not isinstance(loaded, Format):
            raise OutputError(f"format {entry.name!r}: expected a dffcli Format, found a {type(loaded).__name__}")
        found.setdefault(entry.name, loaded)
    return found


FORMATS = BUILT_IN


def by_suffix() -> dict[str, str]:
    """The format of each suffix; of several formats the first without a mark."""
    found: dict[str, str] = {}
    for name, form in formats().items():
        for suffix in form.suffixes if not form.marks else ():
            found.setdefault(suffix, name)
    return found


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
    known = formats()
    if format is None:
        if is_folder:
            return "masks"
        mark = Path(place.stem).suffix.lower()
        marked = (name for name, form in known.items() if suffix in form.suffixes and mark in form.marks)
        found = next(marked, None) or by_suffix().get(suffix)
        if found is None or not known[found].is_written:
            raise OutputError(f"{path}: expected {' '.join(by_suffix())} or a folder, got {suffix!r}")
        return found
    written = [name for name, form in known.items() if form.is_written]
    if format not in written:
        raise OutputError(f"format {format!r}: expected one of {', '.join(written)}")
    form = known[format]
    if is_folder and not form.is_folder:
        raise OutputError(f"{path}: expected a name ending in {' or '.join(form.suffixes)} for {format}")
    if not is_folder and suffix not in form.suffixes:
        wanted = " or ".join((*form.suffixes, *(["a folder"] if form.is_folder else [])))
        raise OutputError(f"{path}: expected {wanted} for {format}, got {suffix!r}")
    return format


def is_video(path: str) -> bool:
    """Whether a name can be nothing but a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES and not path.endswith("/") and not Path(path).is_dir()


def is_folder(path: str, name: str) -> bool:
    """Whether an output of that name and format is a folder, else a file."""
    return path.endswith("/") or Path(path).suffix.lower() not in formats()[name].suffixes


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
    form = formats()[name]
    if task == "segment" and not form.holds.maps:
        raise OutputError(
            f"{path}: {name} holds boxes, and {model} gives a category for every pixel; "
            "write .json, .xml, a folder of masks or a video"
        )
    if task == "detect" and not form.holds.boxes and not has_masks:
        raise OutputError(
            f"{path}: {form.summary}: takes masks, and {model} gives boxes alone; "
            "write .json, .xml, .txt or .mp4, use --model maskrcnn_resnet50_fpn_v2, or run dff segment"
        )


def check_options(outputs: Iterable[tuple[str, str]], options: OutputOptions) -> None:
    """Refuse options that the outputs cannot follow.

    Args:
        outputs: name and format of each.
        options: how they are written.

    Raises:
        OutputError: pictures are to be saved and no output has a place for them.
    """
    if options.save_frames != "no":
        folders = [name for path, name in outputs if name != "video" and is_folder(path, name)]
        if not any(formats()[name].pictures for name in folders):
            wanted = ", ".join(name for name, form in formats().items() if form.pictures)
            raise OutputError(f"--save-frames: expected an output that is a folder of --format {wanted}")


def _with_names(sequence: Sequence) -> Sequence:
    """The sequence with the names of its stills, so that those that ask for one file are refused before the first."""
    from dffcli.video.images import images_of

    folder = sequence.info.path
    if sequence.frame_names or folder is None or not Path(folder).is_dir():
        return sequence
    return replace(sequence, frame_names=tuple(path.name for path in images_of(Path(folder))))


def open_record_sink(
    path: str,
    name: str,
    sequence: Sequence,
    *,
    options: OutputOptions,
    account: Account | None = None,
    min_track: int = 1,
) -> RecordSink:
    """The sink of a format that needs no pictures.

    Args:
        path: the output's name.
        name: of the format, any but `video`.
        sequence: what is annotated.
        options: how it is written.
        account: where losses are noted, of a conversion; None for the answers of a model.
        min_track: tracks seen on fewer frames are left out.

    Raises:
        OutputError: the classes have no ids of the kind asked for.
    """
    from dffcli.formats.account import Account
    from dffcli.formats.fit import Fitter
    from dffcli.formats.target import Target

    form = formats()[name]
    if account is None:
        sequence = _with_names(sequence)
    fitter = Fitter(
        form.holds,
        sequence,
        name=name,
        account=Account() if account is None else account,
        first_category_id=options.first_category_id,
        is_run=account is None,
    )
    is_file = not is_folder(path, name)
    return form.writer()(Target(path, name, is_file, form.pictures, fitter.sequence, options, fitter, min_track))
