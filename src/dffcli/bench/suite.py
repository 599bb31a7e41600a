"""The standard suite: the same clip for everybody, rendered on the spot."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dffcli.bench.flow_suite import FlowError, Propagation, flow_errors, propagation
from dffcli.bench.plan import BenchPlan
from dffcli.bench.result import BenchResult
from dffcli.bench.run import Progress, bench, part_of
from dffcli.bench.tables import Rows, markdown_table
from dffcli.errors import InputError, ModelError
from dffcli.evaluation.scene import Scene, standard_scene
from dffcli.evaluation.scene_files import write_clip, write_truth
from dffcli.run.parts import named_flow
from dffcli.video.reader import open_source

CLIP_NAME = "clip.mp4"
MODELS_BEGIN = 0.15  # of the whole, after the clip and the flows
SUITE_FLOWS = ("none", "dis-fast", "dis", "dis-fine")


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """What the suite found.

    Attributes:
        models: the comparison of the models on the clip.
        flow_errors: of each flow, against the exact motion.
        propagation: of true labels, by each flow.
    """

    models: BenchResult
    flow_errors: tuple[FlowError, ...]
    propagation: tuple[Propagation, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        errors = [
            {
                "flow": e.flow,
                "gap": e.gap,
                "error_seen_px": e.seen,
                "error_hidden_px": e.hidden,
                "motion_px": e.motion,
                "ms": e.ms,
            }
            for e in self.flow_errors
        ]
        carried = [
            {"flow": p.flow, "interval": p.interval, "two_sided": p.two_sided, "mean_iou": p.mean_iou}
            for p in self.propagation
        ]
        return self.models.to_json() | {"flow_errors": errors, "propagation": carried}


def run_suite(
    plan: BenchPlan,
    *,
    keep: Path | None = None,
    scene: Scene | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    **options: Any,
) -> SuiteResult:
    """Render the clip, measure flow on it, and compare the models on it.

    Args:
        plan: what to compare; its source is replaced by the clip.
        keep: a folder to leave the clip and its ground truth in.
        scene: another one than the standard scene.
        on_progress: told after every step.
        **options: of `dffcli.bench.run.bench`.

    Raises:
        InputError: the folder to keep the clip in holds one already.
        DFFError: as `bench`.
    """
    scene = scene or standard_scene()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clip = folder / CLIP_NAME
        if clip.exists():
            raise InputError(f"{clip}: exists; move it away, or compare on it with `dff bench {clip}`")
        folder.mkdir(parents=True, exist_ok=True)
        prepare = part_of(on_progress, 0.0, MODELS_BEGIN)
        write_clip(
            scene, clip, on_frame=lambda index: prepare(Progress("rendering the clip", index / scene.frames / 2))
        )
        if keep is not None:
            prepare(Progress("writing its ground truth", 0.5))
            write_truth(scene, keep)
        with open_source(str(clip)) as source:
            frames = list(source)
        names = plan.flows or SUITE_FLOWS
        flows = [named_flow(name, device="cpu") for name in names]

        def step(doing: str) -> None:
            prepare(Progress(doing, 0.6))

        errors = flow_errors(scene, frames, flows, on_step=step)
        carried = propagation(scene, frames, flows, on_step=step)
        del frames
        models = bench(
            replace(plan, source=str(clip), ground_truth=None),
            on_progress=part_of(on_progress, MODELS_BEGIN, 1.0),
            **options,
        )
    return SuiteResult(models, tuple(errors), tuple(carried))


def flow_table(result: SuiteResult) -> tuple[list[str], Rows]:
    """Header and rows: end-point errors by gap."""
    gaps = sorted({error.gap for error in result.flow_errors})
    by = {(error.flow, error.gap): error for error in result.flow_errors}
    header = ["flow"]
    for gap in gaps:
        motion = next(error.motion for error in result.flow_errors if error.gap == gap)
        header += [f"{gap} frame{'s' if gap > 1 else ''} ({motion:.1f} px): seen", "hidden"]
    rows = []
    for flow in dict.fromkeys(error.flow for error in result.flow_errors):
        errors = [by[flow, gap] for gap in gaps]
        cells = [f"{value:.2f}" for error in errors for value in (error.seen, error.hidden)]
        rows.append([flow, *cells, f"{errors[0].ms:.1f}"])
    return [*header, "ms"], rows


def propagation_table(result: SuiteResult) -> tuple[list[str], Rows]:
    """Header and rows: mean IoU of carried true labels by interval, causal and two-sided."""
    intervals = sorted({found.interval for found in result.propagation})
    by = {(p.flow, p.interval, p.two_sided): p for p in result.propagation}
    header = ["flow", *(f"every {n}, {side}" for n in intervals for side in ("causal", "two-sided"))]
    rows = [
        [flow, *(f"{100 * by[flow, n, side].mean_iou:.1f}" for n in intervals for side in (False, True))]
        for flow in dict.fromkeys(p.flow for p in result.propagation)
    ]
    return header, rows


FLOW_TITLE = "End-point error in pixels, where the key frame shows the point and where it does not"
PROPAGATION_TITLE = "True labels carried by flow alone: mean IoU on the frames between key frames, %"


def suite_markdown(result: SuiteResult) -> str:
    """The part of the page that is about flow."""
    parts = ["## Flow on the rendered clip, whose motion is known exactly", FLOW_TITLE + ":"]
    parts += [markdown_table(*flow_table(result)), PROPAGATION_TITLE + ":", markdown_table(*propagation_table(result))]
    return "\n\n".join(parts)


def suite_models(task: object, known: dict[str, Any]) -> tuple[str, ...]:
    """The bundled models, which run on any machine without a download.

    Args:
        task: only those for this task; all if None.
        known: every model's entry by name.

    Raises:
        ModelError: none is bundled for the task.
    """
    names = tuple(name for name, entry in known.items() if entry.is_bundled and task in (None, entry.task))
    if not names:
        raise ModelError(f"no model for `dff {task}` is bundled: name some with --models")
    return names
