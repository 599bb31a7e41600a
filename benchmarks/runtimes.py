"""The feature network on each runtime that is installed: its time, and how far the numbers are from torch's.

On one thread times are the processor's, on more (`--threads 2 --result runtimes_threads`) those of the clock. "plain"
is torchvision's network as it comes (channels first, batch norms apart), with random weights; the bundled networks are
compared with torch.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from statistics import median
from time import perf_counter, process_time
from typing import Any

from dffcli._runtime import settle

settle()

import numpy as np  # noqa: E402  # after the settings of the process
import torch  # noqa: E402

import common  # noqa: E402
from dffcli.core.types import Features, Frame  # noqa: E402
from dffcli.errors import ModelError  # noqa: E402
from dffcli.models.registry import build_model, find_entry  # noqa: E402
from dffcli.models.weights.runtimes import RUNTIMES, on_runtime  # noqa: E402

MODELS = "street-seg,coco-det,lraspp_mobilenet_v3_large,deeplabv3_mobilenet_v3_large"


def build(name: str, *, fold: bool) -> Any:
    from importlib import import_module

    if find_entry(name).is_bundled:
        return build_model(name).model
    module, function = find_entry(name).builder.split(":")
    return getattr(import_module(module), function)(name, weights="random", fold=fold).model


def cost(model: Any, image: Any, *, rounds: int, now: Callable[[], float]) -> tuple[float, Features]:
    features = model.features(image)
    times = []
    for _ in range(rounds):
        began = now()
        model.features(image)
        times.append((now() - began) * 1000)
    return median(times), features


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--runtimes", default="torch,openvino,onnx", help=f"of {', '.join(RUNTIMES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--result", default="runtimes", help="name of the page under benchmarks/results")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    now = process_time if options.threads == 1 else perf_counter
    picture = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    rows = []
    for name in options.models.split(","):
        plain = build(name, fold=False)
        image = plain.prepare(Frame(0, picture, Fraction(0)))
        channels_last = image.tensor
        if not find_entry(name).is_bundled:
            plain.feature_network.to(memory_format=torch.contiguous_format)
            image.__dict__["tensor"] = channels_last.contiguous()
        before, wanted = cost(plain, image, rounds=options.rounds, now=now)
        if not find_entry(name).is_bundled:
            rows.append([name, "plain", f"{before:.0f}", "1.00", "0", "0"])
        image.__dict__["tensor"] = channels_last
        for runtime in options.runtimes.split(","):
            model = build(name, fold=True)
            began = perf_counter()
            try:
                model = on_runtime(model, runtime)
                model.features(image)
            except ModelError as error:
                print(error, flush=True)
                continue
            ready = perf_counter() - began
            milliseconds, found = cost(model, image, rounds=options.rounds, now=now)
            if find_entry(name).is_bundled and runtime == "torch":
                before = milliseconds
            error = max(
                float((a - b).abs().max() / b.abs().max().clamp(min=1e-9)) for a, b in zip(found, wanted, strict=True)
            )
            cells = [f"{milliseconds:.0f}", f"{before / milliseconds:.2f}", f"{error:.0e}", f"{ready:.0f}"]
            rows.append([name, runtime, *cells])
            print(rows[-1], flush=True)
    header = [
        "model",
        "runtime",
        f"features, {'CPU ms' if options.threads == 1 else 'ms'}",
        "times as fast",
        "largest relative difference",
        "ready after, s",
    ]
    threads = "one thread" if options.threads == 1 else f"{options.threads} threads"
    text = common.table(header, rows) + f"\n\nFrame 640 x 360, {threads}; torch is folded and channels last."
    common.save(options.result, title="Runtimes for the feature network", text=text, command="benchmarks/runtimes.py")


if __name__ == "__main__":
    main()
