"""The figures of a comparison: speed against accuracy over key intervals, and where the time goes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from dffcli.bench.result import BenchResult, VariantResult
from dffcli.bench.verdict import MEASURES
from dffcli.files.atomic import atomic_path, writing

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito: for all eyes
STAGE_COLORS = {
    "prepare": "#56b4e9",
    "features": "#0072b2",
    "head on key": "#003f66",
    "flow": "#d55e00",
    "warp": "#e69f00",
    "carry": "#cc79a7",
    "head": "#f0c987",
    "compare": "#009e73",
    "decode": "#c9c9c9",
    "draw": "#9a9a9a",
    "encode": "#6b6b6b",
}
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "svg.hashsalt": "dff",  # the same figure gives the same file
}
DOTS_PER_INCH = 150
NARROW_STAGE = 0.035  # of the axis: stages below are not labelled


def save_plots(result: BenchResult, folder: Path) -> list[Path]:
    """Write all figures as PNG and SVG; gives the files."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # its stub lists every name
        figures = {"speed_accuracy": speed_accuracy(result), "stages": stages(result)}
        return [path for name, figure in figures.items() for path in save_figure(figure, folder / name)]


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as `path.png` and `path.svg`."""
    files = [path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.svg")]
    with atomic_path(files[0], overwrite=True) as part, writing(files[0]):
        figure.savefig(part, dpi=DOTS_PER_INCH, bbox_inches="tight", facecolor="white")
    with atomic_path(files[1], overwrite=True) as part, writing(files[1]):
        figure.savefig(part, bbox_inches="tight", facecolor="white", metadata={"Date": None})
    return files


def speed_accuracy(result: BenchResult) -> Figure:
    """A panel for each model: frames a second against accuracy, a curve over the key intervals for each flow."""
    figure = Figure(figsize=(6.4 * len(result.models), 4.6))
    panels: list[Axes] = list(figure.subplots(1, len(result.models), squeeze=False)[0])
    for axes, model in zip(panels, result.models, strict=True):
        _speed_panel(axes, result, model)
    h, w = result.size
    figure.suptitle(f"{result.source}, {w} x {h}, {result.machine}", fontsize=8.5, color="#555555", y=0.02)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    return figure


def _speed_panel(axes: Axes, result: BenchResult, model: str) -> None:
    baseline, others = result.of_model(model)
    kind, measure = _what_to_show([baseline, *others])
    curves: dict[str, list[VariantResult]] = {}
    for other in others:
        if measure in getattr(other, kind):
            curves.setdefault(other.variant.curve.removeprefix(f"{model}, "), []).append(other)
    full = 100 * getattr(baseline, kind).get(measure, 1.0)
    axes.axhline(full, color="#999999", linewidth=1, linestyle=":", zorder=1)
    for color, (name, members) in zip(COLORS * 9, curves.items(), strict=False):
        fixed = [v for v in members if v.variant.interval is not None]
        style = "-" if members[0].variant.two_sided else "--"
        _curve(axes, baseline, fixed, full, kind=kind, measure=measure, color=color, style=style, name=name)
        for v in members:
            if v.variant.interval is None:
                point = v.network.fps.median, 100 * getattr(v, kind)[measure]
                axes.plot(*point, marker="D", color=color, markersize=8, markeredgecolor="white", zorder=5)
                _name_point(axes, "adaptive", point, color)
    axes.plot(baseline.network.fps.median, full, marker="s", color="black", markersize=8, zorder=6)
    axes.annotate(
        "every frame",
        (baseline.network.fps.median, full),
        xytext=(4, 7),
        textcoords="offset points",
        fontsize=9,
        fontweight="bold",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(_LogTicks())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.margins(x=0.14, y=0.16)
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, 0), min(top, 100 + 0.12 * (100 - bottom)))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], prune=None))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value <= 100 else ""))
    axes.set_xlabel("frames a second, network only (log scale)")
    reference = "per-frame evaluation" if kind == "agreement" else "ground truth"
    axes.set_ylabel(f"{MEASURES.get(measure, '')} against {reference}, %" if measure else "")
    random = " (random weights: the accuracy says nothing)" if model in result.random_models else ""
    axes.set_title(f"{model}{random}", loc="left", fontweight="bold", fontsize=11)
    if curves:
        axes.legend(frameon=False, fontsize=9, loc="lower left", title="numbers: key interval", title_fontsize=8)


class _LogTicks(MaxNLocator):
    """Round numbers, 1, 2 and 5 of each power of ten, within the limits."""

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        steps = [factor * 10.0**power for power in range(-3, 6) for factor in (1, 2, 5)]
        return [value for value in steps if vmin <= value <= vmax] or [vmin, vmax]


def _curve(
    axes: Axes,
    baseline: VariantResult,
    members: list[VariantResult],
    full: float,
    *,
    kind: str,
    measure: str,
    color: str,
    style: str,
    name: str,
) -> None:
    members = sorted(members, key=lambda v: v.variant.interval or 0)
    points = [(v.network.fps.median, 100 * getattr(v, kind)[measure]) for v in members]
    line = [(baseline.network.fps.median, full), *points]
    axes.plot(*zip(*line, strict=True), style, color=color, linewidth=1.8, label=name, zorder=3)
    for v, (x, y) in zip(members, points, strict=True):
        spread = v.network.fps
        axes.hlines(y, spread.low, spread.high, color=color, linewidth=5, alpha=0.25, zorder=2)
        axes.plot(x, y, marker="o", color=color, markersize=7, markeredgecolor="white", zorder=4)
        _name_point(axes, str(v.variant.interval), (x, y), color)


def _name_point(axes: Axes, text: str, point: tuple[float, float], color: str) -> None:
    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.annotate(
        text, point, xytext=(6, 5), textcoords="offset points", fontsize=9, color=color, path_effects=halo, zorder=7
    )


def _what_to_show(variants: list[VariantResult]) -> tuple[str, str]:
    for kind in ("accuracy", "agreement"):
        for measure in MEASURES:
            if any(measure in getattr(v, kind) for v in variants):
                return kind, measure
    return "agreement", ""


def stages(result: BenchResult) -> Figure:
    """A panel for each model: milliseconds a frame by stage, a bar for each variant."""
    counts = [sum(v.variant.model == model for v in result.variants) for model in result.models]
    figure = Figure(figsize=(9.5, 1.3 + 0.36 * sum(counts) + 0.7 * len(counts)))
    ratios = {"height_ratios": counts, "hspace": 0.45}
    panels: list[Axes] = list(figure.subplots(len(counts), 1, squeeze=False, gridspec_kw=ratios)[:, 0])
    for axes, model in zip(panels, result.models, strict=True):
        _stage_panel(axes, result, model)
    panels[-1].set_xlabel("milliseconds a frame, mean (decode, draw and encode run beside the networks)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, ncols=len(labels), loc="upper center", bbox_to_anchor=(0.5, 0.02), frameon=False, fontsize=8.5
    )
    return figure


def _stage_panel(axes: Axes, result: BenchResult, model: str) -> None:
    baseline, others = result.of_model(model)
    variants = [baseline, *others]
    used = [stage for stage in STAGE_COLORS if any(stage in v.stage_ms for v in variants)]
    lefts = [0.0] * len(variants)
    longest = max(sum(v.stage_ms.values()) for v in variants)
    for stage in used:
        widths = [v.stage_ms.get(stage, 0.0) for v in variants]
        is_dark = stage in ("features", "head on key", "flow", "encode", "draw")
        axes.barh(
            range(len(variants)),
            widths,
            left=lefts,
            color=STAGE_COLORS[stage],
            label=stage,
            height=0.72,
            edgecolor="white",
            linewidth=0.4,
        )
        for row, (left, width) in enumerate(zip(lefts, widths, strict=True)):
            if width > NARROW_STAGE * longest:
                text = f"{width:.0f}" if width >= 10 else f"{width:.1f}"
                color = "white" if is_dark else "black"
                axes.text(left + width / 2, row, text, ha="center", va="center", fontsize=8, color=color)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for row, (v, right) in enumerate(zip(variants, lefts, strict=True)):
        if not v.variant.is_baseline:
            words = f"{v.network.speed_up.median:.1f}x"
            words += "" if v.end_to_end is None else f", {v.end_to_end.speed_up.median:.1f}x end to end"
            axes.text(right + 0.008 * longest, row, words, va="center", fontsize=8.5, color="#333333")
    axes.set_yticks(range(len(variants)), [v.variant.label for v in variants])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.04 * longest)
    axes.grid(visible=False, axis="y")
    axes.set_title(model, loc="left", fontweight="bold", fontsize=11)
