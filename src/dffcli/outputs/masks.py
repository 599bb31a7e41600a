"""One PNG a frame: indexed category masks, or instance ids."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dffcli.errors import OutputError
from dffcli.io.atomic import atomic_folder, writing
from dffcli.outputs.sink import RunFacts
from dffcli.types import Category, Detections, FrameResult

CLASSES_FILE = "classes.json"
DIGITS = 6


class MaskSink:
    """A folder of indexed PNG masks with a palette, and a class table beside them.

    Segmentation: a pixel's value is its category's id, 255 where nothing was asked for. Instances: a pixel's value is
    the number of its object on that frame (16 bit, 0 is background), the best-scored object on top.
    """

    def __init__(self, path: str, *, categories: tuple[Category, ...], run: RunFacts) -> None:
        self._path = Path(path)
        self._categories = categories
        self._run = run
        self._stack = ExitStack()
        self._folder = self._path
        palette = np.zeros((256, 3), np.uint8)
        for category in categories:
            palette[category.id] = category.color
        self._palette = palette.tobytes()

    def __enter__(self) -> Self:
        self._folder = self._stack.enter_context(atomic_folder(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with writing(self._path):
                (self._folder / CLASSES_FILE).write_text(json.dumps(self._table(), indent=2) + "\n")
        self._stack.__exit__(kind, error, trace)

    def write(self, result: FrameResult) -> None:
        """Write one frame's mask."""
        prediction = result.prediction
        if isinstance(prediction, Detections):
            picture = Image.fromarray(_instance_ids(prediction, size=result.frame.size))
        else:
            picture = Image.fromarray(prediction.category_ids, mode="P")
            picture.putpalette(self._palette)
        with writing(self._path):
            picture.save(self._folder / mask_name(result), compress_level=1)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing to say."""
        return ()

    def _table(self) -> dict[str, object]:
        return {
            "model": self._run.model,
            "weights": self._run.weights,
            "random_weights": self._run.is_random,
            "settings": self._run.settings,
            "classes": [
                {"id": category.id, "name": category.name, "color": list(category.color)}
                for category in self._categories
            ],
        }


def mask_name(result: FrameResult) -> str:
    """The still's own name, or the frame's number."""
    if result.frame.name is None:
        return f"{result.frame.index:0{DIGITS}d}.png"
    return re.sub(r"\.[^.]*$", "", result.frame.name) + ".png"


def _instance_ids(prediction: Detections, *, size: tuple[int, int]) -> NDArray[np.uint16]:
    ids = np.zeros(size, np.uint16)
    if prediction.masks is None:
        if len(prediction) == 0:
            return ids
        raise OutputError("expected instance masks to write as PNG, got boxes alone")
    for number in range(len(prediction), 0, -1):
        ids[prediction.masks[number - 1]] = number
    return ids
