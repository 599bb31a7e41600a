"""What a command says and shows while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from dffcli.option import Option, option
from dffcli.run.config import LOOK

QUIET = Option("No progress, no summary.", flags=("--quiet", "-q"), panel=LOOK)


@dataclass(frozen=True, slots=True)
class Screen:
    """What a run says and shows.

    Attributes:
        show: every frame in a window.
        quiet: nothing but errors.
    """

    show: bool = option(False, help="Show the frames in a window too (needs opencv-python); q closes it.", panel=LOOK)
    quiet: bool = option(False, QUIET)
