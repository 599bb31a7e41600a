"""The regions of a Label Studio task: a region is an object or a track, or something that is not held and says so."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from dffcli.formats.account import Account
from dffcli.formats.between import Drawn, DrawnTrack
from dffcli.formats.numbers import printable, real, whole
from dffcli.formats.reading import Labels
from dffcli.formats.record import Annotation, bounds
from dffcli.formats.rle import check_polygon

Entry = dict[str, Any]

_SIDES = ("x", "y", "width", "height")
_BOXES = ("rectanglelabels", "rectangle")
_OUTLINES = ("polygonlabels", "polygon")
_ELLIPSES = ("ellipselabels", "ellipse")
_OWN_TRACK = re.compile(r"track(\d{1,15})", re.ASCII)
_OWN_BOX = re.compile(r"box(\d{1,15})", re.ASCII)
ELLIPSE_POINTS = 64


class Regions:
    """Reads the regions of one task."""

    def __init__(self, account: Account, labels: Labels, where: str, *, is_ours: bool) -> None:
        """Begin.

        Args:
            account: where losses are noted.
            labels: of all tasks.
            where: what to call the task there.
            is_ours: dff wrote the file, and says in a region's id which track it is.
        """
        self._account = account
        self._labels = labels
        self._where = where
        self._is_ours = is_ours

    def tracks(self, results: list[Entry], size: tuple[int, int]) -> list[DrawnTrack]:
        """The tracks of a video."""
        words = _words(results)
        found = []
        for number, region in enumerate(results, start=1):
            kind = str(region.get("type") or "")
            if kind != "videorectangle":
                self._unheld(region, kind)
                continue
            name, track = str(region.get("id") or ""), number
            if self._is_ours:
                own = _OWN_TRACK.fullmatch(name)
                track = int(own[1]) if own else -1 if _OWN_BOX.fullmatch(name) else number
            try:
                drawn = self._drawn(region, words.get(name), None if track < 0 else track, size)
            except (ValueError, KeyError, TypeError) as error:
                self._lose(region, error)
                continue
            if drawn:
                found.append(DrawnTrack(tuple(drawn), drawn[-1].frame + 1))
        return found

    def objects(self, results: list[Entry], size: tuple[int, int]) -> list[Annotation]:
        """The objects of a picture."""
        words = _words(results)
        found = []
        for region in results:
            kind = str(region.get("type") or "")
            if kind in ("labels", "choices", "textarea", "rating") and region.get("id") in words:
                continue  # belongs to a region, and is taken from there
            if kind not in (*_BOXES, *_OUTLINES, *_ELLIPSES):
                self._unheld(region, kind)
                continue
            try:
                found.append(self._object(region, kind, words.get(str(region.get("id") or "")), size))
            except (ValueError, KeyError, TypeError) as error:
                self._lose(region, error)
        return found

    def _drawn(self, region: Entry, words: list[str] | None, track: int | None, size: tuple[int, int]) -> list[Drawn]:
        value = region["value"]
        category = self._category(value, "labels", words)
        score = _score(region)
        drawn = []
        for entry in sorted(value["sequence"], key=lambda entry: whole(entry["frame"], what="frame", least=1)):
            box, rotation = _box(entry, size)
            item = Annotation(category, box, score, track, rotation=rotation)
            drawn.append(Drawn(int(entry["frame"]) - 1, item, is_seen_after=bool(entry.get("enabled", True))))
        return drawn

    def _object(self, region: Entry, kind: str, words: list[str] | None, size: tuple[int, int]) -> Annotation:
        value = region["value"]
        item = Annotation(self._category(value, kind, words), (0.0, 0.0, 0.0, 0.0), _score(region))
        if kind in _BOXES:
            box, rotation = _box(value, size)
            return replace(item, box=box, rotation=rotation)
        h, w = size
        if kind in _OUTLINES:
            polygon = tuple(
                real(number, what="points") * side / 100
                for point in value["points"]
                for number, side in zip(point, (w, h), strict=True)
            )
        else:
            polygon = _ellipse(value, size)
            what = f"ellipses, as outlines of {ELLIPSE_POINTS} points"
            self._account.change("ellipses-as-outlines", what, self._name(region))
        check_polygon(polygon, size=size)
        return replace(item, polygons=(polygon,), box=bounds((polygon,)))

    def _category(self, value: Entry, kind: str, words: list[str] | None) -> int:
        labels = value.get(kind) or value.get("labels") or words or ["object"]
        if len(labels) > 1:
            said = f"{self._where}, {printable(str(labels[1]))!r}"
            self._account.lose("further-labels", "further labels of an object", said, count=len(labels) - 1)
        return self._labels.id_of(str(labels[0]))

    def _unheld(self, region: Entry, kind: str) -> None:
        kind = printable(kind)[:40] or "unknown"
        self._account.lose_object(f"{kind}-regions", f"regions of the kind {kind}", self._name(region))

    def _lose(self, region: Entry, error: Exception) -> None:
        said = f"no {error}" if isinstance(error, KeyError) else printable(str(error))[:120]
        self._account.lose_object("unreadable", "regions that cannot be read", f"{self._name(region)}: {said}")

    def _name(self, region: Entry) -> str:
        return f"{self._where}, region {printable(str(region.get('id') or ''))[:40]!r}"


def _words(results: list[Entry]) -> dict[str, list[str]]:
    """Labels that are said in a result of their own, by the region's id."""
    found: dict[str, list[str]] = {}
    for result in results:
        if result.get("type") == "labels" and isinstance(result.get("value"), dict):
            found[str(result.get("id") or "")] = [str(label) for label in result["value"].get("labels") or ()]
    return found


def _score(region: Entry) -> float | None:
    score = region.get("score")
    return None if score is None else real(score, what="score")


def _box(value: Entry, size: tuple[int, int]) -> tuple[tuple[float, float, float, float], float]:
    """A box before it is turned about its middle, and by how much; there it is turned about its corner."""
    h, w = size
    x, y, width, height = (real(value[side], what=side) for side in _SIDES)
    if width < 0 or height < 0:
        raise ValueError(f"expected a width and height from 0, got {width:g} x {height:g}")
    x, y, width, height = x * w / 100, y * h / 100, width * w / 100, height * h / 100
    rotation = real(value.get("rotation") or 0, what="rotation", most=1e4) % 360
    if not rotation:
        return (x, y, x + width, y + height), 0.0
    cosine, sine = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    middle_x = x + width / 2 * cosine - height / 2 * sine
    middle_y = y + width / 2 * sine + height / 2 * cosine
    box = (middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2)
    return box, rotation


def _ellipse(value: Entry, size: tuple[int, int]) -> tuple[float, ...]:
    h, w = size
    x, y, rx, ry = (real(value[side], what=side) for side in ("x", "y", "radiusX", "radiusY"))
    turn = math.radians(real(value.get("rotation") or 0, what="rotation", most=1e4))
    points: list[float] = []
    for step in range(ELLIPSE_POINTS):
        angle = 2 * math.pi * step / ELLIPSE_POINTS
        dx, dy = rx * w / 100 * math.cos(angle), ry * h / 100 * math.sin(angle)
        points += (
            x * w / 100 + dx * math.cos(turn) - dy * math.sin(turn),
            y * h / 100 + dx * math.sin(turn) + dy * math.cos(turn),
        )
    return tuple(points)
