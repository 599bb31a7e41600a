"""Which models there are, and how to build one by its name (without importing torch until one is built)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dffcli.categories import CATEGORY_SETS, Category
from dffcli.core.info import ModelInfo
from dffcli.core.task import Task
from dffcli.errors import ModelError

if TYPE_CHECKING:
    from dffcli.core.protocols import FlowEstimator, VideoModel

Weights = Literal["default", "random"] | Path
"""`default`: the published or bundled ones; `random`: for benchmarking only; a path: a local checkpoint."""

DEFAULT_MODELS = {Task.DETECT: "coco-det", Task.SEGMENT: "street-seg"}
ELSEWHERE = re.compile(r"yolo|detr|nanodet|efficientdet|mask2former|segformer|\bsam2?\b", re.IGNORECASE)
"""Families of networks that people ask for from habit."""
RUNTIMES = ("torch", "compile", "openvino", "onnx")
"""What can run a feature network."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What `dff models` tells of a model.

    Attributes:
        name: what `--model` takes.
        task: what it answers.
        builder: `module:function`, called as `function(name, weights=..., device=...) -> BuiltModel`.
        category_set: the key of its categories in `dffcli.categories`.
        split_point: where the feature network ends and the task network begins, in a sentence.
        weights_source: where its default weights come from, in words.
        weights_file: file name of the default weights in their folder or cache; None where there are none to be had.
        weights_bytes: size of that file, 0 where unknown.
        license: of the weights, and of the data they were trained on where that binds the user.
        is_bundled: the weights come with dff.
        gives_masks: a detector that gives instance masks.
        weights_url: where the default weights are fetched from when they are not in the cache.
        accuracy: what the default weights are published to reach, in words.
        takes_runtimes: its feature network can be handed to another runtime than torch.
        own_categories: its categories, where they are not one of the known sets.
        takes_class_names: it can be filled with weights trained for other classes, named by the user.
    """

    name: str
    task: Task
    builder: str
    category_set: str
    split_point: str
    weights_source: str
    weights_file: str | None
    weights_bytes: int
    license: str
    is_bundled: bool = False
    gives_masks: bool = False
    weights_url: str | None = None
    accuracy: str = ""
    takes_runtimes: bool = True
    takes_class_names: bool = False
    own_categories: tuple[Category, ...] = ()

    @property
    def categories(self) -> tuple[Category, ...]:
        """What it can name."""
        return self.own_categories or CATEGORY_SETS[self.category_set]

    @property
    def info(self) -> ModelInfo:
        """What it is and can do."""
        return ModelInfo(self.name, self.task, self.categories, self.gives_masks, self.takes_runtimes)

    @property
    def has_weights(self) -> bool:
        """Whether its default weights come with dff or can be fetched."""
        return self.is_bundled or self.weights_url is not None


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model ready to run.

    Attributes:
        model: the network in its two halves.
        weights_description: which weights it runs on, for reports ("bundled street-seg, sha256 12ab...").
        is_random: its weights are random: good for timing, its answers mean nothing.
        flow: the flow network that was trained with it, to be used unless another is asked for.
    """

    model: VideoModel
    weights_description: str
    is_random: bool = False
    flow: FlowEstimator | None = None


ENTRY_MODULES = (
    "dffcli.models.torchvision.catalog",
    "dffcli.models.street.catalog",
    "dffcli.models.coco_det.catalog",
    "dffcli.models.paper.catalog",
)
"""Torch-free modules, each with a tuple `ENTRIES`."""


ENTRY_POINTS = "dffcli.models"
"""Other packages add models under this name: an entry point whose object is a `ModelEntry`, or a tuple of them, in a
module that does not import torch."""


@cache
def model_entries() -> dict[str, ModelEntry]:
    """Every model by name: dff's own, then those of other installed packages.

    Raises:
        ModelError: another package's entry is none.
    """
    found = {entry.name: entry for module in ENTRY_MODULES for entry in import_module(module).ENTRIES}
    for point in entry_points(group=ENTRY_POINTS):
        loaded = point.load()
        for entry in loaded if isinstance(loaded, tuple) else (loaded,):
            if not isinstance(entry, ModelEntry):
                kind = type(entry).__name__
                raise ModelError(f"models of {point.value}: expected a ModelEntry or a tuple of them, found a {kind}")
            found.setdefault(entry.name, entry)
    return found


def list_models(task: Task | str | None = None) -> list[str]:
    """The names of all models, or of those for a task, the default one first."""
    names = [entry.name for entry in model_entries().values() if task in (None, entry.task)]
    return sorted(names, key=lambda name: name not in DEFAULT_MODELS.values())


def find_entry(name: str, *, task: Task | None = None) -> ModelEntry:
    """The entry of that name.

    Raises:
        ModelError: there is none, or it answers another task.
    """
    entries = model_entries()
    if name not in entries:
        near = [known for known in entries if name and name in known][:3]
        near = near or get_close_matches(name, entries, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`dff models` lists them"
        if not near and ELSEWHERE.search(name):
            hint = "dff does not run it; coco-det, bundled, knows COCO's 80 classes, and `dff models` lists the others"
        raise ModelError(f"unknown model {name!r}: {hint}")
    entry = entries[name]
    if task is not None and entry.task is not task:
        raise ModelError(f"{name} is for `dff {entry.task}`, not `dff {task}`: `dff models` lists those for each")
    return entry


def build_model(
    name: str,
    *,
    weights: Weights = "default",
    device: str = "cpu",
    task: Task | None = None,
    class_names: tuple[str, ...] = (),
) -> BuiltModel:
    """Build a model with its weights.

    Args:
        name: as `dff models` lists it.
        weights: which weights to load.
        device: where it runs: `cpu`, `cuda`, `cuda:1`, `mps`.
        task: refuse a model for another task.
        class_names: of the classes of own weights, for networks whose files do not say them.

    Raises:
        ModelError: unknown name or wrong task.
        WeightsError: the weights are missing, broken or another network's.
    """
    entry = find_entry(name, task=task)
    module_name, function_name = entry.builder.split(":")
    if class_names and not (entry.takes_class_names and isinstance(weights, Path)):
        raise ModelError(f"{name}: class names are for weights of your own whose file does not say them")
    more = {"class_names": class_names} if class_names else {}
    built: BuiltModel = getattr(import_module(module_name), function_name)(name, weights=weights, device=device, **more)

    return built
