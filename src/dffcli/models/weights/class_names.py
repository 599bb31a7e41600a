"""Names of the classes of somebody's own weights: from the user, from the checkpoint, or from a file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dffcli.categories import Category, bright_color
from dffcli.errors import WeightsError

ENTRIES = ("class_names", "classes", "names", "categories", "labels")
"""What checkpoints and data files call their list of classes."""
BACKGROUND = ("background", "__background__", "bg", "_background_")
MOST_NAMES = 10_000
LONGEST_NAME = 200  # characters
BESIDE_LIMIT = 200_000_000  # bytes of an annotation file that is looked into for its categories

Names = tuple[str, ...]


def names_in(content: object) -> Names:
    """The class names that a checkpoint or a data file keeps among its other things; none if there are none."""
    if not isinstance(content, Mapping):
        return ()
    for entry in ENTRIES:
        found = names_of(content.get(entry))
        if found:
            return found
    return next(
        (found for key in ("meta", "metadata", "hyper_parameters") if (found := names_in(content.get(key)))), ()
    )


def names_of(value: Any) -> Names:
    """Names in the order of their numbers, from a list of words, a table by number, or COCO's list of categories."""
    if isinstance(value, Mapping):
        try:
            value = [value[key] for key in sorted(value, key=int)]
        except (TypeError, ValueError):
            return ()
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_NAMES:
        return ()
    if all(isinstance(item, Mapping) and "name" in item for item in value):
        value = [item["name"] for item in sorted(value, key=lambda item: _number(item.get("id")))]
    if not all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in value):
        return ()
    return tuple(value)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def names_in_file(path: Path) -> Names:
    """Names from a text file (one a line), a YOLO `data.yaml`, or a COCO-style JSON file.

    Raises:
        WeightsError: it cannot be read, or holds none.
    """
    try:
        if path.stat().st_size > BESIDE_LIMIT:
            raise WeightsError(f"{path}: too large to be a list of class names")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read as a list of class names") from error
    found = _names_in_text(text, suffix=path.suffix.lower())
    if not found:
        raise WeightsError(f"{path}: expected class names (one a line, or a list), found none")
    return found


def _names_in_text(text: str, *, suffix: str) -> Names:
    if suffix == ".json":
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return ()
        return names_of(content) or names_in(content)
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            content = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            return ()
        return names_of(content) or names_in(content)
    return names_of([line.strip() for line in text.splitlines() if line.strip()])


def names_beside(path: Path) -> tuple[Names, Path | None]:
    """Names from the file that lies beside a checkpoint as training tools leave it, and that file."""
    places = [
        path.with_suffix(suffix) for suffix in (".names", ".txt", ".yaml", ".json")
    ] + [
        path.with_name(name)
        for name in ("classes.txt", "data.yaml", "classes.json", "annotations.json", "_annotations.coco.json")
    ]  # fmt: skip
    for place in places:
        if place.is_file():
            try:
                return names_in_file(place), place
            except WeightsError:
                continue  # a file of that name about something else
    return (), None


def named_categories(
    count: int, names: Names, *, has_background: bool, can_start_at_one: bool, source: str
) -> tuple[Category, ...]:
    """The categories of a network of so many outputs.

    Args:
        count: how many classes the last layer tells apart, background included.
        names: theirs, in order, with or without the background; numbers stand for them if empty.
        has_background: output 0 is the background and is never reported.
        can_start_at_one: output 0 may be one that was never trained, as where labels count from 1.
        source: for the message.

    Returns:
        Categories whose ids are the outputs' positions.

    Raises:
        WeightsError: there are more names or fewer than outputs.
    """
    if names and names[0].lower() in BACKGROUND and has_background:
        names = names[1:]
    if not names:
        first = 1 if has_background else 0
        names = tuple(f"class {number}" for number in range(first, count))
    elif len(names) == count and not has_background:
        first = 0
    elif len(names) == count - 1 and (has_background or can_start_at_one):
        first = 1
    else:
        wanted = f"{count - 1}" if has_background else f"{count}" + (f" or {count - 1}" if can_start_at_one else "")
        raise WeightsError(f"{source}: its network tells {wanted} classes apart, got {len(names)} names")
    return tuple(Category(first + row, name, bright_color(first + row)) for row, name in enumerate(names))
