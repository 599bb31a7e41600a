"""The shapes of CVAT's XML: an element is an object, or something that dff does not hold and says so."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from dffcli.formats.account import Account
from dffcli.formats.numbers import printable, real, whole
from dffcli.formats.record import Annotation, Polygon, bounds
from dffcli.formats.rle import Mask, check_polygon

SHAPES = ("box", "polygon", "mask", "ellipse", "polyline", "points", "cuboid", "skeleton", "tag")
"""What CVAT draws."""

UNHELD = {
    "polyline": "polylines",
    "points": "points",
    "cuboid": "cuboids",
    "skeleton": "skeletons",
    "tag": "tags of whole pictures",
}
"""Shapes that no format of dff holds, and what they are called."""

ELLIPSE_POINTS = 64
MAX_RUNS = 5_000_000  # of one mask


def read_shape(
    element: Element, category: int, *, track: int | None, size: tuple[int, int], account: Account, where: str
) -> Annotation | None:
    """One object; None for a shape that is not held or cannot be read, which is noted.

    Args:
        element: a shape.
        category: of the object.
        track: of the object.
        size: `(height, width)` of the picture.
        account: where losses are noted.
        where: what to call it there.
    """
    if element.tag in UNHELD:
        account.lose_object(f"{element.tag}-shapes", UNHELD[element.tag], where)
        return None
    try:
        return _read(element, category, track, size, account, where)
    except (ValueError, KeyError, OverflowError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else printable(str(error))[:120]
        account.lose_object("unreadable", "shapes that cannot be read", f"{where}: {said}")
        return None


def _read(
    element: Element, category: int, track: int | None, size: tuple[int, int], account: Account, where: str
) -> Annotation:
    at = element.attrib
    score, attributes = _attributes(element)
    mask: Mask | None = None
    polygons: tuple[Polygon, ...] = ()
    rotation = 0.0
    if element.tag == "box":
        x1, y1, x2, y2 = (real(at[side], what=side) for side in ("xtl", "ytl", "xbr", "ybr"))
        box = (x1, y1, x2, y2)
        rotation = real(at.get("rotation") or 0, what="rotation", most=1e4) % 360
    elif element.tag == "mask":
        mask = _mask(element, size)
        left, top = whole(at["left"], what="left"), whole(at["top"], what="top")
        box = (left, top, left + whole(at["width"], what="width"), top + whole(at["height"], what="height"))
    else:
        if element.tag == "ellipse":
            points = _ellipse(element)
            account.change("ellipses-as-outlines", f"ellipses, as outlines of {ELLIPSE_POINTS} points", where)
        else:
            pairs = [pair.split(",") for pair in at["points"].split(";") if pair.strip()]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError("expected points like 1,2;3,4;5,6")
            points = tuple(real(value, what="points") for pair in pairs for value in pair)
        check_polygon(points, size=size)
        polygons = (points,)
        box = bounds(polygons)
    return Annotation(
        category,
        box,
        score,
        track,
        mask,
        polygons,
        rotation,
        is_occluded=at.get("occluded") == "1",
        attributes=attributes,
    )


def _attributes(element: Element) -> tuple[float | None, dict[str, str]]:
    """The score, if there is one, and whatever else is said of a shape."""
    score: float | None = None
    found: dict[str, str] = {}
    for child in element:
        if child.tag != "attribute":
            continue
        name, text = printable(child.attrib.get("name", "")), printable(child.text or "")
        if name == "score":
            score = real(text, what="score") if text else None
        elif name and text:
            found[name] = text
    for name in ("group_id", "z_order"):
        if element.attrib.get(name, "0") not in ("0", ""):
            found[name] = printable(element.attrib[name])
    return score, found


def _mask(element: Element, size: tuple[int, int]) -> Mask:
    at = element.attrib
    text = at["rle"]
    if text.count(",") > MAX_RUNS:
        raise ValueError(f"expected at most {MAX_RUNS} run lengths")
    runs = [whole(run, what="rle", most=size[0] * size[1]) for run in text.split(",")]
    left, top, width, height = (whole(at[side], what=side) for side in ("left", "top", "width", "height"))
    return Mask.of_rows(runs, place=(left, top, width, height), size=size)


def _ellipse(element: Element) -> tuple[float, ...]:
    at = element.attrib
    cx, cy, rx, ry = (real(at[side], what=side) for side in ("cx", "cy", "rx", "ry"))
    turn = math.radians(real(at.get("rotation") or 0, what="rotation", most=1e4))
    points: list[float] = []
    for step in range(ELLIPSE_POINTS):
        angle = 2 * math.pi * step / ELLIPSE_POINTS
        dx, dy = rx * math.cos(angle), ry * math.sin(angle)
        points += (cx + dx * math.cos(turn) - dy * math.sin(turn), cy + dx * math.sin(turn) + dy * math.cos(turn))
    return tuple(points)
