"""What all readers of annotation files share: they are given strangers' files and end in one clear line."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from collections.abc import Sequence as Rows
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException

from dffcli.categories import Category, bright_color
from dffcli.core.types import SourceInfo, Task
from dffcli.errors import DataError
from dffcli.formats.account import Account
from dffcli.formats.numbers import MAX_FRAMES, printable
from dffcli.formats.record import DEFAULT_RATE, FrameRecord, Sequence
from dffcli.formats.sink import RunFacts


@dataclass(frozen=True, slots=True)
class Given:
    """What a user says of annotations whose file does not.

    Attributes:
        size: `(height, width)` of the picture.
        rate: frames per second.
        video: which of several videos is meant, by its name.
        images: the folder that names of pictures are relative to.
        names: of the classes, in their order, where labels have them as numbers.
    """

    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    video: str | None = None
    images: Path | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a reader takes upon itself; more is refused in one line.

    Attributes:
        text_bytes: size of one text, JSON or XML file.
        frames: frames of a video.
        objects: objects on all frames, those between the frames a file names included.
        files: files in a folder.
        seconds: time for reading before the first frame.
    """

    text_bytes: int = 512 << 20
    frames: int = MAX_FRAMES
    objects: int = 5_000_000
    files: int = 1_000_000
    seconds: float = 300.0

    def times(self, factor: float) -> Budget:
        """The same with every limit raised."""
        return Budget(
            int(self.text_bytes * factor),
            int(self.frames * factor),
            int(self.objects * factor),
            int(self.files * factor),
            self.seconds * factor,
        )


@dataclass(frozen=True, slots=True)
class Annotated:
    """The annotations of one video, or of one folder of stills.

    Attributes:
        sequence: what is annotated.
        records: its frames in order; gone over once.
    """

    sequence: Sequence
    records: Iterator[FrameRecord]


class Reading:
    """One file or folder that is being read."""

    def __init__(
        self, path: Path, given: Given | None = None, *, account: Account | None = None, budget: Budget | None = None
    ) -> None:
        """Begin.

        Args:
            path: the file or folder.
            given: what the user says of it.
            account: where losses are noted.
            budget: how much is read at most.
        """
        self.path = path
        self.given = given or Given()
        self.account = account or Account()
        self.budget = budget or Budget()
        self._json: Any = None
        self._until = time.monotonic() + self.budget.seconds

    def within(self, name: str) -> Reading:
        """The reading of a file within this folder."""
        return Reading(self.path / name, self.given, account=self.account, budget=self.budget)

    def check_time(self) -> None:
        """Give up after the budget's time.

        Raises:
            DataError: it is over.
        """
        if time.monotonic() > self._until:
            raise DataError(f"{self.path}: not understood within {self.budget.seconds:g} seconds (see --budget)")

    def check(self, what: str, count: int, most: int) -> None:
        """Refuse more than the budget allows.

        Raises:
            DataError: it is more.
        """
        if count > most:
            raise DataError(f"{self.path}: expected at most {most:,} {what}, found {count:,} (see --budget)")

    def check_file(self, path: Path | None = None) -> Path:
        """Make sure that a file is one, and not too long; a device or a pipe would never end.

        Raises:
            DataError: it is not.
            OSError: it is not there.
        """
        path = path or self.path
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: expected a file, found something else (a device, a pipe or a folder)")
        if status.st_size > self.budget.text_bytes:
            most = self.budget.text_bytes >> 20
            raise DataError(f"{path}: expected at most {most} MB of text, found {status.st_size >> 20} (see --budget)")
        return path

    def text(self, path: Path | None = None) -> str:
        """The content of a text file.

        Raises:
            DataError: it is no file, or too long.
            UnicodeError: it is not text.
        """
        return self.check_file(path).read_text(encoding="utf-8-sig")

    def json(self) -> Any:
        """The content of the JSON file, read once.

        Raises:
            DataError: it is not JSON.
        """
        if self._json is None:
            try:
                self._json = json.loads(self.text())
            except (ValueError, RecursionError) as error:
                raise DataError(f"{self.path}: not a JSON file ({' '.join(str(error).split())[:200]})") from error
        return self._json

    def choose(self, found: Rows[Annotated]) -> list[Annotated]:
        """The videos that are wanted, in the order of the file.

        Raises:
            DataError: there is none of that name.
        """
        if self.given.video is None:
            return list(found)
        wanted = self.given.video
        named = [item for item in found if wanted in (item.sequence.info.name, Path(item.sequence.info.name).stem)]
        if not named:
            raise DataError(f"{self.path}: expected a video named {wanted!r} among {known_videos(found)}")
        return named


