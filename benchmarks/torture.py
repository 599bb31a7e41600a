"""Kill dff everywhere, fill its disk, let it compete with itself: nothing may be lost, nothing half done.

    uv run python benchmarks/torture.py [--minutes 40] [--seed 0] [--save]

Four trials, each with its share of the time:

    calls       a kill at every system call that decides over a file, counted by the layer in `dffcli.files.system`
    kills       a kill at a random moment of detect, detect --track, segment, a folder of videos, saved corrections
    full disk   a disk that is full at 20 different places
    at once     10 runs on 3 outputs at the same time

After each, the old or the new output must be there, whole, beside whatever is not dff's; then the same command is run
to its end, and what it writes is held to the bytes of an undisturbed run. Ends with 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.common import save, table

from tests.make_clip import make_clip

PRELOAD = [
    "dffcli.run.runner",
    "dffcli.cli.annotate",
    "dffcli.models.coco_det.model",
    "dffcli.models.street.segmenter_model",
]
FRAMES = 12
KEYS = ["--key-interval", "3"]
DISK_BYTES = 4 << 20
PLACES = 20  # at which the disk is full
RUNS, OUTPUTS = 10, 3
COMMANDS = {
    "detect": ["detect", "clip.mp4", *KEYS, "-o", "out.json", "-o", "out.mp4"],
    "track": ["detect", "clip.mp4", "--track", *KEYS, "-o", "out.json", "-o", "out.xml"],
    "segment": ["segment", "clip.mp4", *KEYS, "-o", "out.json", "-o", "masks/"],
    "folder": ["detect", "videos", *KEYS, "-o", "out", "--format", "coco"],
}


@dataclass
class Outcome:
    """What a trial came to."""

    tried: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)

    def count(self, what: str, faults: list[str]) -> None:
        self.tried += 1
        self.survived += not faults
        for fault in faults:
            print(f"  LOST {what}: {fault}", flush=True)
            self.lost.append(f"{what}: {fault}")


def child(arguments: list[str], folder: str, kill_at: int | None, count: str | None) -> None:
    """One run of the command line; dies at its call of number `kill_at`, or counts its calls into a file."""
    os.chdir(folder)
    said = os.open("said.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    import torch

    torch.set_num_threads(1)
    from dffcli.cli import main
    from dffcli.files import system

    seen = 0

    def before(_call: str, _path: Path) -> None:
        nonlocal seen
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    system.before = before
    code = main(arguments)
    if count is not None:
        Path(count).write_text(str(seen))
    os._exit(code)


def correcting(folder: str, start: int) -> None:
    """Save one set of corrections after the other, until killed."""
    from dffcli.files.atomic import atomic_path

    for number in range(start, 1_000_000):
        with atomic_path(Path(folder) / "corrections.json", overwrite=True) as part:
            part.write_text(json.dumps({"number": number, "operations": ["x"] * 3000}))


class Machine:
    """Processes that can be started and killed, from a server that has everything imported."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)

    def start(self, *arguments: object, target: Callable[..., None] = child) -> multiprocessing.process.BaseProcess:
        process = self._context.Process(target=target, args=arguments)
        process.start()
        return process

    def run(self, arguments: list[str], folder: Path, *, kill_at: int | None = None, count: str | None = None) -> int:
        process = self.start(arguments, str(folder), kill_at, count)
        process.join()
        return process.exitcode or 0


def prepare(folder: Path, clip: Path) -> None:
    """What every run begins with: a clip, a folder of clips."""
    (folder / "videos").mkdir(parents=True)
    shutil.copy(clip, folder / "clip.mp4")
    for number in range(3):
        shutil.copy(clip, folder / "videos" / f"v{number}.mp4")


