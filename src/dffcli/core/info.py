"""What is known of a model before any of it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from dffcli.categories import Category
from dffcli.core.task import Task


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model is and can do.

    Attributes:
        name: what `--model` takes, and what outputs say.
        task: what it answers.
        categories: what it can name; a trained checkpoint may bring others.
        gives_masks: a detector that gives instance masks.
        takes_runtimes: its feature network can be handed to another runtime.
    """

    name: str
    task: Task
    categories: tuple[Category, ...]
    gives_masks: bool = False
    takes_runtimes: bool = True
