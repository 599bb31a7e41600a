"""One output in the making, as its format's writer is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from dffcli.formats.fit import Fitter
from dffcli.formats.record import Sequence
from dffcli.formats.sink import OutputOptions


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written, and where.

    Attributes:
        path: the output's final name.
        format: the name of its format, as `FORMATS` lists it.
        is_file: it is one file, where the format can also be a folder.
        sequence: what is annotated.
        options: how it is written.
        fitter: brings every frame into what the format holds.
    """

    path: str
    format: str
    is_file: bool
    sequence: Sequence
    options: OutputOptions
    fitter: Fitter
