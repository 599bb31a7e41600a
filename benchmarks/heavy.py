"""Speed-up of the heavy networks, networks only, two-sided, at key intervals of 10 and 20, by the clock.

One interleaved run of `dff bench` for each network: every frame in full, a key frame every 10 and every 20 take turns
of 20 frames over the same clip (640 x 360), the warm-up left out; medians over the turns, with the middle half. Weights
are random unless asked for: times do not depend on them, but for what passes a detector's score threshold. The same for
the bundled networks: `--models street-seg coco-det --weights default --turns 5 --result bundled`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from common import parser, save, table
from dffcli._runtime import settle

settle()

from dffcli.bench.machine import describe_machine  # noqa: E402  # after the settings of the process
from dffcli.bench.plan import BenchPlan  # noqa: E402
from dffcli.bench.result import Spread, VariantResult  # noqa: E402
from dffcli.bench.run import bench  # noqa: E402
from dffcli.evaluation.scene import standard_scene  # noqa: E402
from dffcli.evaluation.scene_files import write_clip  # noqa: E402

MODELS = (
    "deeplabv3_resnet101",
    "fcn_resnet101",
    "retinanet_resnet50_fpn_v2",
    "fasterrcnn_resnet50_fpn_v2",
)
INTERVALS = (10, 20)
TURN = 20  # frames: a whole number of both intervals


def times(up: Spread) -> str:
    return f"**{up.median:.1f}x** ({up.low:.1f} to {up.high:.1f})"


def row(name: str, full: VariantResult, others: list[VariantResult]) -> list[str]:
    parts = others[-1].propagated_parts_ms
    return [
        name,
        f"{full.key_ms:.0f}",
        f"{parts['flow']:.1f}",
        f"{parts.get('warp', parts.get('carry', 0.0)):.1f}",
        f"{parts['head']:.1f}" if "head" in parts else "",
        f"{full.key_ms / sum(parts.values()):.0f}",
        *(times(other.network.speed_up) for other in others),
    ]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="*", default=MODELS)
    arguments.add_argument("--turns", type=int, default=3, help=f"of {TURN} frames")
    arguments.add_argument("--weights", choices=("random", "default"), default="random")
    arguments.add_argument("--result", default="heavy", help="name of the page under benchmarks/results")
    options = arguments.parse_args()
    header = [
        "network",
        "a frame in full, ms",
        "flow x 2, ms",
        "warp and blend, or objects carried, ms",
        "head, ms",
        "full / propagated",
        *(f"faster at {interval}" for interval in INTERVALS),
    ]
    rows: list[list[str]] = []
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(standard_scene(), clip)
        for name in options.models:
            plan = BenchPlan(
                str(clip),
                (name,),
                intervals=INTERVALS,
                weights=options.weights,
                device="cpu",
                frames=options.turns * TURN,
                end_to_end=False,
                memory=False,
            )
            rows.append(row(name, *bench(plan).of_model(name)))
            print(rows[-1], flush=True)
    save(
        options.result,
        title=f"{options.result.capitalize()} networks: networks only, two-sided, 640 x 360 pictures",
        text=f"{table(header, rows)}\n\n{describe_machine('cpu')}, {options.turns} turns.\n\n{(__doc__ or '').strip()}",
        command="python benchmarks/heavy.py",
    )


if __name__ == "__main__":
    main()
