"""What a model answers: a word that costs nothing to import."""

from __future__ import annotations

from enum import StrEnum


class Task(StrEnum):
    """What a model answers."""

    DETECT = "detect"
    SEGMENT = "segment"
