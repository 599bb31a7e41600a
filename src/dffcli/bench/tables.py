"""A comparison as rows: for the terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dffcli.bench.result import FILE_STAGES, NETWORK_STAGES, BenchResult, Speed, VariantResult
from dffcli.bench.verdict import MEASURES, verdicts

Rows = list[list[str]]


def main_table(result: BenchResult, model: str) -> tuple[list[str], Rows]:
    """Header and rows of a model: speed, latency, memory, agreement and accuracy. Empty columns are left out."""
    baseline, others = result.of_model(model)
    variants = [baseline, *others]
    header = ["variant", "key frames", "network fps", "faster (quartiles)"]
    rows = [[v.variant.label, f"{v.key_share:.0%}", *_speed(v.network)] for v in variants]
    if any(v.end_to_end for v in variants):
        header += ["end-to-end fps", "faster (quartiles)"]
        rows = [[*row, *_speed(v.end_to_end)] for row, v in zip(rows, variants, strict=True)]
    header.append("latency ms: median / p95 / max")
    for row, v in zip(rows, variants, strict=True):
        row.append(f"{v.latency.median_ms:.0f} / {v.latency.p95_ms:.0f} / {v.latency.max_ms:.0f}")
    if any(v.peak_bytes for v in variants):
        header.append("memory MB")
        for row, v in zip(rows, variants, strict=True):
            row.append("" if v.peak_bytes is None else f"{v.peak_bytes / 1e6:.0f}")
    if any(v.peak_gpu_bytes for v in variants):
        header.append("GPU MB")
        for row, v in zip(rows, variants, strict=True):
            row.append("" if v.peak_gpu_bytes is None else f"{v.peak_gpu_bytes / 1e6:.0f}")
    if any(v.estimate for v in variants):
        header.append("agreement %: asked for / estimated / got")
        for row, v in zip(rows, variants, strict=True):
            parts = (v.target, None if v.estimate is None else v.estimate.agreement, v.kept)
            row.append(" / ".join("-" if part is None else f"{100 * part:.1f}" for part in parts))
    for key, words in MEASURES.items():
        for name, title in (("agreement", f"{words} vs per frame"), ("accuracy", f"{words} vs truth")):
            if any(key in getattr(v, name) for v in variants):
                header.append(title)
                for row, v in zip(rows, variants, strict=True):
                    value = getattr(v, name).get(key)
                    row.append("" if value is None else f"{100 * value:.1f}")
    return header, rows


def stage_table(result: BenchResult, model: str) -> tuple[list[str], Rows]:
    """Header and rows of a model: milliseconds a frame by stage."""
    baseline, others = result.of_model(model)
    stages = [s for s in (*NETWORK_STAGES, *FILE_STAGES) if any(s in v.stage_ms for v in (baseline, *others))]
    rows = [
        [v.variant.label, *(f"{v.stage_ms.get(s, 0.0):.1f}" for s in stages), f"{v.key_ms:.1f}", _or_none(v)]
        for v in (baseline, *others)
    ]
    return ["ms a frame", *stages, "a key frame", "a propagated frame"], rows


def _or_none(result: VariantResult) -> str:
    return "" if result.propagated_ms is None else f"{result.propagated_ms:.1f}"


def _speed(speed: Speed | None) -> list[str]:
    if speed is None:
        return ["", ""]
    up = speed.speed_up
    digits = 1 if up.median < 10 else 0
    spread = "" if up.low == up.high else f" ({up.low:.{digits}f} to {up.high:.{digits}f})"
    return [f"{speed.fps.median:.1f}", f"{up.median:.{max(1, digits)}f}x{spread}"]


def markdown_table(header: Sequence[str], rows: Rows) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def preamble(result: BenchResult) -> str:
    """What was run on what, in a sentence."""
    h, w = result.size
    turns = f"{result.turns} turn{'s' if result.turns > 1 else ''}"
    return (
        f"{result.source}, {w} x {h}, {result.frames} frames in {turns} interleaved over all variants, "
        f"warm-up discarded; {result.machine}."
    )


def to_markdown(result: BenchResult, *, more: str = "") -> str:
    """The whole comparison as a page.

    Args:
        result: the comparison.
        more: what follows, in Markdown.
    """
    parts = ["# Deep Feature Flow against every frame", preamble(result)]
    for model in result.models:
        parts += [f"## {model}", f"Weights: {result.weights[model]}."]
        parts += [markdown_table(*main_table(result, model)), markdown_table(*stage_table(result, model))]
    parts += ["## What it says", *verdicts(result), *(f"Note: {note}." for note in result.notes), LEGEND]
    return "\n\n".join([*parts, *([more] if more else [])]) + "\n"


LEGEND = (
    "Network: decoded frames in memory to predictions, nothing running beside it. End to end: video file to overlaid "
    "H.264 file, decoding and encoding on threads of their own. Faster: per-frame evaluation's time in the same turn "
    "over the variant's, median and quartiles over the turns. Latency: from a frame handed to the networks to its "
    "result; two-sided frames wait for the key frame after them. Agreement: the share of the per-frame result that is "
    "kept, as --target-agreement counts it: what the schedule was asked for, what it estimated from its own "
    "comparisons, and what it was. Memory: peak resident memory of a process that "
    "annotates with this variant and does nothing else. Stages: decode, draw and encode were measured end to end, "
    "where they share the cores; the others alone."
)


def to_csv(result: BenchResult) -> str:
    """One line for each variant, figures as plain numbers."""
    stages = (*NETWORK_STAGES, *FILE_STAGES)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    speeds = [f"{way}_{name}" for way in ("network", "end_to_end") for name in SPEED_COLUMNS]
    judged = [f"{kind}_{measure}" for kind in ("agreement", "accuracy") for measure in MEASURES]
    header = ["model", "interval", "flow", "two_sided", "frames", "key_share", *speeds]
    header += ["latency_median_ms", "latency_p95_ms", "latency_max_ms", "peak_bytes", "peak_gpu_bytes", *judged]
    header += ["target_agreement", "estimated_agreement", "kept"]
    header += ["key_ms", "propagated_ms", *(f"{stage.replace(' ', '_')}_ms" for stage in stages)]
    writer.writerow(header)
    for v in result.variants:
        kind = "adaptive" if v.variant.interval is None else v.variant.interval
        row: list[object] = [v.variant.model, kind, v.variant.flow, int(v.variant.two_sided), v.frames, v.key_share]
        row += [*_numbers(v.network), *_numbers(v.end_to_end)]
        row += [v.latency.median_ms, v.latency.p95_ms, v.latency.max_ms, v.peak_bytes, v.peak_gpu_bytes]
        row += [scores.get(measure) for scores in (v.agreement, v.accuracy) for measure in MEASURES]
        row += [v.target, None if v.estimate is None else v.estimate.agreement, v.kept]
        row += [v.key_ms, v.propagated_ms, *(v.stage_ms.get(stage) for stage in stages)]
        writer.writerow(["" if value is None else value for value in row])
    return text.getvalue()


SPEED_COLUMNS = ("fps", "speed_up", "speed_up_quartile_1", "speed_up_quartile_3")


def _numbers(speed: Speed | None) -> list[float | None]:
    if speed is None:
        return [None] * len(SPEED_COLUMNS)
    return [speed.fps.median, speed.speed_up.median, speed.speed_up.low, speed.speed_up.high]
