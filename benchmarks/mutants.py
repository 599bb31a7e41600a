"""How many small faults the tests of a room notice: Cosmic Ray's mutants, a sample of each file, against its own tests.

A mutant is the file with one operator, number, comparison or condition changed. Each runs in a fork of one process that
has loaded the libraries already, so a mutant costs what its tests cost. Mutants of annotations alone are not made. One
that no test notices is named; some of those change nothing that can be seen.

    python benchmarks/mutants.py --sample 30 blend warp
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.util
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from common import save, table

ROOT = Path(__file__).parents[1]
TIMEOUT = 240  # seconds; a mutant that runs on is noticed
ROOMS = {
    "blend": ("core.blend", ("core/test_blend.py",)),
    "engine": ("core.engine", ("core/test_engine.py", "core/test_rendered_scene.py")),
    "warp": ("core.warp", ("core/test_warp.py",)),
    "carry": ("core.carry", ("core/test_carry.py",)),
    "objects": ("core.objects", ("core/test_objects.py",)),
    "tracking": ("run.tracking", ("run/test_tracking.py",)),
    "track_window": ("run.track_window", ("run/test_track_window.py",)),
    "schedule": ("core.schedule", ("core/test_schedule.py", "core/test_drift.py")),
    "agreement": ("core.agreement", ("core/test_agreement.py",)),
    "clock": ("video.clock", ("video/test_clock.py",)),
}
OPERATORS = (
    "AddNot",
    "NumberReplacer",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ZeroIterationForLoop",
    *(f"ReplaceBinaryOperator_{change}" for change in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul")),
    *(f"ReplaceBinaryOperator_{change}" for change in ("Mod_Mul", "FloorDiv_Mul", "BitAnd_BitOr")),
    *(f"ReplaceComparisonOperator_{change}" for change in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt")),
    *(f"ReplaceComparisonOperator_{change}" for change in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one thing changed."""

    line: int
    operator: str
    before: str
    after: str
    code: str


def mutants(code: str) -> Iterator[Mutant]:
    """All that differ from the code in what it does."""
    lines, plain = code.splitlines(), executable(code)
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")()
        occurrence = 0
        while (changed := mutate_code(code, operator, occurrence)) is not None:
            occurrence += 1
            with contextlib.suppress(SyntaxError):
                if executable(changed) == plain:
                    continue
                pairs = enumerate(zip(lines, changed.splitlines(), strict=False))
                line, (before, after) = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
                yield Mutant(line + 1, name, before.strip(), after.strip(), changed)


def executable(code: str) -> str:
    """The program without its annotations."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                setattr(node, name, ast.Constant(None))
    return ast.dump(tree)


class Swapped(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from another text."""

    def __init__(self, name: str, path: Path, code: str) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._code, str(self._path), "exec"), module.__dict__)


def is_noticed(name: str, path: Path, code: str, tests: Sequence[str]) -> bool:
    """Whether the tests fail, end the process, or do not end at all."""
    child = os.fork()
    if child == 0:
        import pytest

        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        sys.meta_path.insert(0, Swapped(name, path, code))
        arguments = ["-x", "-q", "-p", "no:cacheprovider"]
        os._exit(int(pytest.main([*arguments, *(str(ROOT / "tests" / test) for test in tests)])))
    began = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        if time.monotonic() - began > TIMEOUT:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return True
        time.sleep(0.05)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("rooms", nargs="*", default=list(ROOMS), metavar="ROOM", help=", ".join(ROOMS))
    arguments.add_argument("--sample", type=int, default=30, help="mutants of each room at most")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    import cv2  # noqa: F401  # once, for all forks
    import numpy  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize  # noqa: F401
    import torch

    torch.set_num_threads(1)
    rows, left = [], []
    for room in options.rooms:
        module, tests = ROOMS[room]
        path = ROOT / "src" / "dffcli" / f"{module.replace('.', '/')}.py"
        code = path.read_text()
        if is_noticed(f"dffcli.{module}", path, code, tests):
            raise SystemExit(f"{room}: its tests fail as it is")
        every = list(mutants(code))
        chosen = random.Random(options.seed).sample(every, min(options.sample, len(every)))
        survived = []
        for number, one in enumerate(chosen, 1):
            noticed = is_noticed(f"dffcli.{module}", path, one.code, tests)
            print(f"{room} {number}/{len(chosen)}: line {one.line} {'' if noticed else 'NOT '}noticed", flush=True)
            survived += [] if noticed else [one]
        rows.append([room, len(every), len(chosen), f"{100 - 100 * len(survived) / len(chosen):.0f} %"])
        left += [f"- {path.name}:{one.line} `{one.before}` as `{one.after}`" for one in survived]
        print(rows[-1], *left[len(left) - len(survived) :], sep="\n", flush=True)
    text = table(["room", "mutants", "tried", "noticed"], rows) + "\n\nNot noticed:\n\n" + "\n".join(left)
    save("mutants", title="Faults that the tests notice", text=text, command="benchmarks/mutants.py")


if __name__ == "__main__":
    main()