def outputs(folder: Path) -> dict[str, str]:
    """Everything with a final name, by digest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not any(part.startswith(".") for part in Path(name).parts) and name != "said.txt":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def hidden(folder: Path) -> list[str]:
    """What a run that is over must not leave."""
    return [str(path) for path in folder.rglob(".*") if path.name != ".dff-written"]


def said(folder: Path) -> str:
    text = (folder / "said.txt").read_text(errors="replace") if (folder / "said.txt").exists() else ""
    return " ".join(text.split())[-200:]


def finish(machine: Machine, arguments: list[str], folder: Path, wanted: dict[str, str], more: str) -> list[str]:
    """Run the same command to its end; how the result differs from that of an undisturbed run."""
    code = machine.run([*arguments, more, "-q"], folder)
    faults = [f"the run after it ended with {code}: {said(folder)}"] if code else []
    found = outputs(folder)
    faults += [
        f"{name} differs" for name in sorted(wanted.keys() | found.keys()) if wanted.get(name) != found.get(name)
    ]
    return faults + [f"left {name}" for name in hidden(folder)]


def trial_calls(machine: Machine, work: Path, clip: Path, chance: random.Random, until: float) -> Outcome:
    """A kill at every call, while outputs that exist are replaced and a folder has a letter in it."""
    outcome = Outcome()
    arguments = ["segment", "clip.mp4", "-o", "out.json", "-o", "out.mp4", "-o", "masks", "--overwrite"]
    old = work / "old"
    prepare(old, clip)
    machine.run([*arguments, "--key-interval", "4", "-q"], old)
    (old / "masks" / "letter.txt").write_text("dear")
    before = outputs(old)
    arguments += KEYS
    new = work / "new"
    shutil.copytree(old, new, symlinks=True)
    machine.run([*arguments, "-q"], new, count=str(work / "count"))
    wanted = outputs(new)
    calls = list(range(int((work / "count").read_text())))
    chance.shuffle(calls)
    for call in calls:
        if time.monotonic() > until:
            break
        folder = work / f"call-{call}"
        shutil.copytree(old, folder, symlinks=True)
        code = machine.run([*arguments, "-q"], folder, kill_at=call)
        faults = [] if code == -signal.SIGKILL else [f"was not killed but ended with {code}"]
        faults += mixed(outputs(folder), before, wanted)
        more = "--resume" if (folder / ".out.json.dff-resume").exists() else "-q"
        outcome.count(f"call {call}", faults + finish(machine, arguments, folder, wanted, more))
        shutil.rmtree(folder)
    return outcome


def mixed(found: dict[str, str], old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Names that hold neither the old nor the new content, or that are missing though both had them."""
    wrong = [
        f"{name} is neither old nor new"
        for name, digest in found.items()
        if digest not in (old.get(name), new.get(name))
    ]
    return wrong + [f"{name} is gone" for name in old.keys() & new.keys() if name not in found]


def trial_kills(machine: Machine, work: Path, clip: Path, chance: random.Random, until: float, *, most: int) -> Outcome:
    """Kills at random moments, one or two in a row, and then --resume."""
    outcome = Outcome()
    wanted: dict[str, dict[str, str]] = {}
    seconds: dict[str, float] = {}
    for name, arguments in COMMANDS.items():
        prepare(work / name, clip)
        started = time.monotonic()
        machine.run([*arguments, "-q"], work / name)
        seconds[name], wanted[name] = time.monotonic() - started, outputs(work / name)
    names = [*COMMANDS, "corrections"]
    for number in range(most):
        if time.monotonic() > until:
            break
        name = names[number % len(names)]
        folder = work / f"kill-{number}"
        if name == "corrections":
            outcome.count(f"kill {number} of corrections", kill_corrections(machine, folder, chance))
            continue
        prepare(folder, clip)
        faults: list[str] = []
        more: list[str] = []
        for _ in range(chance.choice((1, 1, 2))):
            process = machine.start([*COMMANDS[name], *more, "-q"], str(folder), None, None)
            process.join(chance.random() * seconds[name])
            process.kill()
            process.join()
            if process.exitcode == 0:  # it was faster than the kill
                seconds[name] *= 0.7
                break
            found = outputs(folder)
            faults += [f"{one} is half there" for one in found if found[one] != wanted[name].get(one)]
            more = ["--resume"]
        if process.exitcode != 0:
            faults += finish(machine, COMMANDS[name], folder, wanted[name], "--resume")
            outcome.count(f"kill {number} of {name}", faults)
        shutil.rmtree(folder)
    return outcome


