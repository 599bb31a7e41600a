"""Whether Deep Feature Flow pays for a model, in plain words."""

from __future__ import annotations

from dffcli.bench.result import FILE_STAGES, BenchResult, VariantResult

GOOD_AGREEMENT = 0.9
LOSS = 0.02  # of a measure against ground truth that is still called good
WORTH = 1.5  # times faster, below which key frames are not worth what they cost in accuracy
MEASURES = {"mean_iou": "mean IoU", "map50": "mAP@0.5", "f1": "F1"}


def verdicts(result: BenchResult) -> list[str]:
    """One paragraph for each model."""
    return [_verdict(result, model) for model in result.models]


def _verdict(result: BenchResult, model: str) -> str:
    baseline, others = result.of_model(model)
    carried = [other for other in others if other.propagated_ms is not None]
    if not carried:
        return f"{model}: only per-frame evaluation was measured."
    moving = [other for other in carried if other.variant.flow != "none"] or carried
    cheapest = min(moving, key=lambda other: other.propagated_ms or 0.0)
    least = cheapest.propagated_ms or 0.0
    fastest = max(moving, key=lambda other: other.network.speed_up.median)
    costs = (
        f"A key frame costs {_ms(baseline.key_ms)} and a propagated frame {_ms(least)} ({_parts(cheapest)}), "
        f"so no interval can make it more than {_times(baseline.key_ms / least)} faster."
    )
    if fastest.network.speed_up.median < WORTH:
        return (
            f"{model}: Deep Feature Flow does NOT pay here. {costs} "
            f"Measured: {_times(fastest.network.speed_up.median)} ({fastest.variant.label}). "
            "Use every frame (--key-interval 1); if that is too slow, a smaller network, "
            "and if there is time to spare, a larger one, which gains from key frames."
        )
    return f"{model}: {costs} {_advice(result, baseline, carried)} {_limit(fastest)}".rstrip()


def _advice_by_truth(baseline: VariantResult, others: list[VariantResult]) -> str:
    measure = next(iter(baseline.accuracy))
    full, name = baseline.accuracy[measure], MEASURES[measure]
    good = [other for other in others if other.accuracy.get(measure, 0.0) >= full - LOSS]
    if not good:
        best = max(others, key=lambda other: other.accuracy.get(measure, 0.0))
        return (
            f"Every variant loses more than {100 * LOSS:.0f} points of {name} against ground truth; "
            f"the least is lost by {best.variant.label}: {100 * best.accuracy.get(measure, 0.0):.1f} "
            f"for {100 * full:.1f}, {_times(best.network.speed_up.median)} faster."
        )
    best = max(good, key=lambda other: other.network.speed_up.median)
    end = "" if best.end_to_end is None else f", {_times(best.end_to_end.speed_up.median)} end to end"
    return (
        f"Fastest that loses at most {100 * LOSS:.0f} points of {name} against ground truth: {best.variant.label}, "
        f"{_times(best.network.speed_up.median)} network only{end}, {100 * best.accuracy[measure]:.1f} for "
        f"{100 * full:.1f} on every frame."
    )


def _advice(result: BenchResult, baseline: VariantResult, others: list[VariantResult]) -> str:
    model = baseline.variant.model
    measure = next((name for other in others for name in other.agreement), None)
    if model in result.random_models:
        return "Its weights are random: the times hold, the agreement says nothing."
    if baseline.accuracy:
        return _advice_by_truth(baseline, others)
    if measure is None:
        return "Nothing was found on any frame, so there is no agreement to speak of."
    good = [other for other in others if other.agreement.get(measure, 0.0) >= GOOD_AGREEMENT]
    name = MEASURES[measure]
    if not good:
        best = max(others, key=lambda other: other.agreement.get(measure, 0.0))
        return (
            f"No variant agrees with per-frame evaluation by {name} {GOOD_AGREEMENT:.0%}; nearest is "
            f"{best.variant.label} with {best.agreement.get(measure, 0.0):.1%}, {_times(best.network.speed_up.median)} "
            "faster: the motion is large or the answers flicker. Take short intervals, or ask for an agreement "
            "(--target-agreement)."
        )
    best = max(good, key=lambda other: other.network.speed_up.median)
    end = "" if best.end_to_end is None else f", {_times(best.end_to_end.speed_up.median)} end to end"
    return (
        f"Fastest with {name} of at least {GOOD_AGREEMENT:.0%} against per-frame evaluation: {best.variant.label}, "
        f"{_times(best.network.speed_up.median)} network only{end}, {name} {best.agreement[measure]:.1%}."
    )


def _limit(fastest: VariantResult) -> str:
    if fastest.end_to_end is None or fastest.end_to_end.speed_up.median > 0.7 * fastest.network.speed_up.median:
        return ""
    files = {stage: fastest.stage_ms.get(stage, 0.0) for stage in FILE_STAGES}
    return (
        f"End to end, decoding, drawing and encoding ({_ms(sum(files.values()))} a frame) hold it back at "
        f"{fastest.variant.label}."
    )


def _parts(result: VariantResult) -> str:
    return ", ".join(f"{name} {_ms(value)}" for name, value in result.propagated_parts_ms.items())


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def _times(value: float) -> str:
    return f"{value:.0f}x" if value >= 20 else f"{value:.1f}x"
