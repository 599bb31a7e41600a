"""Feed broken annotation files to the readers: `python tests/fuzz/fuzz_readers.py [SECONDS] [SEED]`.

Sound files are bent at random: bytes changed, pieces cut, doubled or swapped between files, numbers replaced by hostile
ones. A reader may succeed or end in one line (`DFFError`); anything else is a failure, and the file is kept.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

from dffcli.core.types import Task
from dffcli.errors import DFFError
from dffcli.formats.convert import read_annotations
from dffcli.formats.reading import Reading
from tests.formats.samples import box_records, map_records, sequence_of, write

SECONDS = 20.0
HOSTILE = (b"-1", b"0", b"1e999", b"NaN", b"null", b"99999999999999999999", b'"x"', b"[]", b"{}", b"1.5", b"true", b"")
SLOW_SECONDS = 5.0  # for files of a few kilobytes


def sound_files(folder: Path) -> list[Path]:
    """One file of every kind that can be read."""
    boxes, masks = sequence_of(Task.DETECT), sequence_of(Task.SEGMENT)
    files = [
        write(folder / "a.json", box_records(masks=True), boxes),
        write(folder / "b.json", map_records(), masks),
        write(folder / "c.cocovid.json", box_records(), boxes),
        write(folder / "d.youtube-vis.json", box_records(masks=True), boxes),
        write(folder / "e.label-studio.json", box_records(), boxes),
        write(folder / "f.xml", box_records(), boxes),
        write(folder / "g.xml", map_records(), masks),
        write(folder / "h.txt", box_records(), boxes),
    ]
    write(folder / "mot", box_records(), boxes, format="mot")
    write(folder / "yolo", box_records(), boxes, format="yolo-results")
    write(folder / "masks", map_records(2), masks)
    write(folder / "instances", box_records(masks=True), boxes)
    inner = [path for name in ("mot", "yolo", "masks", "instances") for path in sorted((folder / name).rglob("*.*"))]
    return files + [path for path in inner if path.is_file()]


def bent(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The same file with one to four faults."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 2, 8, 40, 400)))
        match chance.randrange(6):
            case 0:
                data = data[:start] + chance.randbytes(end - start) + data[end:]
            case 1:
                data = data[:start] + data[end:]
            case 2:
                data = data[:end] + data[start:end] + data[end:]
            case 3:
                other = chance.choice(others)
                place = chance.randrange(len(other) + 1)
                data = data[:start] + other[place : place + 60] + data[end:]
            case 4:
                data = data[:start]
            case _:
                numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
                if numbers:
                    found = chance.choice(numbers)
                    data = data[: found.start()] + chance.choice(HOSTILE) + data[found.end() :]
    return data


def read_all(path: Path) -> None:
    """Read a file or folder to its end."""
    for video in read_annotations(Reading(path))[1]:
        for number, _ in enumerate(video.records):
            if number > 1000:
                break  # a frame number was made enormous: reading on is slow, not wrong


def fuzz(seconds: float, seed: int, keep: Path) -> tuple[int, int, list[Path]]:
    """Bend and read until the time is up.

    Returns:
        Files read, how many of them were refused, and those that broke a reader.
    """
    chance = random.Random(seed)
    tried, refused, failures = 0, 0, list[Path]()
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = sound_files(folder)
        contents = {path: path.read_bytes() for path in files}
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            path = chance.choice(files)
            whole = path if path.parent == folder else folder / path.relative_to(folder).parts[0]
            path.write_bytes(bent(contents[path], list(contents.values()), chance))
            started = time.monotonic()
            try:
                read_all(whole)
                is_slow = time.monotonic() - started > SLOW_SECONDS
                problem = "slow" if is_slow else None
            except DFFError as error:
                refused += 1
                problem = "more than one line" if "\n" in str(error) else None
            except Exception as error:
                problem = repr(error)
            tried += 1
            if problem is not None:
                keep.mkdir(parents=True, exist_ok=True)
                failures.append(keep / f"{len(failures)}-{path.name}")
                shutil.copy(path, failures[-1])
                print(f"{path.relative_to(folder)}: {problem[:300]}")
            path.write_bytes(contents[path])
    return tried, refused, failures


def main() -> int:
    """Run from the command line."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    tried, refused, failures = fuzz(seconds, seed, Path("runs") / "fuzz")
    print(f"{tried} files read, {refused} refused in one line, {len(failures)} broke a reader")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
