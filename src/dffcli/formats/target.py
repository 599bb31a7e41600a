"""One output in the making, as its format's writer is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dffcli.files.atomic import atomic_path, writing
from dffcli.formats.fit import Fitter
from dffcli.formats.record import Sequence
from dffcli.formats.sink import OutputOptions


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written, and where.

    Attributes:
        path: the output's final name.
        format: the name of its format, as `formats()` lists it.
        is_file: it is one file, where the format can also be a folder.
        pictures: the folder within it for pictures; empty where it has none.
        sequence: what is annotated.
        options: how it is written.
        fitter: brings every frame into what the format holds.
        min_track: tracks seen on fewer frames are left out; those of a run are left out before they come here.
        notes: what a user should know of how it was written.
    """

    path: str
    format: str
    is_file: bool
    pictures: str
    sequence: Sequence
    options: OutputOptions
    fitter: Fitter
    min_track: int = 1
    notes: list[str] = field(default_factory=list)

    def write_beside(self, ending: str, text: str) -> None:
        """Write what another tool needs to take the output in: `boxes.labels.json` beside `boxes.xml`.

        It is a help, and no output: what is there already is replaced only if that was asked for.

        Args:
            ending: what stands in the place of the output's own.
            text: its content.

        Raises:
            OutputError: it cannot be written.
        """
        place = Path(self.path).with_suffix(ending)
        with writing(place):
            if place.exists():
                if place.is_file() and place.read_bytes() == text.encode():
                    return
                if not self.options.overwrite:
                    self.notes.append(f"{place} exists and is kept; it may not fit {Path(self.path).name}")
                    return
            with atomic_path(place, overwrite=self.options.overwrite) as part:
                part.write_text(text, encoding="utf-8")
