"""What every output is: a sink that takes results in order and whose file appears only when complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dffcli.errors import OutputError
from dffcli.types import FrameResult


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What an output says of the run that wrote it.

    Attributes:
        model: the network's name.
        weights: which weights it ran on, in words.
        is_random: they are random: the answers mean nothing, and every output says so.
        settings: the options that shaped the result.
    """

    model: str
    weights: str
    is_random: bool
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How outputs are written.

    Attributes:
        format: the format's name, where the file's name does not say.
        opacity: how strongly masks are painted, 0..1.
        crf: quality of an overlaid video, lower is better; None for the container's default.
        overwrite: replace outputs that exist.
    """

    format: str | None = None
    opacity: float = 0.5
    crf: int | None = None
    overwrite: bool = False


class Sink(Protocol):
    """One output: entered, given every result in frame order, and left; only then is there a file of its name."""

    def __enter__(self) -> Self:
        """Begin, under a temporary name."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the output; or, after an error, remove what was begun."""

    def write(self, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            OutputError: it cannot be written.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how it was written, once it is."""


def check_outputs(paths: tuple[str, ...], *, source: str, overwrite: bool) -> None:
    """Refuse, before anything runs, outputs that would replace what is there.

    Raises:
        OutputError: an output is named twice, is the input, or exists and may not be replaced.
    """
    seen: set[Path] = set()
    for path in paths:
        place = Path(path).resolve()
        if place in seen:
            raise OutputError(f"{path}: named twice as an output")
        seen.add(place)
        if Path(source).exists() and place == Path(source).resolve():
            raise OutputError(f"{path}: is the input; write somewhere else")
        is_taken = any(place.iterdir()) if place.is_dir() else place.exists()
        if is_taken and not overwrite:
            raise OutputError(f"{path}: exists; choose another name or add --overwrite")
