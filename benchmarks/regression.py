"""The same commands on two commits: what they write is compared file by file, videos frame by frame.

`python benchmarks/regression.py --old CHECKOUT_OF_ANOTHER_COMMIT` runs twelve commands with that tree's code and with
this one's, on one small clip. Words that were renamed since are brought to today's; where a change was meant, the case
says so, and is told apart from one that was not. Exit code 1 if something differs that was not meant to.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from common import save, table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.make_clip import make_clip

CODE = "import sys; from dffcli.cli import main; sys.exit(main())"
FRAMES = 24
SSD = ("--model", "ssdlite320_mobilenet_v3_large", "--weights", "random", "--score-threshold", "0")
SEG = ("--model", "street-seg")
RENAMED = {
    "first frame": "first",
    "fixed interval": "interval",
    "longest interval reached": "longest-interval",
    "as far as results carry": "drift",
    "warped key suddenly matches worse": "sudden-change",
    "scene cut": "scene-cut",
    "frame after a decoding error": "after-decoding-error",
    "picture size changed": "size-changed",
}
"""Reasons for key frames as they were written, and as they are."""

ADDED = ": is new"  # ends the line of what is only there now, which is no difference in what was there
VERSIONED = ("dff_version", "version", "date_created", "generator", "weights", "model_weights")
"""Facts of a file that name the commit or its weights."""


@dataclass(frozen=True)
class Case:
    """One command.

    Attributes:
        name: of the case.
        command: its arguments; `{weights}` stands for the old commit's weights.
        outputs: what it writes, into the current folder.
        meant: why it differs, if it is meant to.
        killed: it is killed once it has begun, and resumed.
    """

    name: str
    command: tuple[str, ...]
    outputs: tuple[str, ...]
    meant: str = ""
    killed: bool = False


def arguments(command: str, *more: str, outputs: tuple[str, ...] = ()) -> tuple[str, ...]:
    return (command, "clip.mp4", *more, *(part for output in outputs for part in ("-o", output)), "-q")


CASES = (
    Case(
        "segment",
        arguments("segment", *SEG, "{weights}", "--key-interval", "5", outputs=("o.mp4", "o.json", "masks")),
        ("o.mp4", "o.json", "masks"),
    ),
    Case(
        "segment, causal, a part, some classes",
        arguments(
            "segment", *SEG, "{weights}", "--key-interval", "4", "--causal", "--classes", "road,sky", "--start", "0.5",
            "--end", "1.5", outputs=("o.json",),
        ),
        ("o.json",),
        meant="frames of a part keep their numbers in the source",
    ),
    Case(
        "segment, every frame",
        arguments("segment", *SEG, "{weights}", "--key-interval", "1", "--flow", "none", outputs=("o.json",)),
        ("o.json",),
    ),
    Case(
        "segment, adaptive",
        arguments("segment", *SEG, "{weights}", outputs=("o.json",)),
        ("o.json",),
        meant="the adaptive schedule aims at an agreement now",
    ),
    Case("detect, every frame", arguments("detect", *SSD, "--key-interval", "1", outputs=("o.mp4", "o.json")),
         ("o.mp4", "o.json")),
    Case(
        "detect, every fifth",
        arguments("detect", *SSD, "--key-interval", "5", outputs=("o.json",)),
        ("o.json",),
        meant="boxes travel as objects now",
    ),
    Case(
        "track",
        arguments("detect", *SSD, "--key-interval", "1", "--track", outputs=("o.txt", "o.cocovid.json")),
        ("o.txt", "o.cocovid.json"),
        meant="MOT's boxes are written as they stand now; identities are kept longer",
    ),
    Case(
        "masks",
        arguments("segment", *SEG, "{weights}", "--key-interval", "5", "--mask-ids", "voc", outputs=("masks",)),
        ("masks",),
    ),
    Case(
        "all formats",
        arguments(
            "detect", *SSD, "--key-interval", "1",
            outputs=("o.json", "o.results.json", "o.cocovid.json", "o.label-studio.json", "o.xml", "o.txt"),
        ),
        ("o.json", "o.results.json", "o.cocovid.json", "o.label-studio.json", "o.xml", "o.txt"),
        meant="MOT's boxes are written as they stand and without a class, CVAT's header is padded wider; CocoVID gives "
        "instance ids to what is tracked alone",
    ),
    Case(
        "resume",
        arguments("segment", *SEG, "{weights}", "--key-interval", "3", outputs=("o.json", "o.mp4")),
        ("o.json", "o.mp4"),
        killed=True,
    ),
    Case(
        "folder",
        ("segment", "pictures", *SEG, "{weights}", "--key-interval", "5", "-o", "o.json", "-q"),
        ("o.json",),
    ),
    Case(
        "bench",
        ("bench", "clip.mp4", "--models", "street-seg", "{weights}", "--intervals", "1,4", "--frames", "12",
         "--network-only", "--no-memory", "-o", "bench", "-q"),
        ("bench/bench.json",),
    ),
    Case(
        "eval",
        ("eval", "segment", "folder:pictures:truth,video=yes", "{weights}", "--intervals", "1,4",
         "--json", "eval.json"),
        ("eval.json",),
    ),
)  # fmt: skip


def prepare(folder: Path) -> None:
    """What the commands read."""
    make_clip(str(folder / "clip.mp4"), frames=FRAMES)
    (folder / "pictures").mkdir()
    (folder / "truth").mkdir()
    with av.open(str(folder / "clip.mp4")) as container:
        for index, frame in enumerate(container.decode(video=0)):
            picture = frame.to_ndarray(format="bgr24")
            cv2.imwrite(str(folder / "pictures" / f"{index:03d}.png"), picture)
            cv2.imwrite(str(folder / "truth" / f"{index:03d}.png"), (picture[..., 0] % 11).astype(np.uint8))


def run(case: Case, tree: Path, folder: Path, *, weights: Path) -> str:
    """Run a case with a tree's code; gives the last line it said if it failed."""
    folder.mkdir()
    prepare(folder)
    parts: list[str] = []
    for part in case.command:
        parts += ["--weights", str(weights)] if part == "{weights}" else [part]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    if case.killed:
        killed(parts, folder, environment)
        parts.append("--resume")
    done = subprocess.run(
        [sys.executable, "-c", CODE, *parts], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def killed(parts: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Begin a run and kill it when its journal holds something."""
    with subprocess.Popen([sys.executable, "-c", CODE, *parts], cwd=folder, env=environment) as process:
        while process.poll() is None and not any(path.stat().st_size for path in folder.glob(".*dff-resume")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)


def differences(one: Path, other: Path) -> Iterator[str]:
    """In what two outputs differ, in words; nothing where they are the same."""
    if not one.exists() or not other.exists():
        yield f"{one.name}: missing in {'both' if not one.exists() and not other.exists() else 'one'}"
    elif one.is_dir():
        names = {path.name for folder in (one, other) for path in folder.iterdir()}
        for name in sorted(name for name in names if not name.startswith(".")):  # hidden ones are marks of our own
            yield from differences(one / name, other / name)
    elif one.suffix == ".json":
        yield from (f"{one.name}{place}" for place in json_differences(read(one), read(other)))
    elif one.suffix == ".mp4":
        yield from video_differences(one, other)
    elif one.suffix == ".csv":
        rows = [[today(row) for row in csv.DictReader(path.open(newline=""))] for path in (one, other)]
        yield from (f"{one.name}{place}" for place in json_differences(*rows))
    elif one.read_bytes() != other.read_bytes():
        yield f"{one.name}: {first_line(one, other)}"


def read(path: Path) -> Any:
    """A JSON file in today's words; of a comparison only what does not depend on the clock."""
    content = json.loads(path.read_text())
    if path.name == "bench.json":
        return {
            f"{variant.get('interval')} {variant.get('flow')}": [variant["agreement"], variant["key_share"]]
            for variant in content["variants"]
        }
    return today(content)


def today(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: today(part) for key, part in value.items() if key not in VERSIONED}
    if isinstance(value, list):
        return [today(part) for part in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


def json_differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys(), key=str):
            if key not in one or key not in other:
                yield f"{place}.{key}{ADDED if key not in one else ': is gone'}"
            else:
                yield from json_differences(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from json_differences(first, second, f"{place}[{index}]")
    elif one != other:
        yield f"{place}: {short(one)} was, {short(other)} is"


def video_differences(one: Path, other: Path) -> Iterator[str]:
    pictures = []
    for path in (one, other):
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
            pictures.append([(frame.time, frame.to_ndarray(format="rgb24")) for frame in frames])
    if len(pictures[0]) != len(pictures[1]):
        yield f"{one.name}: {len(pictures[0])} frames were, {len(pictures[1])} are"
    for index, (first, second) in enumerate(zip(*pictures, strict=False)):
        if first[0] != second[0] or not np.array_equal(first[1], second[1]):
            yield f"{one.name}: frame {index}"


def first_line(one: Path, other: Path) -> str:
    lines = [path.read_bytes().splitlines() for path in (one, other)]
    for number, (first, second) in enumerate(zip(*lines, strict=False), start=1):
        if first != second:
            return f"line {number}: {short(first)} was, {short(second)} is"
    return f"{len(lines[0])} lines were, {len(lines[1])} are"


def short(value: Any, *, most: int = 60) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}..."


def compare(case: Case, old: Path, folder: Path) -> tuple[list[str], bool]:
    """A row of the table, and whether something differs that was not meant to."""
    trees = {"old": old, "new": Path(__file__).parents[1]}
    failed = [
        f"{name} failed: {said}"
        for name, tree in trees.items()
        if (said := run(case, tree, folder / name, weights=old / "weights" / "street-seg.safetensors"))
    ]
    found = failed or [
        line for output in case.outputs for line in differences(folder / "old" / output, folder / "new" / output)
    ]
    added = sorted({line.split(":")[0].rsplit(".", 1)[-1] for line in found if line.endswith(ADDED)})
    found = [line for line in found if not line.endswith(ADDED)]
    by_output = [
        (output, [line for line in found if line.startswith(output.split("/")[-1])]) for output in case.outputs
    ]
    parts = [f"{output}: {len(lines)} differences, first {lines[0]}" for output, lines in by_output if lines]
    verdict = "; ".join(parts or found[:3]) or "the same"
    verdict += f"; added: {', '.join(added)}" if added else ""
    wrong = bool(failed) or (bool(found) and not case.meant)
    return [case.name, ", ".join(case.outputs), verdict, case.meant if found else ""], wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, required=True, help="checkout of the commit to compare with")
    parser.add_argument("--only", help="a piece of the names of the cases to run")
    options = parser.parse_args()
    rows, wrong = [], False
    pick: Callable[[Case], bool] = lambda case: options.only is None or options.only in case.name  # noqa: E731
    for number, case in enumerate(filter(pick, CASES)):
        with tempfile.TemporaryDirectory() as folder:
            row, is_wrong = compare(case, options.old.resolve(), Path(folder))
        print(f"{number + 1}: {' | '.join(row)}", flush=True)
        rows.append(row)
        wrong |= is_wrong
    if options.only is None:
        text = table(["command", "writes", "old against new", "meant"], rows)
        save("regression", title="The same commands on two commits", text=text, command="benchmarks/regression.py")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
