"""Feed broken weights files to everything that reads them: `python tests/fuzz/fuzz_weights.py [SECONDS] [SEED]`.

As `fuzz_readers.py` does with annotations: a reader may succeed or end in one line; for a file of some kilobytes it
may take neither five seconds nor a gigabyte.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from dffcli.errors import DFFError
from dffcli.files.network_file import load_network, write_tensors
from dffcli.flow.light_file import load_light_flow
from dffcli.models.paper.checkpoints import read_parameters, trained_facts
from dffcli.models.weights.checkpoints import open_checkpoint, read_checkpoint
from dffcli.models.weights.class_names import names_in_file
from dffcli.models.weights.inventory import verify_file
from dffcli.models.weights.recognise import recognise
from tests.fuzz.fuzz_readers import bent
from tests.models.paper.mxnet_writer import write_params

SECONDS = 20.0
SLOW_SECONDS, MOST_MEGABYTES = 5.0, 1000
READERS: tuple[Callable[[Path], object], ...] = (
    read_checkpoint,
    open_checkpoint,
    read_parameters,
    trained_facts,
    recognise,
    verify_file,
    load_light_flow,
    lambda path: load_network(path, kinds=("street-seg",)),
)
NAMES = (names_in_file,)


def sound_files(folder: Path) -> dict[Path, tuple[Callable[[Path], object], ...]]:
    """One file of every kind, and who reads it."""
    tensors = {"a.weight": torch.ones(3, 4), "a.bias": torch.zeros(3), "b": torch.arange(5)}
    listed = [{"id": 0, "name": "car", "color": [1, 2, 3]}]
    description = json.dumps({"categories": listed, "width": 8})
    write_tensors(folder / "a.safetensors", tensors, metadata={"kind": "street-seg", "description": description})
    torch.save(tensors, folder / "b.pth")
    torch.save({"state_dict": tensors, "epoch": 3, "names": ["car", "bus"]}, folder / "c.pt")
    torch.save(tensors, folder / "d.pth", _use_new_zipfile_serialization=False)
    write_params(
        folder / "e.params", [(f"arg:{name}", value.numpy()) for name, value in tensors.items()], count=3, version="v1"
    )
    (folder / "f.json").write_text(json.dumps({"names": {"0": "car", "1": "bus"}}))
    (folder / "g.yaml").write_text("names:\n  0: car\n  1: bus\n")
    (folder / "h.txt").write_text("car\nbus\n")
    return {path: NAMES if path.suffix in (".json", ".yaml", ".txt") else READERS for path in sorted(folder.iterdir())}


def problem_of(read: Callable[[Path], object], path: Path) -> str | None:
    """What is wrong with how it ended, if anything."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(path)
    except DFFError as error:
        if "\n" in str(error):
            return f"more than one line: {error}"
    except Exception as error:
        return repr(error)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if grown > MOST_MEGABYTES:
        return f"took {grown:.0f} MB"
    return "slow" if time.monotonic() - started > SLOW_SECONDS else None


def fuzz(seconds: float, seed: int, keep: Path) -> tuple[int, list[str]]:
    """Bend and read until the time is up.

    Returns:
        How many files were read, and what went wrong.
    """
    chance = random.Random(seed)
    tried, problems = 0, list[str]()
    with TemporaryDirectory() as name:
        files = sound_files(Path(name))
        contents = {path: path.read_bytes() for path in files}
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            path = chance.choice(list(files))
            path.write_bytes(bent(contents[path], list(contents.values()), chance))
            for read in files[path]:
                tried += 1
                problem = problem_of(read, path)
                if problem is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    kept = keep / f"{len(problems)}-{path.name}"
                    kept.write_bytes(path.read_bytes())
                    problems.append(f"{kept.name}: {problem[:300]}")
                    print(problems[-1])
            path.write_bytes(contents[path])
    return tried, problems


def main() -> int:
    """Run from the command line."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    tried, problems = fuzz(seconds, seed, Path("runs") / "fuzz")
    print(f"{tried} readings, {len(problems)} broke a reader")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
