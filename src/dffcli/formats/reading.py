"""What all readers of annotation files share: they are given strangers' files and end in one clear line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from dffcli.categories import Category, bright_color
from dffcli.core.types import Detections, SourceInfo, Task
from dffcli.errors import DataError
from dffcli.formats.record import DEFAULT_RATE, FrameRecord, Sequence
from dffcli.formats.sink import RunFacts
from dffcli.video.source import MAX_PIXELS

MAX_FRAMES = 2_000_000  # 18 hours at 30 a second; more is a broken number
MAX_SIDE = 1e6  # of a coordinate in pixels; more is a broken number


@dataclass(frozen=True, slots=True)
class Given:
    """What a user says of annotations whose file does not.

    Attributes:
        size: `(height, width)` of the picture.
        rate: frames per second.
    """

    size: tuple[int, int] | None = None
    rate: Fraction | None = None


@dataclass(frozen=True, slots=True)
class ReadBox:
    """One object on one frame, as read."""

    category_id: int
    box: tuple[float, float, float, float]
    score: float = 1.0
    track: int | None = None
    mask: NDArray[np.bool_] | None = None


@dataclass(slots=True)
class Labels:
    """Ids for classes that a file names by words alone, given in the order in which they appear, from 1."""

    ids: dict[str, int] = field(default_factory=dict)

    def id_of(self, name: str) -> int:
        """The id of a class."""
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
        raise DataError(f"{path}: expected an entry {error} that is not there") from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deep to be annotations") from error
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, ParseError) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: not what was expected of this format ({said})") from error


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: it is not JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file ({' '.join(str(error).split())[:200]})") from error


def whole(value: Any, *, what: str, least: int = 0, most: int = MAX_FRAMES) -> int:
    """An integer within bounds.

    Raises:
        ValueError: it is none.
    """
    number = int(value)
    if isinstance(value, float) and value != number:
        raise ValueError(f"{what}: expected a whole number, got {value}")
    if not least <= number <= most:
        raise ValueError(f"{what}: expected {least} to {most}, got {number}")
    return number


def real(value: Any, *, what: str, most: float = MAX_SIDE) -> float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    number = float(value)
    if not math.isfinite(number) or abs(number) > most:
        raise ValueError(f"{what}: expected a number up to {most:g}, got {value}")
    return number


def picture_size(height: Any, width: Any) -> tuple[int, int]:
    """`(height, width)`, checked.

    Raises:
        ValueError: no picture has it.
    """
    size = whole(height, what="height", least=1), whole(width, what="width", least=1)
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"expected at most {MAX_PIXELS} pixels, got {size[1]} x {size[0]}")
    return size


def detections(objects: Iterable[ReadBox]) -> Detections:
    """Objects of one frame as columns, in the order given."""
    rows = list(objects)
    has_masks = bool(rows) and all(row.mask is not None for row in rows)
    has_tracks = bool(rows) and all(row.track is not None for row in rows)
    return Detections(
        np.array([row.box for row in rows], np.float32).reshape(-1, 4),
        np.array([row.score for row in rows], np.float32),
        np.array([row.category_id for row in rows], np.int64),
        np.stack([row.mask for row in rows if row.mask is not None]) if has_masks else None,
        np.array([row.track for row in rows], np.int64) if has_tracks else None,
    )


def sequence_read(
    name: str,
    size: tuple[int, int],
    task: Task,
    categories: tuple[Category, ...],
    *,
    rate: Fraction | None,
    run: RunFacts | None = None,
) -> Sequence:
    """The sequence a file describes.

    Args:
        name: of the video.
        size: of its picture.
        task: what the frames carry.
        categories: what can be named.
        rate: frames per second, where known.
        run: where the annotations come from, where the file says so.

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
    info = SourceInfo(name=name, size=size, time_base=1 / (rate or DEFAULT_RATE), average_rate=rate)
    return Sequence(info, task, categories, run)


def run_facts_of(info: Any) -> RunFacts | None:
    """Where annotations come from, if dff wrote them."""
    if not isinstance(info, dict) or info.get("tool") != "dff" or "model" not in info:
        return None
    settings = info.get("settings")
    return RunFacts(
        str(info["model"]),
        str(info.get("weights", "unknown")),
        bool(info.get("random_weights", False)),
        settings if isinstance(settings, dict) else {},
    )


def empty_record(index: int, sequence: Sequence) -> FrameRecord:
    """A frame on which there is nothing."""
    return FrameRecord(index, sequence.info.size, index / sequence.rate, detections(()))