def known_videos(found: Rows[Annotated]) -> str:
    """The names of videos, for people."""
    names = [repr(item.sequence.info.name) for item in found]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def inside(folder: Path, file: str) -> Path:
    """A file named in a table, which must not lead out of the folder.

    Raises:
        DataError: it does.
    """
    place = (folder / file).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise DataError(f"{folder}: its table names {printable(file)!r}, which lies elsewhere")
    return place


@dataclass(slots=True)
class Labels:
    """Ids for classes that a file names by words alone, given in the order in which they appear, from 1."""

    ids: dict[str, int] = field(default_factory=dict)

    def id_of(self, name: str) -> int:
        """The id of a class."""
        name = printable(name) or "object"
        return self.ids.setdefault(name, len(self.ids) + 1)

    def categories(self) -> tuple[Category, ...]:
        """All that were named."""
        return tuple(Category(number, name, bright_color(number)) for name, number in self.ids.items())


@contextmanager
def understanding(path: Path) -> Iterator[None]:
    """Turn whatever a broken file causes into one line about it.

    Raises:
        DataError: the block failed over what it read.
    """
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except KeyError as error:
        raise DataError(f"{path}: expected an entry {str(error)[:80]} that is not there") from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deep to be annotations") from error
    except MemoryError as error:
        raise DataError(f"{path}: takes more memory to read than there is") from error
    except DefusedXmlException as error:
        raise DataError(f"{path}: expected XML without a document type or entities") from error
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, ParseError) as error:
        said = printable(str(error))[:200]
        raise DataError(f"{path}: not what was expected of this format ({said})") from error


def sequence_read(
    name: str,
    size: tuple[int, int],
    task: Task,
    categories: tuple[Category, ...],
    *,
    rate: Fraction | None,
    run: RunFacts | None = None,
    attributes: tuple[str, ...] = (),
    frame_names: tuple[str, ...] = (),
    is_video: bool = True,
    is_size_known: bool = True,
) -> Sequence:
    """The sequence a file describes.

    Args:
        name: of the video.
        size: of its picture.
        task: what the frames carry.
        categories: what can be named.
        rate: frames per second, where known.
        run: where the annotations come from, where the file says so.
        attributes: names of the attributes that objects may bear.
        frame_names: names of all stills, where they are known.
        is_video: its frames follow on one another.
        is_size_known: the size is said somewhere, and not only taken from how far the boxes reach.

    Raises:
        ValueError: two categories have one id, or an id no label map can hold.
    """
    ids = [category.id for category in categories]
    if len(set(ids)) != len(ids):
        raise ValueError("expected every category to have its own id")
    if task is Task.SEGMENT and ids and not 0 <= min(ids) <= max(ids) < 255:
        raise ValueError(f"expected ids from 0 to 254 for a label map, got {min(ids)} to {max(ids)}")
    if rate is not None and not 0 < rate <= 100_000:
        raise ValueError(f"expected a rate above 0, got {rate}")
    name = printable(name) or "video"
    info = SourceInfo(name=name, size=size, time_base=1 / (rate or DEFAULT_RATE), average_rate=rate)
    return Sequence(info, task, categories, run, attributes, frame_names, is_video, is_size_known)


def run_facts_of(info: Any) -> RunFacts | None:
    """Where annotations come from, if dff wrote them."""
    if not isinstance(info, dict) or info.get("tool") != "dff" or "model" not in info:
        return None
    settings = info.get("settings")
    return RunFacts(
        printable(str(info["model"])),
        printable(str(info.get("weights", "unknown"))),
        bool(info.get("random_weights", False)),
        settings if isinstance(settings, dict) else {},
    )


def is_ours(info: Any) -> bool:
    """Whether dff wrote the file, in a run or by converting."""
    return isinstance(info, dict) and info.get("tool") == "dff"
