"""The class names of a YOLO folder: classes.txt, obj.names, or the `names` of a YAML file.

A class is the number of its line, counted from 0: blank and repeated names keep their numbers. Of a YAML file nothing
is built but what is asked for, so that no depth and no reference in it does harm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dffcli.categories import Category, bright_color
from dffcli.errors import DataError
from dffcli.formats.numbers import printable, whole
from dffcli.formats.reading import Reading

MAX_YAML = 4 << 20  # bytes
MAX_DEPTH = 50
MAX_CLASSES = 1_000_000

_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
_WANTED = ("names", "kpt_shape", "path", "train", "val", "test")


def read_names(reading: Reading, folder: Path) -> tuple[tuple[Category, ...], dict[str, Any]]:
    """Categories, whose ids are the classes' numbers plus one, and what else a YAML file says.

    Args:
        reading: what is read.
        folder: where the names are looked for, then in the one above.

    Raises:
        DataError: there are none, or they cannot be read.
    """
    for place in (folder, folder.parent):
        yamls = sorted((*place.glob("*.yaml"), *place.glob("*.yml")), key=lambda path: (path.stem != "data", path.name))
        for path in yamls:
            found = read_yaml(reading, path)
            if "names" in found:
                return categories_of(reading, _numbered(found["names"], path)), found
        for name in (*_LISTS, *sorted(path.name for path in place.glob("*.names"))):
            if (place / name).is_file():
                lines = reading.text(place / name).splitlines()
                while lines and not lines[-1].strip():
                    lines.pop()
                return categories_of(reading, dict(enumerate(lines))), {}
    raise DataError(f"{folder}: expected classes.txt, obj.names or data.yaml with the labels, found none")


def categories_of(reading: Reading, names: dict[int, str]) -> tuple[Category, ...]:
    """Categories in the order of their numbers; one without a name is called by its number.

    Raises:
        ValueError: there are none.
    """
    if not names:
        raise ValueError("expected class names, found none")
    found = []
    for number, text in sorted(names.items()):
        name = printable(text)
        if not name:
            name = f"class {number}"
            reading.account.change("classes-without-a-name", "classes without a name, named by number", name)
        found.append(Category(number + 1, name, bright_color(number + 1)))
    return tuple(found)


def read_yaml(reading: Reading, path: Path) -> dict[str, Any]:
    """The entries of a YAML file that are wanted here: words, lists of words and tables of words.

    Raises:
        DataError: it is not YAML, too long or too deep.
    """
    if reading.check_file(path).stat().st_size > MAX_YAML:
        raise DataError(f"{path}: expected at most {MAX_YAML >> 20} MB of YAML")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = reading.text(path)
    try:
        events = _Events(reading, yaml.parse(text, Loader=loader), path)
        return events.document()
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not YAML ({printable(str(error))[:120]})") from error


class _Events:
    """Builds the wanted entries from a parser's events, one after the other, never deeper than two."""

    def __init__(self, reading: Reading, events: Any, path: Path) -> None:
        self._reading = reading
        self._events = events
        self._path = path

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingStartEvent):
                break
            if isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
                return {}
        else:
            return {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            if key is None:
                self._skip(event)
            value = self._value(next(self._events), wanted=key in _WANTED)
            if key in _WANTED:
                found[str(key)] = value
        return found

    def _value(self, event: Any, *, wanted: bool) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        if not wanted or isinstance(event, yaml.AliasEvent):
            self._skip(event)
            return None
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[str] = []
            for inner in self._events:
                if isinstance(inner, yaml.SequenceEndEvent):
                    return items
                items.append(self._word(inner))
        table = {}
        for inner in self._events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            table[self._word(inner)] = self._word(next(self._events))
        return table

    def _word(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            line = event.start_mark.line + 1
            raise DataError(f"{self._path}, line {line}: expected a word, found something deeper")
        return str(event.value)

    def _skip(self, event: Any) -> None:
        """Pass over a value, however deep."""
        depth = int(isinstance(event, yaml.CollectionStartEvent))
        while depth:
            event = next(self._events)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise DataError(f"{self._path}: nested too deep to be a data set's YAML")
            self._reading.check_time()


def _numbered(names: Any, path: Path) -> dict[int, str]:
    """Names by number, from a list or a table.

    Raises:
        DataError: it is neither.
    """
    if isinstance(names, list):
        return dict(enumerate(names))
    if isinstance(names, dict):
        return {whole(key, what="class", most=MAX_CLASSES): str(name) for key, name in names.items()}
    raise DataError(f"{path}: expected `names` to be a list or a table, found {str(names)[:40]!r}")
