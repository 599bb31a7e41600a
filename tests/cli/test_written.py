"""Every option of every command that names a file: what it writes is never something that would be missed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from dffcli.cli import app, main
from tests.make_clip import make_clip

READS = {
    "segment": ("source", "weights", "class_names", "flow"),
    "detect": ("source", "weights", "class_names", "flow"),
    "convert": ("source", "corrections"),
    "review": ("result", "video"),
    "bench": ("source", "weights", "flows", "ground_truth"),
    "eval segment": ("source", "weights", "flow"),
    "eval detect": ("source", "weights", "flow"),
    "train segment": ("data", "validate", "init", "flow_init"),
    "train detect": ("data", "validate", "init", "flow", "flow_init"),
    "train flow": ("stills", "init"),
    "train rfcn": ("data", "validate", "init"),
    "train deeplab": ("data", "validate", "init"),
    "weights verify": ("what",),
    "weights import": ("files",),
    "clean": ("folder",),
}
"""What names something that is read, by command; `clean` removes from its folder what is dff's and dead."""

WRITES = {
    "segment": ("outputs", "report"),
    "detect": ("outputs", "report"),
    "convert": ("target", "report"),
    "review": ("page", "corrections"),
    "bench": ("output",),
    "eval segment": ("json_file",),
    "eval detect": ("json_file",),
    "train segment": ("run", "export"),
    "train detect": ("run", "export"),
    "train flow": ("run", "export"),
    "train rfcn": ("run", "export"),
    "train deeplab": ("run", "export"),
    "weights import": ("output",),
}
"""What names something that is written, by command: every one of these stands in CASES below."""

NAMES_NOTHING = frozenset((
    "adaptive", "as_json", "audio", "average_decay", "backbone_rate", "batch_size", "budget", "causal",
    "classes", "clip_norm", "crf", "crop", "device", "distill", "drop", "drop_lost", "dry_run", "end",
    "end_to_end", "every", "fill_gaps", "first_category_id", "format", "fps", "frames", "freeze", "input_size",
    "interval", "intervals", "is_browser_opened", "journals", "keep_clip", "key_interval", "keyframe_tolerance",
    "learning_rate", "long", "long_side", "map_classes", "mask_ids", "max_cost", "max_interval", "max_offset",
    "max_pixels", "media_url", "memory", "min_confidence", "min_track", "model", "models", "name",
    "network_only", "no_memory", "only_key_frames", "opacity", "optimizer", "overwrite", "pairs", "palette",
    "pasted", "pixels", "port", "precision", "quiet", "rate", "rate_schedule", "resume", "roll", "runtime",
    "save_frames", "schedule", "score_threshold", "seed", "short_side", "show", "size", "smooth",
    "source_format", "start", "steps", "stream", "strict", "take_back", "target_agreement", "task", "track",
    "validate_every", "video", "view_size", "warmup", "weather", "weight_decay",
))  # fmt: skip
"""Parameters that name no file."""