def kill_corrections(machine: Machine, folder: Path, chance: random.Random) -> list[str]:
    """Kill what saves corrections, twenty times: they are always whole, and never older than before."""
    folder.mkdir()
    newest = 0
    for _ in range(20):
        process = machine.start(str(folder), newest + 1, target=correcting)
        until = time.monotonic() + 60
        while not (folder / "corrections.json").exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.join(0.2 * chance.random())
        process.kill()
        process.join()
        try:
            found = json.loads((folder / "corrections.json").read_text())
        except FileNotFoundError:
            continue
        except ValueError:
            return ["corrections.json is half there"]
        if found["number"] < newest or len(found["operations"]) != 3000:
            return [f"corrections.json went back from {newest} to {found['number']}"]
        newest = found["number"]
    return [] if newest else ["nothing was ever saved"]


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of its own.

    Raises:
        PermissionError: this machine does not let us mount one.
    """
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        raise PermissionError(mounted.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def trial_disk(machine: Machine, work: Path, clip: Path, chance: random.Random, until: float) -> Outcome:
    """The disk is full after more and more of what is written; then there is room again."""
    outcome = Outcome()
    arguments = [
        "segment",
        "clip.mp4",
        "-o",
        "disk/out.json",
        "-o",
        "disk/out.mp4",
        "-o",
        "disk/masks",
        "--overwrite",
        *KEYS,
    ]
    prepare(work / "whole", clip)
    (work / "whole" / "disk").mkdir()
    machine.run([*arguments, "-q"], work / "whole")
    wanted = outputs(work / "whole")
    needed = sum(path.stat().st_size for path in (work / "whole" / "disk").rglob("*")) + 60_000
    rooms = [needed * number // PLACES for number in range(PLACES)]
    chance.shuffle(rooms)
    for room in rooms:
        if time.monotonic() > until:
            break
        folder = work / f"room-{room}"
        prepare(folder, clip)
        with small_disk(folder / "disk") as disk:
            (disk / "out.json").write_text("old")
            used = DISK_BYTES - os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
            (disk / "filler").write_bytes(bytes(max(0, DISK_BYTES - used - room)))
            code = machine.run([*arguments, "-q"], folder)
            faults = [] if code in (0, 1) else [f"ended with {code}"]
            if code == 1:
                faults += [] if "no space left on device" in said(folder) else [f"said {said(folder)}"]
                faults += [] if (disk / "out.json").read_text() == "old" else ["out.json was replaced"]
                faults += [f"{name} is there" for name in ("out.mp4", "masks") if (disk / name).exists()]
            (disk / "filler").unlink()
            more = "--resume" if (disk / ".out.json.dff-resume").exists() else "-q"
            outcome.count(f"room for {room} bytes", faults + finish(machine, arguments, folder, wanted, more))
        shutil.rmtree(folder)
    return outcome


def trial_at_once(machine: Machine, work: Path, clip: Path, chance: random.Random, until: float) -> Outcome:
    """Ten runs on three outputs: each output is written by one of them, and all others are refused."""
    outcome = Outcome()
    arguments = ["segment", "clip.mp4", *KEYS]
    prepare(work / "whole", clip)
    machine.run([*arguments, "-o", "out0.json", "-q"], work / "whole")
    number = 0
    while number == 0 or time.monotonic() < until:
        number += 1
        shared = work / f"shared-{number}"
        prepare(shared, clip)
        processes, folders, targets = [], [], []
        for one in range(RUNS):
            folder = work / f"run-{number}-{one}"
            folder.mkdir()
            target = shared / f"out{chance.randrange(OUTPUTS)}.json"
            again = ["segment", str(shared / "clip.mp4"), *arguments[2:], "-o", str(target), "-q"]
            processes.append(machine.start(again, str(folder), None, None))
            folders.append(folder)
            targets.append(target)
        for process in processes:
            process.join()
        codes = [process.exitcode for process in processes]
        for target in dict.fromkeys(targets):
            mine = [place for place in range(RUNS) if targets[place] == target]
            winners = [place for place in mine if codes[place] == 0]
            faults = [] if len(winners) == 1 else [f"{len(winners)} runs say that they wrote it"]
            for place in mine:
                if codes[place] and not (
                    "another run is writing it" in said(folders[place]) or "exists" in said(folders[place])
                ):
                    faults.append(f"ended with {codes[place]}: {said(folders[place])}")
            right = target.is_file() and same_but_for_paths(target, work / "whole" / "out0.json")
            faults += [] if right else ["is not what an undisturbed run writes"]
            outcome.count(f"{target.name} of round {number}", faults)
        outcome.lost += [f"left {name}" for name in hidden(shared)]
    return outcome


def same_but_for_paths(one: Path, other: Path) -> bool:
    """Two COCO files say the same of the clip, which lies elsewhere."""
    keys = ("images", "annotations", "categories")
    first, second = (json.loads(path.read_text()) for path in (one, other))
    return all(first[key] == second[key] for key in keys)


TRIALS = {
    "a kill at every system call": (trial_calls, 0.35),
    "a kill at a random moment": (trial_kills, 0.40),
    "a full disk": (trial_disk, 0.20),
    "ten runs at once on three outputs": (trial_at_once, 0.05),
}


def torture(minutes: float, *, seed: int, most: int = 50) -> dict[str, Outcome]:
    """All trials, each within its share of the time."""
    machine, chance, found = Machine(), random.Random(seed), {}
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "clip.mp4"
        make_clip(str(clip), frames=FRAMES)
        for number, (title, (trial, share)) in enumerate(TRIALS.items()):
            work = Path(name) / f"{number}"
            work.mkdir()
            until = time.monotonic() + 60 * minutes * share
            print(title, flush=True)
            options = {"most": most} if trial is trial_kills else {}
            try:
                found[title] = trial(machine, work, clip, chance, until, **options)  # type: ignore[operator]
            except (PermissionError, FileNotFoundError) as error:
                print(f"  SKIPPED: {error}", flush=True)
                continue
            print(f"  {found[title].tried} tried, {found[title].survived} survived", flush=True)
            with suppress(OSError):
                shutil.rmtree(work)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = torture(asked.minutes, seed=asked.seed)
    rows = [[title, one.tried, one.survived, len(one.lost)] for title, one in found.items()]
    text = table(["trial", "tried", "survived", "lost"], rows)
    print(text)
    if asked.save:
        command = f"uv run python benchmarks/torture.py --minutes {asked.minutes:g} --seed {asked.seed} --save"
        save("torture", title="Kills, full disks and runs at once", text=text, command=command)
    return 1 if any(one.lost for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