def commands(group: Any = None, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that there is, by its words."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        words = f"{above}{name}"
        if hasattr(command, "commands"):
            yield from commands(command, f"{words} ")
        else:
            yield words, command


def test_every_parameter_of_every_command_is_known_here() -> None:
    for words, command in commands():
        named = {parameter.name for parameter in command.params if parameter.name != "help"}
        files = {*READS.get(words, ()), *WRITES.get(words, ())}
        assert files <= named, words
        unknown = named - files - NAMES_NOTHING
        assert not unknown, f"{words}: say here whether these name files that are read or written: {sorted(unknown)}"


@dataclass(frozen=True)
class Case:
    """One option that writes.

    Attributes:
        command: and the option's name.
        arguments: with `{out}` for what is written and `{in}` for a file that is read.
        out: the name of what is written, and of what exists.
        inside: the file that exists lies in what is named.
    """

    command: str
    option: str
    arguments: tuple[str, ...]
    out: str
    inside: str = ""


WEIGHTS = ("--weights", "{weights}")
STILLS = ("--stills", "{stills}", "-q")
MODEL = ("--model", "dff-rfcn-resnet101")
SEGMENT = ("segment", "{clip}", "--weights", "{weights}", "-q")
DETECT = ("detect", "{clip}", "--weights", "{weights}", "-q")
TRAIN = ("--data", "{data}", "--steps", "1", "--init", "{weights}", "-q")

CASES = [
    Case("segment", "outputs", (*SEGMENT, "-o", "{out}"), "o.json"),
    Case("segment", "outputs", (*SEGMENT, "-o", "{out}"), "o.mp4"),
    Case("segment", "outputs", (*SEGMENT, "-o", "{out}"), "masks", inside="letter.txt"),
    Case("segment", "report", (*SEGMENT, "-o", "x.json", "--report", "{out}"), "r.json"),
    Case("detect", "outputs", (*DETECT, "-o", "{out}"), "o.json"),
    Case("detect", "report", (*DETECT, "-o", "x.json", "--report", "{out}"), "r.json"),
    Case("convert", "target", ("convert", "{boxes}", "{out}"), "o.xml"),
    Case("convert", "report", ("convert", "{boxes}", "x.xml", "--report", "{out}"), "r.json"),
    Case("review", "page", ("review", "{boxes}", "{clip}", "-o", "{out}"), "page.html"),
    Case("bench", "output", ("bench", "{clip}", "-o", "{out}", "--frames", "1"), "b", inside="bench.md"),
    Case("bench", "output", ("bench", "{clip}", "-o", "{out}", "--frames", "1"), "b", inside="stages.svg"),
    Case("eval segment", "json_file", ("eval", "segment", "{masks}", *WEIGHTS, "--json", "{out}"), "e.json"),
    Case("eval detect", "json_file", ("eval", "detect", "{boxes}", *WEIGHTS, "--json", "{out}"), "e.json"),
    Case("train segment", "run", ("train", "segment", "{out}", *TRAIN), "run", inside="log.jsonl"),
    Case("train segment", "run", ("train", "segment", "{out}", *TRAIN), "run", inside="network.safetensors"),
    Case("train segment", "export", ("train", "segment", "run", *TRAIN, "--export", "{out}"), "n.safetensors"),
    Case("train detect", "run", ("train", "detect", "{out}", *TRAIN), "run", inside="losses.png"),
    Case("train detect", "export", ("train", "detect", "run", *TRAIN, "--export", "{out}"), "n.safetensors"),
    Case("train flow", "run", ("train", "flow", "{out}", *STILLS), "run", inside="log.jsonl"),
    Case("train flow", "export", ("train", "flow", "run", *STILLS, "--export", "{out}"), "n.safetensors"),
    Case("train rfcn", "run", ("train", "rfcn", "{out}", *TRAIN), "run", inside="log.jsonl"),
    Case("train rfcn", "export", ("train", "rfcn", "run", *TRAIN, "--export", "{out}"), "n.safetensors"),
    Case("train deeplab", "run", ("train", "deeplab", "{out}", *TRAIN), "run", inside="log.jsonl"),
    Case("train deeplab", "export", ("train", "deeplab", "run", *TRAIN, "--export", "{out}"), "n.safetensors"),
    Case("weights import", "output", ("weights", "import", "{weights}", *MODEL, "-o", "{out}"), "n.safetensors"),
]

INPUTS = {
    "clip": "clip.mp4",
    "weights": "w.safetensors",
    "boxes": "boxes.json",
    "data": "folder:stills:stills",
    "masks": "folder:stills:stills",
    "stills": "stills",
}


BOXES = {
    "images": [{"id": 1, "file_name": "000000.jpg", "width": 128, "height": 96}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 1200, "iscrowd": 0}],
    "categories": [{"id": 1, "name": "car"}],
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(str(path), frames=2)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    (tmp_path / "clip.mp4").write_bytes(clip)
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    (tmp_path / "boxes.json").write_text(json.dumps(BOXES))
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills" / "a.png").write_bytes(b"picture")
    return tmp_path


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def refused(case: Case, out: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Run the command with that name for its output; what it said, having changed nothing."""
    before = everything(Path.cwd())
    arguments = [argument.format(out=out, **INPUTS) for argument in case.arguments]
    code = main([*arguments, *more])
    said = capsys.readouterr().err
    assert code == 1, said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert everything(Path.cwd()) == before
    return said


IDS = [f"{case.command} {case.option} {case.inside or case.out}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_what_exists_is_refused(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder / case.out / case.inside
    place.parent.mkdir(exist_ok=True)
    place.write_text("precious")
    assert "exists; choose another name or add --overwrite" in refused(case, case.out, capsys)


def takes_overwrite(case: Case) -> bool:
    [command] = [command for words, command in commands() if words == case.command]
    return "overwrite" in {parameter.name for parameter in command.params}


def names_of_input(case: Case, folder: Path) -> list[str]:
    """An input of the command by all its names, spelled as this output can be."""
    suffix = Path(case.out).suffix
    read = [folder / INPUTS[name] for name in ("clip", "weights", "boxes") if f"{{{name}}}" in case.arguments]
    source = next((path for path in read if path.suffix == suffix), read[0] if read else folder / "stills" / "a.png")
    hard, soft, inner = folder / f"hard{suffix}", folder / f"soft{suffix}", folder / "sub"
    soft.symlink_to(source)
    inner.mkdir()
    names = [soft.name, f"sub/../{soft.name}", str(soft)]
    if read:  # a second name of a picture of a folder keeps the picture
        hard.hardlink_to(source)
        names.append(hard.name)
    if source.suffix == suffix:
        names += [source.name, f"./{source.name}", source.stem.upper() + suffix, source.stem + suffix.upper()]
    return names


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if not case.inside],
    ids=[i for i, c in zip(IDS, CASES, strict=True) if not c.inside],
)
def test_an_input_is_refused_by_whatever_name_though_overwriting(
    case: Case, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--overwrite",) if takes_overwrite(case) else ()
    for name in names_of_input(case, folder):
        said = refused(case, name, capsys, *more)
        assert "input" in said, name


@pytest.mark.parametrize("command", ["segment", "detect"])
@pytest.mark.parametrize("name", ["x.json", "./x.json", "X.JSON", "x.json/r.json"])
def test_another_output_is_refused(command: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(command, "report", (command, "{clip}", "-o", "x.json", "--report", "{out}", "--overwrite"), "r.json")
    said = refused(case, name, capsys)
    assert "named twice" in said or "side by side" in said


def test_a_journal_that_is_none_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".o.json.dff-resume").write_text("a diary")
    case = CASES[0]
    assert "dff did not write it" in refused(case, "o.json", capsys, "--resume", "--weights", "random")
    assert "dff did not write it" in refused(case, "o.json", capsys, "--weights", "random")


def test_resuming_is_no_overwriting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".o.json.dff-resume").write_bytes(b'dff-resume {"a": 1}\n')
    (folder / "o.json").write_text("precious")
    assert "exists" in refused(CASES[0], "o.json", capsys, "--resume")


def test_every_option_that_writes_has_a_case() -> None:
    wanted = {(command, option) for command, options in WRITES.items() for option in options}
    assert wanted - {(case.command, case.option) for case in CASES} == {("review", "corrections")}  # tests/review


if os.name == "nt":
    pytest.skip("links need rights there", allow_module_level=True)
